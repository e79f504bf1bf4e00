use super::*;
use crate::{
    Finding, FindingKind, Reconcile,
    testing::{Database, digest, repo},
};

const CONTENT: &str = "content";

async fn hold(db: &Database, to: &str) -> Stored {
    let (repo, digest, bytes) = (repo(to), digest(CONTENT), Bytes::from(CONTENT));
    let held = db.meta.hold_small(&repo, &digest, bytes, Vec::new());
    held.await.unwrap()
}

async fn is_waiting(db: &Database) -> Option<bool> {
    let names = [digest("other"), digest(CONTENT)];
    let found = db.meta.held_sizes(&repo("a"), &names).await.unwrap();
    assert_eq!((found.len(), found[0]), (2, None));
    found[1].map(|found| {
        assert_eq!((found.target, found.size), (digest(CONTENT), 7));
        found.is_waiting
    })
}

#[tokio::test]
async fn a_small_blob_is_kept_until_it_has_a_file_and_not_again() {
    let db = Database::new();

    assert_eq!(hold(&db, "a").await, Stored::Here);
    assert_eq!(hold(&db, "b").await, Stored::HereBefore);
    assert_eq!(is_waiting(&db).await, Some(true));
    db.settle().await;

    assert_eq!(is_waiting(&db).await, Some(false));
    assert_eq!(hold(&db, "a").await, Stored::InFile);
    assert_eq!(db.meta.waiting_bytes().await.unwrap(), 0);
    let (digest, bytes) = (digest(CONTENT), Bytes::from(CONTENT));
    let restored = db.meta.restore_small(&digest, bytes);
    restored.await.unwrap();
    assert_eq!(is_waiting(&db).await, Some(true));
}

#[tokio::test]
async fn what_is_bad_or_was_not_hashed_here_is_kept_anew() {
    let db = Database::new();
    hold(&db, "a").await;
    db.settle().await;
    let finding = Finding {
        kind: FindingKind::BlobMissing,
        repo: None,
        subject: digest(CONTENT).to_string(),
        detail: String::new(),
    };
    let digest = digest(CONTENT);
    let marked = db.meta.mark_blob_bad(&digest, &finding);
    marked.await.unwrap();
    assert_eq!(is_waiting(&db).await, None);

    assert_eq!(hold(&db, "a").await, Stored::Here);

    assert_eq!(is_waiting(&db).await, Some(true));
    assert_eq!(db.meta.findings(None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_tree_without_the_file_of_what_waits_takes_nothing_away() {
    let db = Database::new();
    hold(&db, "a").await;
    // The link was written, and the file could not be.
    let waiting = db.waiting().await;
    let links = waiting
        .iter()
        .filter(|one| one.owner != crate::Owner::Blob(digest(CONTENT)));
    let done: Vec<_> = links.map(|one| one.sequence).collect();
    db.meta.end_projections(&done).await.unwrap();
    db.meta.begin_run_after(0).await.unwrap();

    let reconcile = Reconcile::Layer {
        repo: repo("a"),
        digest: digest(CONTENT),
        seen: Some(7),
        tree: None,
    };
    let reconciled = db.meta.reconcile(vec![reconcile]).await.unwrap();
    assert_eq!(reconciled.applied, 1);

    assert_eq!(is_waiting(&db).await, Some(true));
}
