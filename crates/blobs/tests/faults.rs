//! Full disks, failed syncs, and what goes on after them in the same process.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod support;

use std::io;
use std::sync::Arc;

use boxyard_blobs::testing::{FailOnce, NoSpaceAt};
use boxyard_blobs::{Folder, Link, Step, Syncing, Tree, UploadFault};
use support::{Storage, begin, content, digest, push, remove, repo, tag};

fn link_tag_at_once(folder: &Folder) -> io::Result<()> {
    folder.sync_by(Syncing::Whole);
    link_tag(folder)
}

fn link_tag(folder: &Folder) -> io::Result<()> {
    let (repo, tag, digest) = (&repo("a/b"), &tag("latest"), &digest(b"bytes"));
    let mut batch = folder.batch();
    batch.write_blob(digest, b"bytes".as_slice().into());
    batch.write_link(Tree::Distribution, &Link::Revision { repo, digest }, digest);
    batch.write_link(Tree::Distribution, &Link::TagCurrent { repo, tag }, digest);
    batch.finish()
}

/// Runs an operation with room for so many steps, and again in the same process when there is room.
fn fill_up_everywhere(operate: impl Fn(&Folder) -> io::Result<()>) {
    for step in 0..100 {
        let storage = Storage::new();
        drop(storage.open());
        let full = Arc::new(NoSpaceAt::new(step));
        let folder = storage.open_with(full.clone()).unwrap();
        let done = operate(&folder);
        if done.is_ok() {
            return;
        }
        assert_eq!(done.unwrap_err().kind(), io::ErrorKind::StorageFull);
        storage.assert_nothing_unfinished();

        full.make_room();

        operate(&folder).unwrap();
        assert_eq!(content(&folder, &digest(b"bytes")).unwrap(), b"bytes");
        storage.assert_nothing_unfinished();
    }
    panic!("the operation has an end");
}

#[test]
fn a_full_disk_is_told_apart_and_writing_goes_on_when_there_is_room() {
    fill_up_everywhere(|folder| folder.write_blob(&digest(b"bytes"), b"bytes"));
    fill_up_everywhere(|folder| push(folder, &repo("a"), b"bytes"));
    fill_up_everywhere(link_tag);
    fill_up_everywhere(link_tag_at_once);
}

#[test]
fn what_finds_no_room_leaves_no_empty_folder_behind() {
    for operate in [link_tag, link_tag_at_once] {
        let mut failures = 0;
        for step in 0..100 {
            let storage = Storage::new();
            drop(storage.open());
            let before = storage.empty_folders();
            let full = Arc::new(NoSpaceAt::new(step));
            let folder = storage.open_with(full).unwrap();
            if operate(&folder).is_ok() {
                break;
            }
            failures += 1;
            let left = storage.empty_folders();
            let left: Vec<_> = left.difference(&before).collect();
            assert!(left.is_empty(), "after {step} steps: {left:?}");
        }
        assert!(failures > 10, "only {failures} steps failed");
    }
}

#[test]
fn a_full_disk_lets_things_be_removed() {
    let storage = Storage::new();
    let folder = storage.open();
    push(&folder, &repo("a/b"), b"bytes").unwrap();
    link_tag(&folder).unwrap();

    let full = storage.open_with(Arc::new(NoSpaceAt::new(0))).unwrap();
    let mut batch = full.batch();
    batch.remove_tag(Tree::Distribution, &repo("a/b"), &tag("latest"));
    batch.remove_revision(Tree::Distribution, &repo("a/b"), &digest(b"bytes"));
    batch.remove_repository_if_empty(Tree::Distribution, &repo("a/b"));
    batch.finish().unwrap();

    remove(&full, &[digest(b"bytes")]).unwrap();
    assert_eq!(
        full.repository_folders(Tree::Distribution, None, 9)
            .unwrap(),
        []
    );
}

#[test]
fn a_blob_that_cannot_be_removed_keeps_no_other_one() {
    let storage = Storage::new();
    let blobs = [digest(b"1"), digest(b"2"), digest(b"3")];
    let folder = storage
        .open_with(Arc::new(FailOnce::new(Step::Unlink, 0)))
        .unwrap();
    for (blob, bytes) in blobs.iter().zip([b"1", b"2", b"3"]) {
        folder.write_blob(blob, bytes).unwrap();
    }

    let failed = folder.remove_blobs(&blobs).unwrap();

    let left: Vec<_> = failed.into_iter().map(|(blob, _)| blob).collect();
    assert_eq!(left.len(), 1, "{left:?}");
    for blob in blobs {
        let is_there = folder.blob_size(&blob).unwrap().is_some();
        assert_eq!(is_there, left.contains(&blob));
    }
    remove(&folder, &left).unwrap();
    assert_eq!(folder.blobs(None, 10).unwrap().0, []);
}

#[test]
fn removals_whose_sync_fails_are_not_called_done_and_can_be_repeated() {
    for (syncing, step) in [
        (Syncing::Each, Step::SyncFolder),
        (Syncing::Whole, Step::SyncFilesystem),
    ] {
        let failures = (0..20).filter(|after| removal_fails(syncing, step, *after));
        assert!(failures.count() > 0, "{step:?} never failed");
    }
}

