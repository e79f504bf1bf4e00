//! Changes of one batch that touch each other, and what a removal takes along.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::slice;
use std::sync::Arc;

use boxyard_blobs::testing::{CrashAt, Recorder};
use boxyard_blobs::{Batch, Folder, Link, LinkText, Step, Tree};
use boxyard_oci::{Digest, RepoName};
use support::{Storage, begin, digest, remove, repo, tag};

const TREE: Tree = Tree::Distribution;

fn finish(folder: &Folder, changes: impl FnOnce(&mut Batch)) {
    let mut batch = folder.batch();
    changes(&mut batch);
    batch.finish().unwrap();
}

fn write_tag(batch: &mut Batch, repo: &RepoName, digest: &Digest) {
    let tag = &tag("latest");
    batch.write_link(TREE, &Link::TagCurrent { repo, tag }, digest);
    batch.write_link(TREE, &Link::TagIndex { repo, tag, digest }, digest);
}

fn read_tag(folder: &Folder, repo: &RepoName) -> LinkText {
    let tag = &tag("latest");
    folder
        .read_link(TREE, &Link::TagCurrent { repo, tag })
        .unwrap()
}

#[test]
fn the_last_of_several_changes_to_a_tag_counts() {
    let storage = Storage::new();
    let (folder, name) = (storage.open(), &repo("a"));
    let [one, two] = [digest(b"1"), digest(b"2")];
    finish(&folder, |batch| write_tag(batch, name, &one));

    finish(&folder, |batch| {
        batch.remove_tag(TREE, name, &tag("latest"));
        write_tag(batch, name, &one);
        write_tag(batch, name, &two);
    });
    assert_eq!(read_tag(&folder, name), LinkText::To(two));
    assert_eq!(folder.tag_index(name, &tag("latest")).unwrap().len(), 2);

    finish(&folder, |batch| {
        write_tag(batch, name, &one);
        batch.remove_tag(TREE, name, &tag("latest"));
        batch.remove_repository_if_empty(TREE, name);
        write_tag(batch, name, &two);
    });
    assert_eq!(read_tag(&folder, name), LinkText::To(two));
    assert_eq!(folder.tag_index(name, &tag("latest")).unwrap(), [two]);

    finish(&folder, |batch| {
        write_tag(batch, name, &one);
        batch.remove_tag(TREE, name, &tag("latest"));
    });
    assert_eq!(folder.tags(TREE, name).unwrap(), []);
}

#[test]
fn a_repository_that_holds_anything_stays() {
    let storage = Storage::new();
    let (folder, digest) = (storage.open(), &digest(b"1"));
    let names = ["layered", "linked", "tagged", "uploading"].map(repo);
    let [layered, linked, tagged, uploading] = &names;
    let repo = layered;
    let layer = Link::Layer { repo, digest };
    let repo = linked;
    let revision = Link::Revision { repo, digest };
    let upload = begin(&folder, uploading).unwrap();
    finish(&folder, |batch| {
        batch.write_link(TREE, &layer, digest);
        batch.write_link(TREE, &revision, digest);
        write_tag(batch, tagged, digest);
    });
    let before = storage.files();

    for name in &names {
        finish(&folder, |batch| {
            batch.remove_repository_if_empty(TREE, name);
        });
    }

    assert_eq!(storage.files(), before);
    let size = folder.upload_size(uploading, upload.id());
    assert_eq!(size.unwrap(), Some(0));
}

#[test]
fn a_repository_goes_with_what_deletes_and_crashes_left_in_it() {
    let storage = Storage::new();
    let (folder, hex) = (storage.open(), digest(b"1").hex());
    storage.plant("repositories/a/b/_layers/sha256/link.1234.tmp", b"");
    storage.plant(&format!("repositories/a/b/_layers/sha256/{hex}/link"), b"");
    fs::remove_file(
        storage
            .v2()
            .join(format!("repositories/a/b/_layers/sha256/{hex}/link")),
    )
    .unwrap();
    fs::create_dir_all(storage.v2().join("repositories/a/b/_manifests/tags")).unwrap();
    fs::create_dir_all(storage.v2().join("repositories/a/b/_uploads")).unwrap();

    finish(&folder, |batch| {
        batch.remove_repository_if_empty(TREE, &repo("a/b"));
    });

    assert!(!storage.v2().join("repositories/a").exists());
}

#[test]
fn a_repository_leaves_foreign_folders_and_those_above_them() {
    let storage = Storage::new();
    let folder = storage.open();
    let key = storage.plant("repositories/a/b/_trust/key", b"secret");
    fs::create_dir_all(storage.v2().join("repositories/a/b/_layers")).unwrap();

    finish(&folder, |batch| {
        batch.remove_repository_if_empty(TREE, &repo("a/b"));
    });

    assert_eq!(fs::read(key).unwrap(), b"secret");
    assert!(!storage.v2().join("repositories/a/b/_layers").exists());
}

