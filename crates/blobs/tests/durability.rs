//! What a power cut right after an operation leaves, by the steps that the operation took.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use boxyard_blobs::testing::{CrashAt, Recorder};
use boxyard_blobs::{Folder, Link, Step, Tree};
use support::{Storage, begin, digest, push, repo, tag};

/// What the disk may forget, as far as the steps tell.
#[derive(Default)]
struct Unsynced {
    contents: BTreeSet<PathBuf>,
    entries: BTreeSet<PathBuf>,
}

impl Unsynced {
    fn after(steps: &[(Step, PathBuf)]) -> Self {
        let mut unsynced = Self::default();
        for (step, path) in steps {
            unsynced.take(*step, path);
        }
        unsynced
    }

    fn take(&mut self, step: Step, path: &Path) {
        match step {
            Step::Write | Step::Truncate => drop(self.contents.insert(path.to_owned())),
            Step::SyncFile => drop(self.contents.remove(path)),
            Step::CreateFile | Step::CreateFolder | Step::Unlink => {
                self.entries.insert(path.to_owned());
            }
            Step::Rename => {
                let unsynced = self.contents.iter().find(|path| is_kept(path));
                assert_eq!(
                    unsynced,
                    None,
                    "{} gets its name before its bytes",
                    path.display()
                );
                self.entries.insert(path.to_owned());
            }
            // Everything of these tests is on one filesystem.
            Step::SyncFilesystem => *self = Self::default(),
            Step::SyncFolder => self.entries.retain(|entry| entry.parent() != Some(path)),
        }
    }

    /// Fails unless `path` and every folder above it have been synced where they have changed.
    fn assert_durable(&self, path: &Path) {
        assert!(!self.contents.contains(path), "bytes of {}", path.display());
        for above in path.ancestors() {
            assert!(!self.entries.contains(above), "entry {}", above.display());
        }
    }
}

/// The small files of a session are lost with it.
fn is_kept(path: &Path) -> bool {
    !path.ends_with("startedat") && !path.ends_with("boxyard")
}

/// Runs an operation on a fresh folder and answers its steps, the making of the folder among them.
fn record(storage: &Storage, operate: impl FnOnce(&Folder)) -> Vec<(Step, PathBuf)> {
    let recorder = Arc::new(Recorder::default());
    operate(&storage.open_with(recorder.clone()).unwrap());
    recorder.steps()
}

fn blob_path(storage: &Storage, bytes: &[u8]) -> PathBuf {
    let hex = digest(bytes).hex();
    storage
        .v2()
        .join("blobs/sha256")
        .join(&hex[..2])
        .join(hex)
        .join("data")
}

#[test]
fn a_written_blob_is_durable_from_the_root_down() {
    let storage = Storage::new();

    let steps = record(&storage, |folder| {
        folder.write_blob(&digest(b"bytes"), b"bytes").unwrap();
    });

    Unsynced::after(&steps).assert_durable(&blob_path(&storage, b"bytes"));
}

#[test]
fn a_promoted_blob_and_its_announcement_are_durable_from_the_root_down() {
    let storage = Storage::new();

    let steps = record(&storage, |folder| {
        push(folder, &repo("a"), b"bytes").unwrap();
    });

    let unsynced = Unsynced::after(&steps);
    unsynced.assert_durable(&blob_path(&storage, b"bytes"));
    let intent = storage.root().join("boxyard/intents/sha256");
    unsynced.assert_durable(&intent.join(digest(b"bytes").hex()));
}

#[test]
fn an_announcement_is_durable_before_the_blob_has_its_name() {
    let storage = Storage::new();

    let mut steps = record(&storage, |folder| {
        push(folder, &repo("a"), b"bytes").unwrap();
    });

    let renamed = steps.iter().position(|(step, _)| *step == Step::Rename);
    steps.truncate(renamed.unwrap());
    let intent = storage.root().join("boxyard/intents/sha256");
    Unsynced::after(&steps).assert_durable(&intent.join(digest(b"bytes").hex()));
}

#[test]
fn links_are_durable_from_the_root_down_with_one_sync_for_each_folder() {
    let storage = Storage::new();
    let (repo, digests) = (&repo("a/b"), [b"1", b"2", b"3"].map(|bytes| digest(bytes)));

    let recorder = Arc::new(Recorder::default());
    let folder = storage.open_with(recorder.clone()).unwrap();
    let opened = recorder.steps().len();
    let mut batch = folder.batch();
    for digest in &digests {
        batch.write_link(Tree::Distribution, &Link::Layer { repo, digest }, digest);
    }
    batch.finish().unwrap();

    let layers = storage.v2().join("repositories/a/b/_layers/sha256");
    let unsynced = Unsynced::after(&recorder.steps());
    for digest in &digests {
        unsynced.assert_durable(&layers.join(digest.hex()).join("link"));
    }
    let made = recorder.steps().split_off(opened);
    let syncs = made
        .into_iter()
        .filter(|(step, _)| *step == Step::SyncFolder);
    let syncs: Vec<PathBuf> = syncs.map(|(_, path)| path).collect();
    let distinct: BTreeSet<&PathBuf> = syncs.iter().collect();
    assert_eq!(syncs.len(), distinct.len());
}

