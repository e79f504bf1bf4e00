use std::path::Path;
use std::sync::Arc;

use boxyard_blobs::testing::Recorder;
use boxyard_blobs::{Faults, Step};
use boxyard_oci::Algorithm;
use bytes::Bytes;

use super::*;

fn folder(root: &Path, faults: Arc<dyn Faults>) -> Folder {
    Folder::open(root, faults).unwrap()
}

fn repo() -> RepoName {
    "team/app".parse().unwrap()
}

/// Blobs with links to them, as pushes queue them: one after the other.
fn pushes(count: u32) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for number in 0..count {
        let bytes = Bytes::from(number.to_string());
        let digest = Algorithm::Sha256.digest(&bytes);
        for (owner, state) in [
            (Owner::Blob(digest), WantedState::Blob(Some(bytes))),
            (
                Owner::Layer(repo(), digest),
                WantedState::Layer(Some(digest)),
            ),
        ] {
            let sequence = i64::try_from(wanted.len()).unwrap();
            wanted.push(Wanted {
                owner,
                sequence,
                state,
            });
        }
    }
    wanted
}

#[test]
fn small_pieces_show_the_same_as_one() {
    for pieces in [Pieces::Small, Pieces::One] {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path(), Arc::new(Recorder::default()));

        let mut written = Written::of(&folder, pushes(50), pieces);

        written.done.sort_unstable();
        assert_eq!(written.done, (0..100).collect::<Vec<_>>());
        assert!(written.failure.is_none());
        for one in pushes(50) {
            if let Owner::Blob(digest) = one.owner {
                assert!(folder.blob_size(&digest).unwrap().is_some());
            }
        }
    }
}

#[test]
fn the_disk_is_given_little_at_a_time() {
    let syncs = |pieces| {
        let root = tempfile::tempdir().unwrap();
        let recorder = Arc::new(Recorder::default());
        let folder = folder(root.path(), Arc::<Recorder>::clone(&recorder));
        folder.sync_by(boxyard_blobs::Syncing::Whole);
        recorder.clear();
        Written::of(&folder, pushes(50), pieces);
        recorder.count(Step::SyncFilesystem)
    };

    // Blobs are synced before they get their names, and once more with their names.
    assert_eq!(syncs(Pieces::One), 2);
    // Also where each piece is twice as large as the one before.
    let small = syncs(Pieces::Small);
    assert!(small >= 5, "{small}");
}

#[test]
fn pieces_grow_where_a_sync_is_dear() {
    assert_eq!(size_after(SMALL, DEAR / 2), SMALL);
    assert_eq!(size_after(SMALL, DEAR), 2 * SMALL);
}

/// A disk that takes nothing for the file of one blob.
#[derive(Debug)]
struct Refuses(String);

impl Faults for Refuses {
    fn before(&self, _step: Step, path: &Path) -> io::Result<()> {
        let path = path.to_string_lossy();
        if path.contains("/blobs/") && path.contains(&self.0) {
            return Err(io::Error::other("this one is refused"));
        }
        Ok(())
    }
}

#[test]
fn a_link_waits_for_a_blob_that_an_earlier_piece_could_not_write() {
    for number in [0, 19, 49] {
        let wanted = pushes(50);
        let Owner::Blob(refused) = &wanted[2 * number].owner else {
            panic!("a blob comes first")
        };
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path(), Arc::new(Refuses(refused.hex())));

        let written = Written::of(&folder, wanted, Pieces::Small);

        let left = (0..100).filter(|one| !written.done.contains(one));
        let blob = 2 * i64::try_from(number).unwrap();
        assert_eq!(left.collect::<Vec<_>>(), [blob, blob + 1]);
        assert!(written.failure.is_some());
    }
}
