use std::{fs, path::Path, sync::Arc};

use super::{LogBounds, copy};
use crate::{
    Meta, NoFaults,
    connection::{self, Purpose},
    testing::{Database, digest, repo},
};

#[tokio::test]
async fn a_log_below_its_bound_is_copied_and_one_above_is_emptied() {
    let db = Database::new();
    db.blob("a", "content").await;
    let checkpoint = connection::open(&db.path(), Purpose::Checkpoint).unwrap();

    copy(
        &checkpoint,
        LogBounds {
            copy: 1,
            empty: 10_000,
        },
    )
    .unwrap();
    let copied = log_length(&db.path());
    copy(&checkpoint, LogBounds { copy: 1, empty: 1 }).unwrap();

    assert!(copied > 0);
    assert_eq!(log_length(&db.path()), 0);
}

#[tokio::test]
async fn the_log_is_emptied_while_changes_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("boxyard.db");
    let bounds = LogBounds {
        copy: 10,
        empty: 20,
    };
    let meta = Meta::open_bounded(&path, Arc::new(NoFaults), bounds, 0).unwrap();

    let mut lengths = Vec::new();
    while lengths.is_sorted() && lengths.len() < 10_000 {
        let content = lengths.len().to_string();
        meta.hold_blob(&repo("a"), &digest(&content), 1, None, Vec::new())
            .await
            .unwrap();
        lengths.push(log_length(&path));
    }

    assert!(!lengths.is_sorted(), "the log only grows");
    assert!(lengths.iter().max() > Some(&(20 * 4096)));
}

#[tokio::test]
async fn an_orderly_stop_leaves_a_single_file() {
    let db = Database::new();
    db.blob("a", "content").await;
    let path = db.path();

    db.meta.close();

    let left: Vec<_> = Meta::files(&path)
        .iter()
        .map(|file| file.exists())
        .collect();
    assert_eq!(left, [true, false, false]);
}

fn log_length(path: &Path) -> u64 {
    let [_, log, _] = Meta::files(path);
    fs::metadata(log).map_or(0, |file| file.len())
}
