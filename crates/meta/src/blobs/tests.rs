use bytes::Bytes;

use crate::{
    BlobState, DeleteBlob, Finding, FindingKind, Owner, WantedState,
    testing::{Database, digest, image, index, long_digest, names, referrer, repo, unknown_type},
};

#[tokio::test]
async fn a_blob_is_held_by_the_repository_it_was_pushed_to_and_known_to_all() {
    let db = Database::new();

    let blob = db.blob("a", "content").await;

    let held = db.meta.blob(&repo("a"), &blob).await.unwrap().unwrap();
    assert_eq!(
        (held.row.size, held.row.state, held.target),
        (7, BlobState::Present, blob)
    );
    assert!(!db.holds("b", &blob).await);
    assert_eq!(db.meta.blob_anywhere(&blob).await.unwrap(), Some(held.row));
    assert_eq!(db.meta.blob_anywhere(&digest("other")).await.unwrap(), None);
}

#[tokio::test]
async fn a_small_blob_is_read_from_its_row_until_its_file_is_synced() {
    let db = Database::new();
    let (blob, content) = (digest("content"), Bytes::from("content"));

    db.meta
        .hold_blob(&repo("a"), &blob, 7, Some(content.clone()), Vec::new())
        .await
        .unwrap();

    let bytes = || async { db.meta.blob_anywhere(&blob).await.unwrap().unwrap().bytes };
    assert_eq!(bytes().await, Some(content));
    assert_eq!(db.meta.waiting_bytes().await.unwrap(), 7);
    db.settle().await;
    assert_eq!(bytes().await, None);
    assert_eq!(db.meta.waiting_bytes().await.unwrap(), 0);
}

#[tokio::test]
async fn a_push_queues_the_file_before_the_link() {
    let db = Database::new();
    let blob = digest("content");
    let bytes = Some(Bytes::from("content"));

    db.meta
        .hold_blob(&repo("a"), &blob, 7, bytes, Vec::new())
        .await
        .unwrap();

    assert_eq!(
        db.owners().await,
        [Owner::Blob(blob), Owner::Layer(repo("a"), blob)]
    );
}

#[tokio::test]
async fn a_bad_blob_is_absent_for_pushes_and_mounts_until_it_is_pushed_again() {
    let db = Database::new();
    let blob = db.blob("a", "content").await;

    db.meta
        .mark_blob_bad(&blob, &finding(&blob.to_string()))
        .await
        .unwrap();

    let state = || async { db.meta.blob_anywhere(&blob).await.unwrap().unwrap().state };
    assert_eq!(state().await, BlobState::Bad);
    assert_eq!(
        db.meta
            .mount_blob(&repo("a"), &repo("b"), &blob, Vec::new())
            .await
            .unwrap(),
        None
    );
    assert_eq!(db.meta.findings(None, 10).await.unwrap().len(), 1);
    db.blob("b", "content").await;
    assert_eq!(state().await, BlobState::Present);
    assert!(db.meta.findings(None, 10).await.unwrap().is_empty());
    assert_eq!(
        db.meta
            .mount_blob(&repo("a"), &repo("c"), &blob, Vec::new())
            .await
            .unwrap(),
        Some(7)
    );
}

