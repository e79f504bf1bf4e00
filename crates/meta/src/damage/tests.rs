use std::{fs, path::Path, sync::Arc};

use rusqlite::Connection;

use crate::{
    Meta, MetaError, NoFaults, OpenError,
    testing::{Database, repo, tag},
};

/// Overwrites the first page of the manifests, which opening does not read.
fn tear(path: &Path) {
    let sql = "SELECT rootpage FROM sqlite_master WHERE name = 'manifests'";
    let root: u32 = Connection::open(path)
        .unwrap()
        .query_row(sql, [], |row| row.get(0))
        .unwrap();
    let (root, mut bytes) = (root as usize, fs::read(path).unwrap());
    bytes[(root - 1) * 4096..root * 4096].fill(0xAA);
    fs::write(path, bytes).unwrap();
}

fn open(path: &Path) -> Result<Meta, OpenError> {
    Meta::open(path, Arc::new(NoFaults))
}

async fn read(meta: &Meta) -> Result<(), MetaError> {
    meta.manifest_by_tag(&repo("a"), &tag("latest"))
        .await
        .map(drop)
}

#[tokio::test]
async fn damage_that_opening_does_not_meet_is_known_at_the_next_one() {
    let db = Database::new();
    db.image("a", "one", &["latest"]).await;
    let path = db.path();
    db.meta.clone().close();
    tear(&path);

    let meta = open(&path).unwrap();
    let met = read(&meta).await.unwrap_err();
    meta.close();
    let refused = open(&path).unwrap_err();

    assert!(met.is_corrupt(), "{met:?}");
    assert!(matches!(refused, OpenError::Corrupt { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_whole_database_is_not_marked() {
    let db = Database::new();
    db.image("a", "one", &["latest"]).await;

    read(&db.meta).await.unwrap();

    assert!(open(&db.path()).is_ok());
}
