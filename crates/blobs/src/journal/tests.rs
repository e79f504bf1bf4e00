use super::*;
use crate::NoFaults;

fn disk() -> Disk {
    Disk::new(Arc::new(NoFaults))
}

fn state(id: &UploadId, repo: &RepoName, open: bool, write: impl FnOnce(&SessionState<'_>)) {
    let sidecar = Sidecar {
        owner: Some("alice".to_owned()),
        algorithm: Some(Algorithm::Sha512),
    };
    write(&SessionState {
        id,
        repo,
        sidecar: &sidecar,
        started: SystemTime::UNIX_EPOCH + Duration::from_secs(7),
        open,
    });
}

#[test]
fn the_last_record_of_a_session_counts_and_one_that_has_ended_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::new(dir.path().join("uploads"));
    let (repo, disk) = ("app".parse().unwrap(), disk());
    let (one, other) = (UploadId::random(), UploadId::random());
    let segment = journal.segment(&disk).unwrap();

    for (id, open, bytes) in [
        (&one, true, b"".as_slice()),
        (&other, true, b"other"),
        (&one, true, b"some bytes"),
        (&other, false, b""),
    ] {
        state(id, &repo, open, |state| {
            segment.write(&disk, state, bytes).unwrap();
        });
    }

    let read = journal.read().unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!((&read[0].id, &read[0].repo), (&one, &repo));
    assert_eq!(read[0].bytes.as_deref(), Some(b"some bytes".as_slice()));
    assert_eq!(read[0].sidecar.owner.as_deref(), Some("alice"));
    assert_eq!(read[0].sidecar.algorithm, Some(Algorithm::Sha512));
    journal.clear(&disk).unwrap();
    assert_eq!(journal.read().unwrap(), []);
}

#[test]
fn what_is_cut_short_or_damaged_ends_the_journal_and_nothing_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::new(dir.path().join("uploads"));
    let (repo, disk) = ("app".parse().unwrap(), disk());
    let segment = journal.segment(&disk).unwrap();
    let ids = [UploadId::random(), UploadId::random()];
    for id in &ids {
        state(id, &repo, true, |state| {
            segment.write(&disk, state, b"bytes").unwrap();
        });
    }
    let whole = std::fs::read(&segment.path).unwrap();

    for length in 0..=whole.len() {
        let complete = length * 2 / whole.len();
        assert_eq!(entries(&whole[..length]).len(), complete, "{length}");
    }
    for at in whole.len() / 2..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        assert_eq!(entries(&damaged).len(), 1, "{at}");
    }
}

#[test]
fn a_segment_goes_with_the_last_session_that_leaves_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::new(dir.path().join("uploads"));
    let (repo, disk) = ("app".parse().unwrap(), disk());
    let (id, full) = (UploadId::random(), vec![0; 600_000]);
    let first = journal.segment(&disk).unwrap();
    let path = first.path.clone();
    for _ in 0..2 {
        state(&id, &repo, true, |state| {
            first.write(&disk, state, &full).unwrap();
        });
    }

    let second = journal.segment(&disk).unwrap();
    assert_ne!(second.path, path);
    assert!(path.exists());
    leave(&disk, first).unwrap();
    assert!(!path.exists());

    leave(&disk, Arc::clone(&second)).unwrap();
    assert!(second.path.exists());
    let path = second.path.clone();
    drop(second);
    journal.end(&disk).unwrap();
    assert!(!path.exists());
}