/// Whether a removal fails with one of its syncs; it is repeated then.
fn removal_fails(syncing: Syncing, step: Step, after: usize) -> bool {
    let storage = Storage::new();
    storage.open().write_blob(&digest(b"1"), b"1").unwrap();
    let Ok(folder) = storage.open_with(Arc::new(FailOnce::new(step, after))) else {
        return false;
    };
    folder.sync_by(syncing);

    if remove(&folder, &[digest(b"1")]).is_ok() {
        return false;
    }

    remove(&folder, &[digest(b"1")]).unwrap();
    assert_eq!(folder.blobs(None, 10).unwrap().0, []);
    true
}

#[test]
fn an_upload_goes_on_after_a_full_disk_where_it_was() {
    let storage = Storage::new();
    let full = Arc::new(NoSpaceAt::new(usize::MAX));
    let folder = storage.open_with(full.clone()).unwrap();
    let mut upload = begin(&folder, &repo("a")).unwrap();
    upload.append(b"some ").unwrap();

    full.fill();
    let error = upload.append(b"bytes").unwrap_err();
    full.make_room();
    upload.append(b"bytes").unwrap();

    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(upload.size(), 10);
    let blob = digest(b"some bytes");
    folder.promote(upload, &repo("a"), &blob).unwrap();
    assert_eq!(content(&folder, &blob).unwrap(), b"some bytes");
}

#[test]
fn any_failed_sync_fails_the_operation_and_a_repetition_makes_everything_anew() {
    let operations: [fn(&Folder) -> io::Result<()>; 3] = [
        |folder| folder.write_blob(&digest(b"bytes"), b"bytes"),
        |folder| push(folder, &repo("a"), b"bytes"),
        link_tag,
    ];
    for operate in operations {
        for kind in [Step::SyncFile, Step::SyncFolder] {
            let mut failures = 0;
            for step in 0..100 {
                let storage = Storage::new();
                let failing = Arc::new(FailOnce::new(kind, step));
                let Ok(folder) = storage.open_with(failing) else {
                    continue;
                };
                if operate(&folder).is_ok() {
                    break;
                }
                failures += 1;
                operate(&folder).unwrap();
                assert_eq!(content(&folder, &digest(b"bytes")).unwrap(), b"bytes");
                storage.assert_nothing_unfinished();
            }
            assert!(failures > 0, "{kind:?} never failed");
        }
    }
}

#[test]
fn a_filesystem_that_cannot_be_synced_leaves_nothing_that_was_only_in_memory() {
    let mut failures = 0;
    for step in 0..100 {
        let storage = Storage::new();
        let failing = Arc::new(FailOnce::new(Step::SyncFilesystem, step));
        let folder = storage.open_with(failing).unwrap();
        if link_tag_at_once(&folder).is_ok() {
            break;
        }
        failures += 1;
        // Of the second step only the blob stays, which the first one has made durable under another name.
        let left = storage.files();
        let left: Vec<&str> = left.iter().map(|(name, _)| name.as_str()).collect();
        assert!(
            left.iter().all(|name| step > 0 && name.ends_with("/data")),
            "{left:?}"
        );

        link_tag_at_once(&folder).unwrap();

        assert_eq!(content(&folder, &digest(b"bytes")).unwrap(), b"bytes");
        storage.assert_nothing_unfinished();
    }
    assert_eq!(failures, 2);
}

#[test]
fn a_folder_whose_entry_cannot_be_synced_is_taken_back() {
    let storage = Storage::new();
    drop(storage.open());
    let opening = 100;
    for step in 0..opening {
        let failing = Arc::new(FailOnce::new(Step::SyncFolder, step));
        let Ok(folder) = storage.open_with(failing) else {
            continue;
        };

        folder.write_blob(&digest(b"bytes"), b"bytes").unwrap_err();

        let blobs = storage.v2().join("blobs");
        assert_eq!(blobs.read_dir().unwrap().count(), 0);
        return;
    }
    panic!("opening has an end");
}

#[test]
fn an_upload_whose_sync_failed_is_no_blob() {
    let storage = Storage::new();
    let failing = Arc::new(FailOnce::new(Step::SyncFile, 0));
    let folder = storage.open_with(failing).unwrap();

    push(&folder, &repo("a"), b"bytes").unwrap_err();

    assert_eq!(folder.blob_size(&digest(b"bytes")).unwrap(), None);
    assert_eq!(folder.intents().unwrap(), []);
}

#[test]
fn an_upload_that_could_not_be_cut_refuses_everything() {
    let storage = Storage::new();
    let failing = Arc::new(FailOnce::new(Step::Truncate, 0));
    let folder = storage.open_with(failing).unwrap();
    let mut upload = begin(&folder, &repo("a")).unwrap();
    upload.append(b"bytes").unwrap();

    upload.rewind().unwrap_err();

    let poisoned = Some(UploadFault::Poisoned);
    assert_eq!(
        UploadFault::of(&upload.append(b"bytes").unwrap_err()),
        poisoned
    );
    assert_eq!(UploadFault::of(&upload.rewind().unwrap_err()), poisoned);
    let error = folder
        .promote(upload, &repo("a"), &digest(b"bytes"))
        .unwrap_err();
    assert_eq!(UploadFault::of(&error), poisoned);
}
