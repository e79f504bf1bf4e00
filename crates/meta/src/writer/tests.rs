use std::{fs, sync::Arc};

use tokio::task::JoinSet;

use crate::{
    CommitError, Meta, MetaError,
    testing::{Database, Script, digest, repo, until},
    writer::Write,
};

#[tokio::test]
async fn fifteen_changes_that_wait_for_one_share_a_commit() {
    let script = Arc::new(Script::default());
    let db = Database::with(script.clone());
    let mut changes = JoinSet::new();
    script.hold();
    changes.spawn(hold(db.meta.clone(), 0));
    until(|| script.is_waiting()).await;

    (1..16).for_each(|number| drop(changes.spawn(hold(db.meta.clone(), number))));
    until(|| db.meta.shared.writer.waiting() == 16).await;
    script.free();

    changes
        .join_all()
        .await
        .into_iter()
        .for_each(|change| change.unwrap());
    assert_eq!(script.commits(), 2);
    assert_eq!(db.meta.every_repository(None, 100).await.unwrap().len(), 16);
}

#[tokio::test]
async fn a_change_that_fails_takes_back_nothing_of_its_group() {
    let script = Arc::new(Script::default());
    let db = Database::with(script.clone());
    let mut changes = JoinSet::new();
    script.hold();
    changes.spawn(hold(db.meta.clone(), 0));
    until(|| script.is_waiting()).await;

    changes.spawn(hold(db.meta.clone(), 1));
    let broken = tokio::spawn(broken(db.meta.clone()));
    changes.spawn(hold(db.meta.clone(), 2));
    until(|| db.meta.shared.writer.waiting() == 4).await;
    script.free();

    assert!(matches!(broken.await.unwrap(), Err(MetaError::Sql(_))));
    changes
        .join_all()
        .await
        .into_iter()
        .for_each(|change| change.unwrap());
    assert_eq!(script.commits(), 2);
    let held: Vec<_> = db.meta.every_repository(None, 100).await.unwrap();
    assert_eq!(held, [repo("r0"), repo("r1"), repo("r2")]);
}

#[tokio::test]
async fn a_crash_before_the_commit_loses_the_group_and_nothing_before_it() {
    let script = Arc::new(Script::default());
    let db = Database::with(script.clone());
    hold(db.meta.clone(), 1).await.unwrap();
    script.fail_before();

    let lost = hold(db.meta.clone(), 2).await;

    assert!(matches!(lost, Err(MetaError::Commit(_))));
    let db = db.reopen();
    assert_eq!(
        db.meta.every_repository(None, 100).await.unwrap(),
        [repo("r1")]
    );
}

#[tokio::test]
async fn a_crash_after_the_commit_keeps_what_nobody_was_told() {
    let script = Arc::new(Script::default());
    let db = Database::with(script.clone());
    script.fail_after();

    let unanswered = hold(db.meta.clone(), 1).await;

    assert!(matches!(unanswered, Err(MetaError::Commit(_))));
    let db = db.reopen();
    assert!(db.holds("r1", &digest("content")).await);
}

#[tokio::test]
async fn a_failed_commit_fails_all_who_waited_for_it_and_no_later_one() {
    let script = Arc::new(Script::default());
    let db = Database::with(script.clone());
    let mut lost = JoinSet::new();
    script.hold();
    lost.spawn(hold(db.meta.clone(), 0));
    until(|| script.is_waiting()).await;
    let kept = tokio::spawn(hold(db.meta.clone(), 1));
    until(|| db.meta.shared.writer.waiting() == 2).await;

    script.fail_before();
    script.free();

    let lost = lost.join_all().await;
    assert!(
        lost.iter()
            .all(|change| matches!(change, Err(MetaError::Commit(_))))
    );
    kept.await.unwrap().unwrap();
    assert_eq!(
        db.meta.every_repository(None, 100).await.unwrap(),
        [repo("r1")]
    );
}

#[tokio::test]
async fn a_database_that_went_away_is_not_replaced_by_an_empty_one() {
    let script = Arc::new(Script::default());
    let db = Database::with(script.clone());
    hold(db.meta.clone(), 0).await.unwrap();
    script.fail_before();
    hold(db.meta.clone(), 1).await.unwrap_err();

    for file in Meta::files(&db.path()) {
        fs::remove_file(file).unwrap();
    }
    let refused = hold(db.meta.clone(), 2).await;

    let Err(MetaError::Commit(error)) = refused else {
        panic!("{refused:?}")
    };
    assert!(matches!(*error, CommitError::Reopen(_)), "{error:?}");
    assert!(!db.path().exists());
}

#[tokio::test]
async fn a_change_happens_even_if_its_caller_has_gone() {
    let script = Arc::new(Script::default());
    let db = Database::with(script.clone());
    script.hold();
    let caller = tokio::spawn(hold(db.meta.clone(), 7));
    until(|| script.is_waiting()).await;

    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    script.free();

    hold(db.meta.clone(), 8).await.unwrap();
    assert!(db.holds("r7", &digest("content")).await);
}

#[tokio::test]
async fn a_closed_database_says_so_to_every_clone() {
    let db = Database::new();
    let clone = db.meta.clone();

    db.meta.close();

    assert!(matches!(
        hold(clone.clone(), 1).await,
        Err(MetaError::Closed)
    ));
    assert!(matches!(
        clone.repositories(None, 1).await,
        Err(MetaError::Closed)
    ));
}

#[tokio::test]
async fn what_was_asked_before_the_close_is_done() {
    let script = Arc::new(Script::default());
    let db = Database::with(script.clone());
    script.hold();
    let change = tokio::spawn(hold(db.meta.clone(), 3));
    until(|| script.is_waiting()).await;
    script.free();

    let db = db.reopen();

    change.await.unwrap().unwrap();
    assert!(db.holds("r3", &digest("content")).await);
}

async fn hold(meta: Meta, number: usize) -> Result<(), MetaError> {
    meta.hold_blob(
        &repo(&format!("r{number}")),
        &digest("content"),
        7,
        None,
        Vec::new(),
    )
    .await
}

/// Changes something and then fails.
async fn broken(meta: Meta) -> Result<(), MetaError> {
    let change = |tx: &Write<'_>| {
        tx.insert_new("INSERT INTO repositories (name) VALUES ($1)", ["broken"])?;
        tx.insert_new("INSERT INTO repositories (name) VALUES ($1)", ["broken"])
            .map(drop)
    };
    meta.write(change).await
}
