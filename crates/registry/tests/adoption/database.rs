//! A database that is lost, damaged, or older than the folder.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use boxyard_registry::{Options, PullError, Registry};
use boxyard_testkit::{Image, Index};

use crate::crash::Crash;
use crate::site::Site;
use crate::tree::Tree;

fn image(seed: u64) -> Image {
    Image::with_layers(seed, &[100])
}

fn database(tree: &Tree) -> PathBuf {
    tree.root().join("boxyard.db")
}

/// The files of a database.
type Copied = Vec<(PathBuf, Vec<u8>)>;

/// Copies the database as an administrator does, with its log.
fn back_up(tree: &Tree) -> Copied {
    let files = ["", "-wal"].map(|suffix| tree.root().join(format!("boxyard.db{suffix}")));
    let present = files.into_iter().filter(|path| path.exists());
    present
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

fn restore(tree: &Tree, backup: Copied) {
    tree.lose_database();
    for (path, bytes) in backup {
        fs::write(path, bytes).unwrap();
    }
}

async fn filled() -> Tree {
    let tree = Tree::new();
    let site = Site::open(&tree).await;
    for number in 0..20 {
        let repo = format!("app-{}", number % 3);
        let tag = format!("v{number}");
        site.push_image(&repo, &tag, &image(number)).await;
    }
    site.push_index(
        "team/app",
        "index",
        &Index::with_platforms(50, &["amd64", "arm64"]),
    )
    .await;
    site.stop().await;
    tree
}

#[tokio::test]
async fn a_lost_database_is_rebuilt_from_the_folder() {
    let tree = filled().await;
    let site = Site::open(&tree).await;
    let before = site.served().await;
    site.stop().await;

    tree.lose_database();

    let site = Site::open(&tree).await;
    assert_eq!(site.served().await, before);
    site.index().await;
    assert_eq!(site.served().await, before);
    site.push_image("app-0", "more", &image(99)).await;
    site.stop().await;
    let site = Site::open(&tree).await;
    site.index().await;
    assert_eq!(site.served().await.len(), before.len() + 7);
}

#[tokio::test]
async fn a_damaged_database_is_moved_aside_and_rebuilt() {
    let tree = filled().await;
    let site = Site::open(&tree).await;
    let before = site.served().await;
    site.stop().await;
    let whole = fs::read(database(&tree)).unwrap();
    let mut torn = whole.clone();
    torn[..100].fill(0);
    let garbage = b"this is no database at all, whoever wrote it".repeat(100);

    for (number, damaged) in [torn, garbage, whole[..whole.len() / 3].to_vec()]
        .iter()
        .enumerate()
    {
        tree.lose_database();
        fs::write(database(&tree), damaged).unwrap();
        let site = Site::open(&tree).await;
        assert_eq!(site.served().await, before, "damage {number}");
        site.index().await;
        assert_eq!(site.served().await, before, "damage {number}");
        site.stop().await;
        let aside = tree
            .root()
            .join(format!("boxyard.db.corrupt-{}", number + 1));
        assert_eq!(fs::read(aside).unwrap(), *damaged);
    }
}

#[tokio::test]
async fn damage_deep_in_the_database_is_met_once_and_rebuilt_at_the_next_start() {
    let tree = filled().await;
    let site = Site::open(&tree).await;
    let before = site.served().await;
    site.stop().await;
    let mut bytes = fs::read(database(&tree)).unwrap();
    for page in bytes.chunks_mut(4096).skip(1) {
        if page.windows(13).any(|text| text == b"schemaVersion") {
            page.fill(0xAA);
        }
    }
    fs::write(database(&tree), bytes).unwrap();

    let site = Site::open(&tree).await;
    let met = site.manifest("app-1", "v1").await;
    assert!(matches!(met, Err(PullError::Internal(_))), "{met:?}");
    site.stop().await;

    let site = Site::open(&tree).await;
    assert_eq!(site.served().await, before);
    site.index().await;
    assert_eq!(site.served().await, before);
    site.stop().await;
    let site = Site::open(&tree).await;
    assert_eq!(site.served().await, before);
}

#[tokio::test]
async fn an_older_database_follows_the_newer_folder() {
    let tree = filled().await;
    let site = Site::open(&tree).await;
    site.push_image("app-0", "backed-up", &image(60)).await;
    site.stop().await;
    let backup = back_up(&tree);
    let site = Site::open(&tree).await;
    site.push_image("app-0", "later", &image(61)).await;
    site.push_image("app-1", "v1", &image(62)).await;
    site.delete_tag("app-0", "backed-up").await.unwrap();
    site.delete_manifest("app-2", &image(2).manifest.digest)
        .await
        .unwrap();
    site.stop().await;
    let site = Site::open(&tree).await;
    let latest = site.served().await;
    site.stop().await;

    restore(&tree, backup);

    let site = Site::open(&tree).await;
    assert_eq!(site.served().await, latest);
    site.index().await;
    assert_eq!(site.served().await, latest);
    site.stop().await;
    let site = Site::open(&tree).await;
    assert_eq!(site.served().await, latest);
}

/// A database that was copied while it ran, with changes in its queue that were overtaken later.
async fn overtaken(later_runs: usize) -> (Tree, Copied) {
    let tree = filled().await;
    let site = Site::open(&tree).await;
    site.push_image("app-0", "deleted-later", &image(60)).await;
    site.push_image("app-0", "moved-later", &image(61)).await;
    site.delete_tag("app-1", "v1").await.unwrap();
    let backup = back_up(&tree);
    site.settle().await;
    let deleted = site.delete_tag("app-0", "deleted-later").await;
    deleted.unwrap();
    site.push_image("app-0", "moved-later", &image(62)).await;
    site.push_image("app-1", "v1", &image(63)).await;
    site.stop().await;
    for _ in 0..later_runs {
        Site::open(&tree).await.stop().await;
    }
    (tree, backup)
}

#[tokio::test]
async fn what_an_older_database_had_queued_does_not_undo_the_newer_folder() {
    for later_runs in [0, 1, 2] {
        let (tree, backup) = overtaken(later_runs).await;

        restore(&tree, backup);

        let site = Site::open(&tree).await;
        for _ in 0..2 {
            let deleted = site.resolve("app-0", "deleted-later").await;
            assert_eq!(deleted, None, "{later_runs}");
            let moved = site.resolve("app-0", "moved-later").await;
            assert_eq!(moved, Some(image(62).manifest.digest), "{later_runs}");
            let again = site.resolve("app-1", "v1").await;
            assert_eq!(again, Some(image(63).manifest.digest), "{later_runs}");
            site.settle().await;
            site.index().await;
        }
        site.stop().await;
    }
}

#[tokio::test]
async fn a_start_that_dies_half_way_loses_nothing_that_was_queued() {
    let tree = filled().await;
    let site = Site::open(&tree).await;
    site.push_image("app-0", "queued", &image(60)).await;
    site.delete_tag("app-1", "v1").await.unwrap();
    drop(site);

    for steps in 0.. {
        let crash = Crash::after(steps);
        let mut options = Options::at(tree.root());
        options.faults = Arc::<Crash>::clone(&crash);
        options.commit_faults = Arc::<Crash>::clone(&crash);
        if Registry::open(options).await.is_ok() {
            assert!(steps > 3, "a start has {steps} steps");
            break;
        }
    }

    let site = Site::open(&tree).await;
    for _ in 0..2 {
        let queued = site.resolve("app-0", "queued").await;
        assert_eq!(queued, Some(image(60).manifest.digest));
        assert_eq!(site.resolve("app-1", "v1").await, None);
        site.settle().await;
        site.index().await;
    }
}

#[tokio::test]
async fn an_older_folder_wins_over_a_newer_database() {
    let tree = filled().await;
    let site = Site::open(&tree).await;
    let before = site.served().await;
    site.stop().await;
    let copy = tree.copy();
    let site = Site::open(&tree).await;
    site.push_image("app-0", "later", &image(60)).await;
    site.push_image("app-1", "v1", &image(61)).await;
    site.delete_tag("app-2", "v2").await.unwrap();
    site.stop().await;

    fs::copy(database(&tree), database(&copy)).unwrap();

    let site = Site::open(&copy).await;
    assert_eq!(site.served().await, before);
    site.index().await;
    assert_eq!(site.served().await, before);
}
