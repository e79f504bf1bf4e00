use std::path::Path;
use std::time::Duration;

use boxyard_oci::Algorithm;

use super::*;
use crate::NoFaults;

const MOST: usize = 100;

fn open(root: &Path) -> Folder {
    Folder::open(root, Arc::new(NoFaults)).unwrap()
}

fn repo() -> RepoName {
    "library/app".parse().unwrap()
}

fn started() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_hours(500_000)
}

fn begin(folder: &Folder) -> Upload {
    let sidecar = Sidecar {
        owner: Some("alice".to_owned()),
        algorithm: None,
    };
    let id = UploadId::random();
    let begun = folder.begin_young(&repo(), &id, &sidecar, started(), MOST);
    begun.unwrap()
}

fn segments(root: &Path) -> usize {
    let entries = std::fs::read_dir(root.join("boxyard/uploads"));
    entries.map_or(0, Iterator::count)
}

#[test]
fn an_upload_in_memory_is_an_upload_without_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let folder = open(dir.path());
    let mut upload = begin(&folder);

    upload.append(b"some ").unwrap();
    upload.mark();
    upload.append(b"garbage").unwrap();
    upload.rewind().unwrap();
    upload.append(b"bytes").unwrap();

    assert!(upload.is_young());
    assert_eq!(upload.size(), 10);
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let digest = algorithm.digest(b"some bytes");
        assert_eq!(upload.digest(algorithm).unwrap(), digest);
    }
    assert_eq!(upload.young_bytes().unwrap(), "some bytes");
    assert_eq!(folder.uploads(&repo()).unwrap(), []);
    upload.end().unwrap();
}

#[test]
fn an_upload_that_outgrows_its_bound_gets_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    let folder = open(dir.path());
    let mut upload = begin(&folder);
    upload.append(&[1; MOST]).unwrap();
    upload.note().unwrap();
    assert!(upload.is_young() && !upload.keeps(1));

    upload.append(&[2]).unwrap();

    assert!(!upload.is_young());
    let (id, size) = (upload.id().clone(), MOST as u64 + 1);
    assert_eq!(folder.upload_size(&repo(), &id).unwrap(), Some(size));
    assert_eq!(
        folder.upload_started(&repo(), &id).unwrap(),
        Some(started())
    );
    let blob = Algorithm::Sha256.digest(&[[1; MOST].as_slice(), &[2]].concat());
    folder.promote(upload, &repo(), &blob).unwrap();
    assert_eq!(folder.blob_size(&blob).unwrap(), Some(size));
    folder.recover_young().unwrap();
    assert_eq!(folder.uploads(&repo()).unwrap(), []);
}

#[test]
fn an_upload_that_settles_is_found_by_the_next_process_and_by_others() {
    let dir = tempfile::tempdir().unwrap();
    let folder = open(dir.path());
    let mut upload = begin(&folder);
    upload.append(b"some ").unwrap();

    upload.settle().unwrap();
    upload.settle().unwrap();
    upload.append(b"bytes").unwrap();

    let id = upload.id().clone();
    drop(upload);
    let again = open(dir.path()).resume_upload(&repo(), &id).unwrap();
    let again = again.unwrap();
    assert_eq!((again.size(), again.owner()), (10, Some("alice")));
}

#[test]
fn what_was_noted_outlives_the_process_and_the_rest_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let folder = open(dir.path());
    let (mut noted, mut ended, unsaid) = (begin(&folder), begin(&folder), begin(&folder));
    noted.append(b"some bytes").unwrap();
    noted.note().unwrap();
    noted.append(b", and more").unwrap();
    ended.note().unwrap();
    ended.end().unwrap();
    let id = noted.id().clone();
    // The process is killed: nothing is dropped in order.
    std::mem::forget((noted, unsaid));

    let folder = open(dir.path());
    folder.recover_young().unwrap();

    assert_eq!(
        folder.uploads(&repo()).unwrap().as_slice(),
        std::slice::from_ref(&id)
    );
    let upload = folder.resume_upload(&repo(), &id).unwrap().unwrap();
    assert_eq!((upload.size(), upload.owner()), (10, Some("alice")));
    assert_eq!(
        folder.upload_started(&repo(), &id).unwrap(),
        Some(started())
    );
    assert_eq!(segments(dir.path()), 0);
}

#[test]
fn a_folder_that_is_ahead_of_the_journal_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let folder = open(dir.path());
    let mut upload = begin(&folder);
    upload.append(b"some").unwrap();
    upload.note().unwrap();
    let kept = std::fs::read(dir.path().join("boxyard/uploads/1")).unwrap();
    upload.settle().unwrap();
    upload.append(b" bytes").unwrap();
    let id = upload.id().clone();
    // Killed before it was written down that it has a folder.
    std::fs::write(dir.path().join("boxyard/uploads/1"), kept).unwrap();

    let folder = open(dir.path());
    folder.recover_young().unwrap();

    assert_eq!(folder.upload_size(&repo(), &id).unwrap(), Some(10));
}

#[test]
fn uploads_in_memory_are_bounded_together() {
    let dir = tempfile::tempdir().unwrap();
    let folder = open(dir.path());
    let begin = || {
        let (id, sidecar) = (UploadId::random(), Sidecar::default());
        folder.begin_young(&repo(), &id, &sidecar, started(), TOGETHER)
    };
    let (mut large, mut other) = (begin().unwrap(), begin().unwrap());

    large.append(&vec![0; TOGETHER - 4 * OVERHEAD]).unwrap();
    other.append(&[0; 2 * OVERHEAD + 1]).unwrap();

    assert!(large.is_young() && !other.is_young());
    let more: Vec<Upload> = std::iter::from_fn(begin).collect();
    assert_eq!(more.len(), 3);
    drop((large, more));
    assert!(begin().is_some());
}

#[test]
fn an_older_writer_in_memory_is_fenced_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let folder = open(dir.path());
    let mut upload = begin(&folder);
    folder.cancel_upload(&repo(), upload.id()).unwrap();

    let error = upload.append(b"bytes").unwrap_err();
    let fault = crate::UploadFault::of(&error);
    assert_eq!(fault, Some(crate::UploadFault::TakenOver));
    upload.settle().unwrap_err();
}
