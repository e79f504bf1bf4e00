use tokio::task::JoinSet;

use crate::{
    MetaError,
    statements::Statements,
    testing::{Database, repo},
};

#[tokio::test]
async fn more_reads_than_readers_all_get_their_answer() {
    let db = Database::new();
    db.image("a", "one", &["latest"]).await;
    let mut reads = JoinSet::new();

    for _ in 0..100 {
        let meta = db.meta.clone();
        reads.spawn(async move { meta.tags(&repo("a"), None, 1).await.unwrap().len() });
    }

    assert_eq!(reads.join_all().await, [1; 100]);
}

#[tokio::test]
async fn a_read_that_panics_costs_only_its_own_answer() {
    let db = Database::new();

    for _ in 0..20 {
        let read = db.meta.read::<(), _>(|_| panic!("a bug in a read")).await;
        assert!(matches!(read, Err(MetaError::Closed)));
    }

    assert!(db.repositories().await.is_empty());
}

#[tokio::test]
async fn a_reader_changes_nothing() {
    let db = Database::new();

    let change = db
        .meta
        .read(|db| db.change("DELETE FROM run WHERE id = $1", [1]))
        .await;

    assert!(matches!(change, Err(MetaError::Sql(_))));
    assert_eq!(db.meta.begin_run().await.unwrap().generation, 1);
}
