use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::*;
use crate::NoFaults;

struct Storage {
    _dir: tempfile::TempDir,
    folder: Folder,
    repo: RepoName,
}

fn storage() -> Storage {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path(), Arc::new(NoFaults)).unwrap();
    Storage {
        _dir: dir,
        folder,
        repo: "library/app".parse().unwrap(),
    }
}

impl Storage {
    fn begin(&self, algorithm: Option<Algorithm>) -> Upload {
        let (id, owner) = (UploadId::random(), None);
        let started = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
        let sidecar = Sidecar { owner, algorithm };
        self.folder
            .begin_upload(&self.repo, &id, &sidecar, started)
            .unwrap()
    }

    fn resume(&self, id: &UploadId) -> Upload {
        self.folder.resume_upload(&self.repo, id).unwrap().unwrap()
    }
}

fn sha256(bytes: &[u8]) -> Digest {
    Algorithm::Sha256.digest(bytes)
}

#[test]
fn an_upload_knows_its_size_and_digest_by_either_algorithm() {
    let storage = storage();
    for own in [None, Some(Algorithm::Sha256), Some(Algorithm::Sha512)] {
        let mut upload = storage.begin(own);
        upload.append(b"some ").unwrap();
        upload.append(b"").unwrap();
        upload.append(b"bytes").unwrap();

        assert_eq!(upload.size(), 10);
        assert_eq!(upload.algorithm(), own.unwrap_or(Algorithm::Sha256));
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let digest = upload.digest(algorithm).unwrap();
            assert_eq!(digest, algorithm.digest(b"some bytes"));
        }
        upload.append(b"!").unwrap();
        for algorithm in [Algorithm::Sha512, Algorithm::Sha256] {
            let digest = upload.digest(algorithm).unwrap();
            assert_eq!(digest, algorithm.digest(b"some bytes!"));
        }
    }
}

#[test]
fn an_upload_goes_back_to_its_mark_and_to_any_place_before_its_end() {
    let storage = storage();
    let mut upload = storage.begin(None);
    upload.append(b"some ").unwrap();
    upload.mark();
    upload.append(b"garbage").unwrap();

    upload.rewind().unwrap();
    upload.append(b"bytes").unwrap();
    assert_eq!(
        upload.digest(Algorithm::Sha256).unwrap(),
        sha256(b"some bytes")
    );

    upload.truncate(7).unwrap();
    assert_eq!(
        upload.digest(Algorithm::Sha256).unwrap(),
        sha256(b"some by")
    );
    assert_eq!(
        upload.digest(Algorithm::Sha512).unwrap(),
        Algorithm::Sha512.digest(b"some by")
    );

    upload.truncate(2).unwrap();
    upload.rewind().unwrap();
    assert_eq!(upload.digest(Algorithm::Sha256).unwrap(), sha256(b"so"));
    assert_eq!(fs::read(upload.path()).unwrap(), b"so");
    upload.truncate(3).unwrap_err();
}

#[test]
fn a_large_upload_comes_in_odd_pieces_and_goes_back_to_an_odd_place() {
    let storage = storage();
    let numbers = (0..).map(|number: u32| number.wrapping_mul(2_654_435_761));
    let bytes: Vec<u8> = numbers.flat_map(u32::to_le_bytes).take(9_000_011).collect();
    let mut upload = storage.begin(None);

    for batch in bytes.chunks(1_000_003) {
        let pieces: Vec<&[u8]> = batch.chunks(65_521).collect();
        upload.append_all(&pieces).unwrap();
    }
    upload.truncate(6_000_001).unwrap();
    upload.append(&bytes[6_000_001..]).unwrap();

    assert_eq!(upload.size(), 9_000_011);
    let (own, other) = (Algorithm::Sha256, Algorithm::Sha512);
    assert_eq!(upload.digest(own).unwrap(), own.digest(&bytes));
    assert_eq!(upload.digest(other).unwrap(), other.digest(&bytes));
    assert!(fs::read(upload.path()).unwrap() == bytes);
}

#[test]
fn an_upload_goes_on_after_a_restart_with_its_owner_and_algorithm() {
    let storage = storage();
    let owner = Some("alice".to_owned());
    let algorithm = Some(Algorithm::Sha512);
    let (id, sidecar) = (UploadId::random(), Sidecar { owner, algorithm });
    let begun = storage
        .folder
        .begin_upload(&storage.repo, &id, &sidecar, SystemTime::now());
    begun.unwrap().append(b"some ").unwrap();

    let mut upload = storage.resume(&id);
    upload.append(b"bytes").unwrap();

    assert_eq!(
        (upload.owner(), upload.id(), upload.repo()),
        (Some("alice"), &id, &storage.repo)
    );
    let blob = Algorithm::Sha512.digest(b"some bytes");
    assert_eq!(upload.digest(Algorithm::Sha512).unwrap(), blob);
    storage
        .folder
        .promote(upload, &storage.repo, &blob)
        .unwrap();
    assert_eq!(storage.folder.blob_size(&blob).unwrap(), Some(10));
}