#[test]
fn removing_takes_a_link_away_and_not_what_it_leads_to() {
    let storage = Storage::new();
    let (folder, outside) = (storage.open(), storage.beside());
    fs::write(outside.path().join("keep"), b"").unwrap();
    let link = storage.plant("repositories/a/_manifests/tags/latest/current/link", b"");
    let index = link.parent().unwrap().with_file_name("index");
    symlink(outside.path(), index).unwrap();

    finish(&folder, |batch| {
        batch.remove_tag(TREE, &repo("a"), &tag("latest"));
    });

    assert!(
        !storage
            .v2()
            .join("repositories/a/_manifests/tags/latest")
            .exists()
    );
    assert!(outside.path().join("keep").exists());
}

#[test]
fn a_media_type_is_there_before_the_link_that_needs_it_and_goes_with_it() {
    let storage = Storage::new();
    let recorder = Arc::new(Recorder::default());
    let folder = storage.open_with(recorder.clone()).unwrap();
    let (repo, digest) = (&repo("a"), &digest(b"1"));

    finish(&folder, |batch| {
        batch.write_link(Tree::Own, &Link::Revision { repo, digest }, digest);
        batch.write_media_type(repo, digest, "application/x+json");
    });

    let renamed = |(step, path): &(Step, std::path::PathBuf)| {
        (*step == Step::Rename).then(|| path.file_name().unwrap().to_owned())
    };
    let renamed: Vec<_> = recorder.steps().iter().filter_map(renamed).collect();
    assert_eq!(renamed, ["mediatype", "link"]);
    finish(&folder, |batch| {
        batch.remove_revision(Tree::Own, repo, digest);
    });
    assert_eq!(folder.read_media_type(repo, digest).unwrap(), None);
    assert_eq!(folder.revisions(Tree::Own, repo).unwrap(), []);
}

#[test]
fn an_empty_batch_changes_nothing() {
    let storage = Storage::new();
    let recorder = Arc::new(Recorder::default());
    let folder = storage.open_with(recorder.clone()).unwrap();
    recorder.clear();

    finish(&folder, |_| ());

    assert_eq!(recorder.steps(), []);
}

#[test]
fn a_removed_blob_takes_along_what_its_writer_left_unfinished() {
    let blob = digest(b"bytes");
    for step in 0.. {
        let storage = Storage::new();
        let crash = Arc::new(CrashAt::new(step));
        let written = storage.open_with(crash.clone());
        let _ = written.and_then(|folder| folder.write_blob(&blob, b"bytes"));
        let folder = storage.open();

        remove(&folder, &[blob]).unwrap();

        assert_eq!(storage.files(), []);
        assert_eq!(folder.blobs(None, 9).unwrap().0, []);
        if !crash.has_crashed() {
            break;
        }
    }
}

#[test]
fn a_file_that_does_not_belong_to_a_blob_outlives_it() {
    let storage = Storage::new();
    let (folder, hex) = (storage.open(), digest(b"1").hex());
    folder.write_blob(&digest(b"1"), b"1").unwrap();
    let notes = storage.plant(&format!("blobs/sha256/{}/{hex}/notes", &hex[..2]), b"");

    remove(&folder, &[digest(b"1")]).unwrap();

    assert!(notes.exists());
    assert_eq!(folder.blob_size(&digest(b"1")).unwrap(), None);
}

#[test]
fn blobs_come_in_pages_in_the_order_of_their_digests() {
    let storage = Storage::new();
    let folder = storage.open();
    let mut all: Vec<Digest> = (0..40_u8).map(|number| digest(&[number])).collect();
    let sha512 = boxyard_oci::Algorithm::Sha512;
    all.extend((0..9_u8).map(|number| sha512.digest(&[number])));
    all.extend((0..20).map(|number| format!("sha256:{number:064x}").parse::<Digest>().unwrap()));
    all.sort();
    for digest in &all {
        folder.write_blob(digest, b"").unwrap();
    }

    let mut paged: Vec<Digest> = Vec::new();
    loop {
        let (page, _) = folder.blobs(paged.last(), 7).unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }

    assert_eq!(paged, all);
    assert_eq!(folder.blobs(None, 1).unwrap().0, slice::from_ref(&all[0]));
}

#[test]
fn a_blob_in_the_folder_of_another_prefix_is_an_oddity() {
    let storage = Storage::new();
    let (folder, one) = (storage.open(), digest(b"1"));
    assert_ne!(&one.hex()[..2], "00");
    let lost = storage.plant(&format!("blobs/sha256/00/{}/data", one.hex()), b"1");

    let (found, odd) = folder.blobs(None, 9).unwrap();

    assert_eq!(found, []);
    assert_eq!(odd.found[0].path, lost.parent().unwrap());
}
