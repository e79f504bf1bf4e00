use std::{collections::BTreeSet, time::Duration};

use super::{EVERYTHING, digests};
use crate::{
    Condemned, Review,
    testing::{Database, digest, image, index, referrer, repo},
};

#[tokio::test]
async fn a_plan_says_what_a_collection_takes_and_takes_nothing() {
    let db = Database::new();
    let untagged = db.image("a", "untagged", &[]).await;
    let promised = db.blob("a", "promised").await;

    let plan = db
        .meta
        .plan_collection(EVERYTHING.to_vec(), move |review| review.digest == promised)
        .await
        .unwrap();

    let named = ["config of untagged", "layer of untagged"].map(digest);
    assert_eq!(digests(&plan.gone), [untagged, named[0], named[1]]);
    assert_eq!((plan.promised, plan.doubtful), (1, 0));
    assert!(db.meta.has_manifest(&repo("a"), &untagged).await.unwrap());
    assert_eq!(db.unkept().await, [untagged]);
    assert_eq!(db.unnamed().await, [promised]);
}

#[tokio::test]
async fn a_plan_follows_everything_that_a_collection_takes() {
    let db = Database::new();
    let kept = db.image("a", "kept", &["latest"]).await;
    let shared = db.blob("a", "shared").await;
    let mut children = Vec::new();
    for name in ["one", "other"] {
        let config = db.blob("a", name).await;
        children.push(db.push("a", &image(&config, &[shared]), &[]).await);
    }
    let list = db.push("a", &index(&children), &[]).await;
    db.push("a", &referrer(&list, "text/x", "1"), &[]).await;
    db.push("a", &referrer(&kept, "text/x", "2"), &[]).await;

    let plan = db
        .meta
        .plan_collection(EVERYTHING.to_vec(), |_| false)
        .await;
    let again = db
        .meta
        .plan_collection(EVERYTHING.to_vec(), |_| false)
        .await;
    let (plan, again) = (plan.unwrap(), again.unwrap());
    let taken = db.collect(&EVERYTHING).await;

    let told = |gone: &[Condemned]| {
        let all = gone.iter().map(|one| (one.digest, one.freed));
        all.collect::<BTreeSet<_>>()
    };
    // The index, its images, its referrer, and three blobs.
    assert_eq!(told(&plan.gone).len(), 7);
    assert_eq!(told(&plan.gone), told(&taken));
    assert_eq!(plan, again);
}

/// A change in the middle of it would wait for ever if the plan held up the writer.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_goes_on_in_the_middle_of_a_plan() {
    let db = Database::new();
    let untagged = db.image("a", "untagged", &[]).await;
    let (meta, runtime) = (db.meta.clone(), tokio::runtime::Handle::current());
    let pushed = digest("pushed meanwhile");
    let push_meanwhile = move |_: &Review| {
        let push = meta.review_blob(&pushed);
        let push = tokio::time::timeout(Duration::from_secs(20), push);
        runtime.block_on(push).expect("nobody waits").unwrap();
        false
    };

    let plan = db
        .meta
        .plan_collection(EVERYTHING.to_vec(), push_meanwhile)
        .await
        .unwrap();

    assert_eq!(plan.gone.len(), 3);
    assert_eq!(db.unkept().await, [untagged]);
}