#[test]
fn an_older_writer_is_fenced_as_soon_as_a_newer_one_has_opened_the_upload() {
    let storage = storage();
    let mut older = storage.begin(None);
    older.append(b"some ").unwrap();
    let mut newer = storage.resume(&older.id().clone());

    let error = older.append(b"garbage").unwrap_err();
    assert_eq!(UploadFault::of(&error), Some(UploadFault::TakenOver));
    let error = older.truncate(0).unwrap_err();
    assert_eq!(UploadFault::of(&error), Some(UploadFault::TakenOver));
    newer.append(b"bytes").unwrap();
    let blob = sha256(b"some bytes");
    storage.folder.promote(newer, &storage.repo, &blob).unwrap();

    older.append(b"garbage").unwrap_err();
    storage
        .folder
        .promote(older, &storage.repo, &sha256(b"some "))
        .unwrap_err();
    assert_eq!(storage.folder.hash_blob(&blob).unwrap(), Some(blob));
    assert!(storage.folder.inner.fences.is_empty());
}

#[test]
fn a_cancelled_upload_takes_no_more_bytes() {
    let storage = storage();
    let mut upload = storage.begin(None);

    assert!(
        storage
            .folder
            .cancel_upload(&storage.repo, &upload.id().clone())
            .unwrap()
    );

    let error = upload.append(b"bytes").unwrap_err();
    assert_eq!(UploadFault::of(&error), Some(UploadFault::TakenOver));
    assert_eq!(storage.folder.uploads(&storage.repo).unwrap(), []);
}

#[test]
fn an_upload_becomes_no_other_blob_than_its_own() {
    let storage = storage();
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let mut upload = storage.begin(None);
        upload.append(b"bytes").unwrap();
        let (expected, actual) = (algorithm.digest(b"others"), algorithm.digest(b"bytes"));

        let error = storage
            .folder
            .promote(upload, &storage.repo, &expected)
            .unwrap_err();

        let fault = UploadFault::Mismatch { expected, actual };
        assert_eq!(UploadFault::of(&error), Some(fault));
        assert_eq!(storage.folder.blob_size(&expected).unwrap(), None);
    }
    let upload = storage.begin(None);
    let elsewhere = "elsewhere".parse().unwrap();
    storage
        .folder
        .promote(upload, &elsewhere, &sha256(b""))
        .unwrap_err();
}

#[test]
fn an_empty_upload_becomes_the_empty_blob() {
    let storage = storage();
    let upload = storage.begin(None);

    storage
        .folder
        .promote(upload, &storage.repo, &sha256(b""))
        .unwrap();

    assert_eq!(
        storage.folder.read_blob(&sha256(b""), 0).unwrap().unwrap(),
        b""
    );
}

#[test]
fn a_promoted_blob_replaces_a_damaged_one_under_its_readers() {
    let storage = storage();
    let blob = sha256(b"some bytes");
    storage.folder.write_blob(&blob, b"some by").unwrap();
    let reader = storage.folder.open_blob(&blob).unwrap().unwrap();
    let mut upload = storage.begin(None);
    upload.append(b"some bytes").unwrap();

    storage
        .folder
        .promote(upload, &storage.repo, &blob)
        .unwrap();

    assert_eq!(storage.folder.blob_size(&blob).unwrap(), Some(10));
    assert_eq!(reader.metadata().unwrap().len(), 7);
    let error = storage.folder.read_blob(&blob, 9).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
}

#[test]
fn beginning_an_upload_twice_leaves_the_first_one_as_it_is() {
    let storage = storage();
    let mut upload = storage.begin(None);
    upload.append(b"bytes").unwrap();
    let (id, sidecar) = (upload.id().clone(), Sidecar::default());

    let again = storage
        .folder
        .begin_upload(&storage.repo, &id, &sidecar, SystemTime::now());

    assert_eq!(again.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    upload.append(b"more").unwrap();
    assert_eq!(
        storage.folder.upload_size(&storage.repo, &id).unwrap(),
        Some(9)
    );
}

#[test]
fn an_upload_that_lost_its_end_on_disk_becomes_no_blob() {
    let storage = storage();
    let mut upload = storage.begin(None);
    upload.append(b"some bytes").unwrap();
    fs::write(upload.path(), b"some").unwrap();

    let error = upload.digest(Algorithm::Sha512).unwrap_err();

    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    let promoted = storage
        .folder
        .promote(upload, &storage.repo, &sha256(b"some bytes"));
    assert_eq!(promoted.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn pushes_of_the_same_blob_at_once_all_succeed() {
    let storage = storage();
    let blob = sha256(b"some bytes");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let storage = &storage;
            scope.spawn(move || {
                if number % 2 == 0 {
                    storage.folder.write_blob(&blob, b"some bytes").unwrap();
                } else {
                    let mut upload = storage.begin(None);
                    upload.append(b"some bytes").unwrap();
                    storage
                        .folder
                        .promote(upload, &storage.repo, &blob)
                        .unwrap();
                }
            });
        }
    });

    assert_eq!(storage.folder.hash_blob(&blob).unwrap(), Some(blob));
    assert!(storage.folder.inner.fences.is_empty());
}
