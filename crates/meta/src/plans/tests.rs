use super::costly;
use crate::{
    Owner,
    testing::{Database, digest, referrer, repo, tag},
};

/// Each statement is checked when it is first prepared, and a costly one answers nothing.
#[tokio::test]
async fn no_listing_reads_more_than_its_page() {
    let Database { meta, .. } = &Database::new();
    let (a, blob) = (repo("a"), digest("content"));

    meta.tags(&a, Some("x"), 1).await.unwrap();
    meta.all_tags(&a, Some(&tag("x")), 1).await.unwrap();
    meta.all_layers(&a, Some(&blob), 1).await.unwrap();
    meta.all_revisions(&a, Some(&blob), 1).await.unwrap();
    meta.repositories(Some("x"), 1).await.unwrap();
    meta.every_repository(Some(&a), 1).await.unwrap();
    meta.holders(&blob, Some(&a), 1).await.unwrap();
    meta.referrers(&a, &blob, None, Some(&blob), 1)
        .await
        .unwrap();
    meta.referrers(&a, &blob, Some("text/x"), Some(&blob), 1)
        .await
        .unwrap();
    meta.projections(1).await.unwrap();
    meta.findings(Some(1), 1).await.unwrap();
    meta.pending_tags(&a).await.unwrap();
    meta.waiting_reviews(Some(&a)).await.unwrap();
    meta.waiting_reviews(None).await.unwrap();
}

#[tokio::test]
async fn no_lookup_and_no_delete_reads_more_than_its_row() {
    let db = Database::new();
    let one = db.image("a", "one", &["latest"]).await;
    db.push("a", &referrer(&one, "text/x", "1"), &[]).await;
    let (a, layer) = (repo("a"), digest("layer of one"));

    db.meta.manifest(&a, &one).await.unwrap().unwrap();
    db.meta.manifest_by_tag(&a, &tag("latest")).await.unwrap();
    db.meta.blob(&a, &layer).await.unwrap().unwrap();
    db.meta.blob_anywhere(&layer).await.unwrap().unwrap();
    db.meta
        .pending(&Owner::Layer(a.clone(), layer))
        .await
        .unwrap()
        .unwrap();
    db.meta.delete_blob(&a, &layer, Vec::new()).await.unwrap();
    db.meta
        .delete_tag(&a, &tag("latest"), Vec::new())
        .await
        .unwrap();
    db.meta
        .delete_manifest(&a, &one, |_| Vec::new())
        .await
        .unwrap()
        .unwrap();
    db.meta.delete_blob(&a, &layer, Vec::new()).await.unwrap();
    db.settle().await;
}

#[tokio::test]
async fn a_statement_that_scans_or_sorts_is_recognized() {
    let db = Database::new();
    let costly = |sql: &'static str| db.meta.read(move |db| Ok(costly(db, sql)));

    let scan = costly("SELECT id FROM manifests WHERE media_type = $1")
        .await
        .unwrap();
    let sort = costly("SELECT name FROM tags WHERE repository_id = $1 ORDER BY updated_at");
    let kind = costly("SELECT sequence FROM projections WHERE kind = $1");
    let cheap = costly("SELECT name FROM tags WHERE repository_id = $1 ORDER BY name");

    assert_eq!(scan.len(), 1);
    assert_eq!(sort.await.unwrap().len(), 1);
    assert_eq!(kind.await.unwrap().len(), 1);
    assert!(cheap.await.unwrap().is_empty());
}