#[tokio::test]
async fn a_blob_served_from_its_row_is_not_made_bad_by_its_file() {
    let db = Database::new();
    let blob = digest("content");
    let bytes = Some(Bytes::from("content"));
    db.meta
        .hold_blob(&repo("a"), &blob, 7, bytes, Vec::new())
        .await
        .unwrap();

    db.meta
        .mark_blob_bad(&blob, &finding(&blob.to_string()))
        .await
        .unwrap();

    let row = db.meta.blob_anywhere(&blob).await.unwrap().unwrap();
    assert_eq!(row.state, BlobState::Present);
    assert!(db.meta.findings(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_mount_lets_the_other_repository_hold_the_blob_and_queues_its_link() {
    let db = Database::new();
    let blob = db.blob("a", "content").await;
    db.settle().await;

    let size = db
        .meta
        .mount_blob(&repo("a"), &repo("b"), &blob, Vec::new())
        .await
        .unwrap();

    assert_eq!(size, Some(7));
    assert!(db.holds("b", &blob).await);
    assert_eq!(db.owners().await, [Owner::Layer(repo("b"), blob)]);
}

#[tokio::test]
async fn a_mount_of_what_is_not_there_changes_nothing() {
    let db = Database::new();
    let blob = db.blob("a", "content").await;

    let unheld = db
        .meta
        .mount_blob(&repo("b"), &repo("c"), &blob, Vec::new())
        .await
        .unwrap();
    let unknown = db
        .meta
        .mount_blob(&repo("a"), &repo("c"), &digest("other"), Vec::new())
        .await
        .unwrap();

    assert_eq!((unheld, unknown), (None, None));
    assert_eq!(
        db.meta.every_repository(None, 10).await.unwrap(),
        [repo("a")]
    );
}

#[tokio::test]
async fn holders_come_in_pages_in_the_order_of_their_repositories() {
    let db = Database::new();
    for name in ["c", "a", "b"] {
        db.blob(name, "content").await;
    }
    db.blob("d", "other").await;
    let blob = digest("content");

    let first = db.meta.holders(&blob, None, 2).await.unwrap();
    let rest = db.meta.holders(&blob, first.last(), 2).await.unwrap();

    assert_eq!(names(&first), ["c", "a"]);
    assert_eq!(names(&rest), ["b"]);
}

#[tokio::test]
async fn an_alias_is_served_as_its_target_and_projected_as_a_link_to_it() {
    let db = Database::new();
    let (blob, alias) = (db.blob("a", "content").await, long_digest("content"));
    db.settle().await;

    assert!(db.meta.alias_blob(&repo("a"), &alias, &blob).await.unwrap());

    let held = db.meta.blob(&repo("a"), &alias).await.unwrap().unwrap();
    assert_eq!((held.row.size, held.target), (7, blob));
    let wanted = db.waiting().await;
    assert_eq!(wanted[0].owner, Owner::Layer(repo("a"), alias));
    assert!(matches!(wanted[0].state, WantedState::Layer(Some(target)) if target == blob));
    assert_eq!(db.meta.blob_anywhere(&alias).await.unwrap(), None);
}

#[tokio::test]
async fn a_mounted_alias_comes_with_its_target() {
    let db = Database::new();
    let (blob, alias) = (db.blob("a", "content").await, long_digest("content"));
    assert!(db.meta.alias_blob(&repo("a"), &alias, &blob).await.unwrap());

    let (from, to) = (repo("a"), repo("b"));
    let mounted = db
        .meta
        .mount_blob(&from, &to, &alias, Vec::new())
        .await
        .unwrap();

    assert_eq!(mounted, Some(7));
    assert!(db.holds("b", &alias).await);
    assert!(db.holds("b", &blob).await);
}

#[tokio::test]
async fn an_alias_of_what_is_not_there_is_refused() {
    let db = Database::new();
    let alias = long_digest("content");

    assert!(
        !db.meta
            .alias_blob(&repo("a"), &alias, &digest("content"))
            .await
            .unwrap()
    );

    assert!(!db.holds("a", &alias).await);
}

#[tokio::test]
async fn a_mounted_alias_stays_an_alias() {
    let db = Database::new();
    let (blob, alias) = (db.blob("a", "content").await, long_digest("content"));
    db.meta.alias_blob(&repo("a"), &alias, &blob).await.unwrap();

    db.meta
        .mount_blob(&repo("a"), &repo("b"), &alias, Vec::new())
        .await
        .unwrap();

    assert_eq!(
        db.meta
            .blob(&repo("b"), &alias)
            .await
            .unwrap()
            .unwrap()
            .target,
        blob
    );
}

#[tokio::test]
async fn a_blob_that_a_manifest_names_is_not_deleted() {
    let db = Database::new();
    let image = db.image("a", "one", &[]).await;
    let layer = digest("layer of one");

    let refused = db
        .meta
        .delete_blob(&repo("a"), &layer, Vec::new())
        .await
        .unwrap();
    assert_eq!(refused, DeleteBlob::NamedBy(image));
    assert!(db.holds("a", &layer).await);

    db.meta
        .delete_manifest(&repo("a"), &image, |_| Vec::new())
        .await
        .unwrap();
    let deleted = db
        .meta
        .delete_blob(&repo("a"), &layer, Vec::new())
        .await
        .unwrap();
    assert_eq!(deleted, DeleteBlob::Deleted);
    assert!(!db.holds("a", &layer).await);
    assert_eq!(
        db.meta
            .delete_blob(&repo("a"), &layer, Vec::new())
            .await
            .unwrap(),
        DeleteBlob::NotFound
    );
}

#[tokio::test]
async fn a_blob_that_only_another_repository_needs_is_deleted_here_and_stays_there() {
    let db = Database::new();
    db.image("a", "one", &[]).await;
    let layer = db.blob("b", "layer of one").await;

    let deleted = db
        .meta
        .delete_blob(&repo("b"), &layer, Vec::new())
        .await
        .unwrap();

    assert_eq!(deleted, DeleteBlob::Deleted);
    assert!(db.holds("a", &layer).await);
    assert!(db.meta.blob_anywhere(&layer).await.unwrap().is_some());
}

#[tokio::test]
async fn a_blob_named_in_a_manifest_of_unknown_type_is_not_deleted() {
    let db = Database::new();
    let blob = db.blob("a", "content").await;
    let unknown = db.push("a", &unknown_type(&blob), &[]).await;

    let refused = db
        .meta
        .delete_blob(&repo("a"), &blob, Vec::new())
        .await
        .unwrap();

    assert_eq!(refused, DeleteBlob::NamedBy(unknown));
}

#[tokio::test]
async fn a_blob_that_is_only_a_subject_is_deleted() {
    let db = Database::new();
    let blob = db.blob("a", "content").await;
    db.push("a", &referrer(&blob, "text/x", "1"), &[]).await;

    assert_eq!(
        db.meta
            .delete_blob(&repo("a"), &blob, Vec::new())
            .await
            .unwrap(),
        DeleteBlob::Deleted
    );
}

#[tokio::test]
async fn a_blob_whose_alias_a_manifest_names_is_not_deleted_under_either_name() {
    let db = Database::new();
    let (blob, alias) = (db.blob("a", "content").await, long_digest("content"));
    db.meta.alias_blob(&repo("a"), &alias, &blob).await.unwrap();
    let manifest = db.push("a", &image(&alias, &[]), &[]).await;

    for name in [blob, alias] {
        let refused = db
            .meta
            .delete_blob(&repo("a"), &name, Vec::new())
            .await
            .unwrap();
        assert_eq!(refused, DeleteBlob::NamedBy(manifest));
    }
}

#[tokio::test]
async fn deleting_a_blob_queues_the_removal_of_its_link() {
    let db = Database::new();
    let blob = db.blob("a", "content").await;
    db.settle().await;

    db.meta
        .delete_blob(&repo("a"), &blob, Vec::new())
        .await
        .unwrap();

    let wanted = db.waiting().await;
    assert_eq!(wanted[0].owner, Owner::Layer(repo("a"), blob));
    assert!(matches!(wanted[0].state, WantedState::Layer(None)));
}

#[tokio::test]
async fn layers_are_listed_in_pages_with_bad_ones_without_a_size() {
    let db = Database::new();
    let (one, two) = (db.blob("a", "one").await, db.blob("a", "two").await);
    db.blob("b", "three").await;
    db.meta
        .mark_blob_bad(&two, &finding(&two.to_string()))
        .await
        .unwrap();

    let first = db.meta.all_layers(&repo("a"), None, 1).await.unwrap();
    let rest = db
        .meta
        .all_layers(&repo("a"), Some(&one), 10)
        .await
        .unwrap();

    assert_eq!(first, [(one, Some(3))]);
    assert_eq!(rest, [(two, None)]);
}

#[tokio::test]
async fn a_digest_that_is_only_named_is_no_blob() {
    let db = Database::new();
    let child = db.image("a", "one", &[]).await;
    db.push("a", &index(&[child]), &[]).await;

    assert_eq!(db.meta.blob_anywhere(&child).await.unwrap(), None);
    assert!(
        !db.meta
            .alias_blob(&repo("a"), &long_digest("x"), &child)
            .await
            .unwrap()
    );
    db.meta
        .mark_blob_bad(&child, &finding("child"))
        .await
        .unwrap();
    assert_eq!(db.meta.blob_anywhere(&child).await.unwrap(), None);
}

fn finding(subject: &str) -> Finding {
    Finding {
        kind: FindingKind::BlobSize,
        repo: None,
        subject: subject.to_owned(),
        detail: "6 bytes instead of 7".to_owned(),
    }
}
