use crate::{
    Reconcile,
    testing::{Database, digest, referrer, repo, tag},
};

#[tokio::test]
async fn states_tell_what_is_there_and_what_the_tree_knows_nothing_of() {
    let db = Database::new();
    let adopted = digest("adopted");
    adopt_tag(&db, adopted).await;
    let pushed = db.image("a", "one", &["pushed"]).await;
    let layer = digest("layer of one");

    let names = ["adopted", "pushed", "absent"].map(tag);
    let tags = db.meta.tag_states(&repo("a"), &names).await.unwrap();
    let revisions = [pushed, layer];
    let revisions = db
        .meta
        .revision_states(&repo("a"), &revisions)
        .await
        .unwrap();
    let layers = db
        .meta
        .layer_states(&repo("a"), &[layer, pushed])
        .await
        .unwrap();

    assert_eq!(
        tags,
        [(Some(adopted), false), (Some(pushed), true), (None, false)]
    );
    assert_eq!(revisions, [(true, true), (false, false)]);
    assert_eq!(layers, [(Some(12), true), (None, false)]);
}

#[tokio::test]
async fn a_manifest_needs_its_blobs_and_not_its_subject() {
    let db = Database::new();
    let image = db.image("a", "one", &[]).await;
    let signature = referrer(&image, "application/x-signature", "");
    db.push("a", &signature, &[]).await;
    let (layer, other) = (digest("layer of one"), db.blob("a", "other").await);
    let asked = [image, layer, other, digest("absent")];

    let named = db.meta.named_blobs(&repo("a"), &asked).await.unwrap();
    let elsewhere = db.meta.named_blobs(&repo("b"), &asked).await.unwrap();

    assert_eq!(named, [layer]);
    assert!(elsewhere.is_empty());
}

#[tokio::test]
async fn of_an_unknown_repository_nothing_is_there() {
    let db = Database::new();
    db.image("a", "one", &["latest"]).await;
    let layer = [digest("layer of one")];

    assert_eq!(
        db.meta
            .tag_states(&repo("b"), &[tag("latest")])
            .await
            .unwrap(),
        [(None, false)]
    );
    assert_eq!(
        db.meta.layer_states(&repo("b"), &layer).await.unwrap(),
        [(None, false)]
    );
}

#[tokio::test]
async fn what_a_client_deleted_in_this_run_is_not_to_be_read_from_the_tree() {
    let db = Database::new();
    adopt_tag(&db, digest("adopted")).await;
    db.meta
        .delete_tag(&repo("a"), &tag("adopted"), Vec::new())
        .await
        .unwrap();
    db.settle().await;

    let deleted = db
        .meta
        .tag_states(&repo("a"), &[tag("adopted")])
        .await
        .unwrap();
    db.meta.begin_run().await.unwrap();
    let later = db
        .meta
        .tag_states(&repo("a"), &[tag("adopted")])
        .await
        .unwrap();

    assert_eq!((deleted, later), (vec![(None, true)], vec![(None, false)]));
}

async fn adopt_tag(db: &Database, digest: boxyard_oci::Digest) {
    let item = Reconcile::Tag {
        repo: repo("a"),
        tag: tag("adopted"),
        seen: None,
        tree: Some(digest),
        modified: None,
    };
    db.meta.reconcile(vec![item]).await.unwrap();
}
