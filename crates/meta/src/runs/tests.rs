use crate::{
    LastRun, Phase, Run,
    testing::{Database, repo},
};

#[tokio::test]
async fn runs_are_counted_and_the_first_one_is_clean() {
    let db = Database::new();

    let first = db.meta.begin_run().await.unwrap();
    db.meta.end_run().await.unwrap();
    let second = db.reopen().meta.begin_run().await.unwrap();

    assert_eq!(
        first,
        Run {
            generation: 1,
            clean: true
        }
    );
    assert_eq!(
        second,
        Run {
            generation: 2,
            clean: true
        }
    );
}

#[tokio::test]
async fn a_run_after_one_that_did_not_end_is_not_clean() {
    let db = Database::new();
    db.meta.begin_run().await.unwrap();

    let second = db.reopen().meta.begin_run().await.unwrap();

    assert_eq!(
        second,
        Run {
            generation: 2,
            clean: false
        }
    );
}

#[tokio::test]
async fn every_repository_is_incomplete_in_a_new_run() {
    let db = Database::new();
    let first = db.meta.begin_run().await.unwrap().generation;
    db.meta.mark_complete(&repo("a"), first).await.unwrap();

    let second = db.meta.begin_run().await.unwrap().generation;

    assert!(db.meta.is_complete(&repo("a"), first).await.unwrap());
    assert!(!db.meta.is_complete(&repo("a"), second).await.unwrap());
}

#[tokio::test]
async fn a_run_tells_how_far_it_came() {
    let db = Database::new();
    let last = |generation, phase| LastRun { generation, phase };
    assert_eq!(db.meta.last_run().await.unwrap(), last(0, Phase::Ended));

    db.meta.begin_run().await.unwrap();
    assert_eq!(db.meta.last_run().await.unwrap(), last(1, Phase::Begun));
    db.meta.confirm_run().await.unwrap();
    assert_eq!(db.meta.last_run().await.unwrap(), last(1, Phase::Running));
    db.meta.end_run().await.unwrap();

    let last_run = db.reopen().meta.last_run().await.unwrap();
    assert_eq!(last_run, last(1, Phase::Ended));
}

#[tokio::test]
async fn a_run_gets_a_number_that_no_other_database_has_given_away() {
    let db = Database::new();

    let beyond = db.meta.begin_run_after(7).await.unwrap().generation;
    let next = db.meta.begin_run_after(3).await.unwrap().generation;

    assert_eq!((beyond, next), (8, 9));
}
