use super::Snapshot;
use crate::testing::{Database, repo};
use crate::{OpenError, Owner};

#[tokio::test]
async fn a_copy_holds_what_was_there_and_names_its_files() {
    let db = Database::new();
    let digest = db.blob("a", "one").await;
    let copy = db.path().with_file_name("copy.db");

    Snapshot::take(&db.path(), &copy).unwrap();
    let later = db.blob("a", "later").await;
    let snapshot = Snapshot::open(&copy).unwrap();

    let files = snapshot.files(0, 10).unwrap();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].digest, digest);
    assert_eq!(snapshot.bytes().unwrap(), 3);
    assert!(snapshot.has(&digest).unwrap());
    assert!(!snapshot.has(&later).unwrap());
}

#[tokio::test]
async fn a_copy_of_a_newer_schema_is_refused() {
    let db = Database::new();
    let copy = db.path().with_file_name("copy.db");
    Snapshot::take(&db.path(), &copy).unwrap();
    let newer = rusqlite::Connection::open(&copy).unwrap();
    newer
        .execute("INSERT INTO migrations VALUES (9999, 'newer', 0)", [])
        .unwrap();

    let error = Snapshot::open(&copy).unwrap_err();

    assert!(matches!(error, OpenError::NewerSchema { found: 9999, .. }));
}

#[tokio::test]
async fn every_owner_is_queued_once() {
    let db = Database::new();
    let digest = db.image("a", "x", &["one"]).await;
    db.settle().await;

    let owners = vec![Owner::Revision(repo("a"), digest)];
    db.meta.queue_owners(owners.clone()).await.unwrap();
    db.meta.queue_owners(owners.clone()).await.unwrap();

    assert_eq!(db.owners().await, owners);
}
