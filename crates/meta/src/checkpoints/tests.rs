use std::{fs, path::Path, sync::Arc};

use super::copy;
use crate::{
    Meta, NoFaults,
    connection::{self, Purpose},
    testing::{Database, digest, repo},
};

#[tokio::test]
async fn a_log_that_is_copied_begins_anew_and_keeps_its_length() {
    let db = Database::new();
    for number in 0..10 {
        db.blob("a", &number.to_string()).await;
    }
    let bell = db.meta.shared.checkpoints.bell();
    let (pages, length) = (bell.room.pages(), log_length(&db.path()));
    let checkpoint = connection::open(&db.path(), Purpose::Checkpoint).unwrap();

    copy(&checkpoint).unwrap();
    db.blob("a", "content").await;

    assert!(bell.room.pages() < pages);
    assert!(log_length(&db.path()) >= length);
}

#[tokio::test]
async fn the_log_begins_anew_while_changes_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("boxyard.db");
    let meta = Meta::open_copying(&path, Arc::new(NoFaults), 20, 0).unwrap();
    let bell = meta.shared.checkpoints.bell();

    let mut pages = Vec::new();
    while pages.is_sorted() && pages.len() < 10_000 {
        let content = digest(&pages.len().to_string());
        meta.hold_blob(&repo("a"), &content, 1, None, Vec::new())
            .await
            .unwrap();
        pages.push(bell.room.pages());
    }

    assert!(!pages.is_sorted(), "the log only grows");
    assert!(pages.iter().max() >= Some(&20));
}

#[tokio::test]
async fn what_is_read_after_a_crash_ends_before_the_room_that_was_made_ahead() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("boxyard.db");
    let meta = Meta::open(&path, Arc::new(NoFaults)).unwrap();
    let mut blobs = Vec::new();
    while log_length(&path) < 1 << 20 {
        let blob = digest(&blobs.len().to_string());
        meta.hold_blob(&repo("a"), &blob, 1, None, Vec::new())
            .await
            .unwrap();
        blobs.push(blob);
    }
    let crashed = folder.path().join("crashed.db");
    for (from, to) in Meta::files(&path).iter().zip(Meta::files(&crashed)).take(2) {
        fs::copy(from, to).unwrap();
    }

    let recovered = Meta::open(&crashed, Arc::new(NoFaults)).unwrap();

    for blob in &blobs {
        let found = recovered.blob_anywhere(blob).await.unwrap();
        assert!(found.is_some(), "{blob} of {} is lost", blobs.len());
    }
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