#[test]
fn many_files_are_durable_from_the_root_down_with_two_syncs_of_their_filesystem() {
    let storage = Storage::new();
    let recorder = Arc::new(Recorder::default());
    let folder = storage.open_with(recorder.clone()).unwrap();
    let (repo, digests) = (&repo("a/b"), (0..100_u8).map(|number| digest(&[number])));
    let digests: Vec<_> = digests.collect();
    let opened = recorder.steps().len();

    let mut batch = folder.batch();
    for (number, digest) in (0..100_u8).zip(&digests) {
        batch.write_blob(digest, vec![number].into());
        batch.write_link(Tree::Distribution, &Link::Layer { repo, digest }, digest);
    }
    batch.finish().unwrap();

    let unsynced = Unsynced::after(&recorder.steps());
    let layers = storage.v2().join("repositories/a/b/_layers/sha256");
    for (number, digest) in (0..100_u8).zip(&digests) {
        unsynced.assert_durable(&blob_path(&storage, &[number]));
        unsynced.assert_durable(&layers.join(digest.hex()).join("link"));
    }
    let made = recorder.steps().split_off(opened);
    let count = |kind| made.iter().filter(|(step, _)| *step == kind).count();
    assert_eq!(count(Step::SyncFilesystem), 2);
    assert_eq!(count(Step::SyncFile) + count(Step::SyncFolder), 0);
}

#[test]
fn a_few_files_do_not_wait_for_what_others_have_written() {
    let storage = Storage::new();
    let (repo, digest) = (&repo("a/b"), &digest(b"1"));

    let steps = record(&storage, |folder| {
        let mut batch = folder.batch();
        batch.write_link(Tree::Distribution, &Link::Layer { repo, digest }, digest);
        batch.finish().unwrap();
    });

    let is_whole = |(step, _): &(Step, PathBuf)| *step == Step::SyncFilesystem;
    assert!(!steps.iter().any(is_whole));
}

#[test]
fn removed_links_stay_removed_even_if_an_earlier_process_removed_them() {
    let storage = Storage::new();
    let (repo, tag) = (&repo("a/b"), &tag("latest"));
    let mut batch = storage.open().batch();
    batch.write_link(
        Tree::Distribution,
        &Link::TagCurrent { repo, tag },
        &digest(b"1"),
    );
    batch.finish().unwrap();
    let remove = |folder: &Folder| {
        let mut batch = folder.batch();
        batch.remove_tag(Tree::Distribution, repo, tag);
        batch.finish()
    };

    let first = record(&storage, |folder| remove(folder).unwrap());
    let again = record(&storage, |folder| remove(folder).unwrap());

    let tags = storage.v2().join("repositories/a/b/_manifests/tags");
    Unsynced::after(&first).assert_durable(&tags.join("latest"));
    assert!(again.contains(&(Step::SyncFolder, tags)));
}

/// The folders of a blob that are there already.
fn folders_made(storage: &Storage, blob: &Path) -> Vec<PathBuf> {
    let above = blob.ancestors().skip(1);
    let below_root = above.take_while(|above| *above != storage.root());
    let made = below_root.filter(|above| above.exists());
    made.map(Path::to_owned).collect()
}

#[test]
fn folders_that_a_killed_process_made_are_synced_before_they_are_relied_on() {
    for step in 0.. {
        let storage = Storage::new();
        let crash = Arc::new(CrashAt::new(step));
        let killed = storage.open_with(crash.clone());
        let _ = killed.and_then(|folder| push(&folder, &repo("a"), b"bytes"));
        let made = folders_made(&storage, &blob_path(&storage, b"bytes"));

        let steps = record(&storage, |folder| {
            folder.write_blob(&digest(b"bytes"), b"bytes").unwrap();
        });

        for folder in made {
            let above = folder.parent().unwrap().to_owned();
            let synced = steps.contains(&(Step::SyncFolder, above));
            assert!(synced, "{} after step {step}", folder.display());
        }
        if !crash.has_crashed() {
            break;
        }
    }
}

#[test]
fn a_folder_is_synced_into_the_one_above_it_once_in_a_process() {
    let storage = Storage::new();
    let recorder = Arc::new(Recorder::default());
    let folder = storage.open_with(recorder.clone()).unwrap();
    folder.write_blob(&digest(b"bytes"), b"bytes").unwrap();
    recorder.clear();

    folder.write_blob(&digest(b"bytes"), b"bytes").unwrap();

    // The blob's folder into the one of its prefix, and the blob into its folder.
    assert_eq!(recorder.count(Step::SyncFolder), 2);
    assert_eq!(recorder.count(Step::SyncFile), 1);
}

#[test]
fn a_start_syncs_each_folder_once() {
    let storage = Storage::new();
    drop(storage.open());
    let recorder = Arc::new(Recorder::default());

    let folder = storage.open_with(recorder.clone()).unwrap();

    let steps = recorder.steps();
    let synced: BTreeSet<&Path> = steps.iter().map(|(_, path)| path.as_path()).collect();
    assert!(steps.iter().all(|(step, _)| *step == Step::SyncFolder));
    assert_eq!(synced.len(), steps.len());
    let below = |path: &str| folder.root().join(path);
    let v2 = below("docker/registry/v2");
    for path in [folder.root(), &v2, &folder.own()] {
        assert!(synced.contains(path), "{}", path.display());
    }
}

#[test]
fn appending_syncs_nothing() {
    let storage = Storage::new();

    let steps = record(&storage, |folder| {
        let mut upload = begin(folder, &repo("a")).unwrap();
        upload.append(b"bytes").unwrap();
        upload.mark();
        upload.append(b"more").unwrap();
        upload.rewind().unwrap();
    });

    assert!(!steps.iter().any(|(step, _)| *step == Step::SyncFile));
    let data = |(_, path): &&(Step, PathBuf)| path.ends_with("data");
    let steps: Vec<Step> = steps.iter().filter(data).map(|(step, _)| *step).collect();
    assert_eq!(
        steps,
        [Step::CreateFile, Step::Write, Step::Write, Step::Truncate]
    );
}
