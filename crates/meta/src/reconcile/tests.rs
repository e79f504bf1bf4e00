use std::time::{Duration, UNIX_EPOCH};

use boxyard_oci::{Digest, Manifest};
use bytes::Bytes;

use super::{LayerInTree, Reconcile, Reconciled};
use crate::{
    BlobState, Finding, FindingKind, TagLookup,
    testing::{Database, digest, image, long_digest, repo, tag},
};

impl Database {
    async fn reconcile(&self, item: Reconcile) -> Reconciled {
        self.meta.reconcile(vec![item]).await.unwrap()
    }
}

#[tokio::test]
async fn a_tree_is_taken_in_without_queueing_anything() {
    let db = Database::new();
    let (config, layer) = (digest("config"), digest("layer"));
    let image = image(&config, &[layer]);

    let items = vec![
        layer_item(config, None, Some((config, 6))),
        layer_item(layer, None, Some((layer, 5))),
        revision_item(&image, false, true),
        tag_item("latest", None, Some(image.digest())),
    ];
    let reconciled = db.meta.reconcile(items).await.unwrap();

    assert_eq!((reconciled.applied, reconciled.skipped), (4, 0));
    assert_eq!(db.meta.projection_backlog().await.unwrap(), 0);
    assert_eq!(db.repositories().await, ["a"]);
    let found = db
        .meta
        .manifest_by_tag(&repo("a"), &tag("latest"))
        .await
        .unwrap();
    assert!(matches!(found, TagLookup::Found(found) if found.payload == image.payload()));
    assert_eq!(
        db.meta
            .blob(&repo("a"), &layer)
            .await
            .unwrap()
            .unwrap()
            .row
            .size,
        5
    );
}

#[tokio::test]
async fn a_tag_whose_revision_is_gone_is_listed_and_dangles() {
    let db = Database::new();

    db.reconcile(tag_item("latest", None, Some(digest("gone"))))
        .await;

    assert_eq!(db.tags("a").await, ["latest"]);
    let found = db
        .meta
        .manifest_by_tag(&repo("a"), &tag("latest"))
        .await
        .unwrap();
    assert_eq!(found, TagLookup::Dangling(digest("gone")));
    assert_eq!(
        db.meta
            .delete_manifest(&repo("a"), &digest("gone"), |_| Vec::new())
            .await
            .unwrap(),
        None
    );
    assert!(
        db.meta
            .delete_tag(&repo("a"), &tag("latest"), Vec::new())
            .await
            .unwrap()
    );
    assert!(db.repositories().await.is_empty());
}

#[tokio::test]
async fn what_the_tree_has_lost_goes_and_the_catalog_follows() {
    let db = Database::new();
    let pushed = db.image("a", "one", &["latest"]).await;
    db.settle().await;
    next_run(&db).await;
    let gone = Reconcile::Revision {
        repo: repo("a"),
        digest: pushed,
        seen: true,
        tree: None,
        modified: None,
    };

    db.reconcile(gone).await;
    assert_eq!(db.tags("a").await, ["latest"]);
    assert_eq!(db.repositories().await, ["a"]);
    db.reconcile(tag_item("latest", Some(pushed), None)).await;

    assert_eq!(db.meta.manifest(&repo("a"), &pushed).await.unwrap(), None);
    assert!(db.repositories().await.is_empty());
}

#[tokio::test]
async fn a_change_that_overtakes_the_reader_of_the_tree_wins() {
    let db = Database::new();
    let (seen, tree) = (digest("seen"), digest("tree"));
    db.reconcile(tag_item("latest", None, Some(seen))).await;
    db.reconcile(tag_item("latest", Some(seen), Some(digest("newer"))))
        .await;

    let late = db
        .reconcile(tag_item("latest", Some(seen), Some(tree)))
        .await;

    assert_eq!(late.skipped, 1);
    assert_eq!(db.tag("a", "latest").await, Some(digest("newer")));
}

#[tokio::test]
async fn a_manifest_or_a_blob_that_came_meanwhile_is_not_taken_for_lost() {
    let db = Database::new();
    let (blob, image) = (digest("config"), image(&digest("config"), &[]));
    db.reconcile(layer_item(blob, None, Some((blob, 6)))).await;
    db.reconcile(revision_item(&image, false, true)).await;

    let layer = db.reconcile(layer_item(blob, None, None)).await;
    let revision = db.reconcile(revision_item(&image, false, false)).await;

    assert_eq!((layer.skipped, revision.skipped), (1, 1));
    assert!(db.holds("a", &blob).await);
    assert!(
        db.meta
            .manifest(&repo("a"), &image.digest())
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn an_owner_that_waits_for_the_tree_is_skipped() {
    let db = Database::new();
    let pushed = db.image("a", "one", &["latest"]).await;
    db.meta.begin_run().await.unwrap();

    let skipped = db
        .reconcile(tag_item("latest", Some(pushed), Some(digest("old"))))
        .await;

    assert_eq!(skipped.skipped, 1);
    assert_eq!(db.tag("a", "latest").await, Some(pushed));
}

#[tokio::test]
async fn a_delete_in_an_incomplete_repository_is_not_undone_by_a_late_reader() {
    let db = Database::new();
    let old = digest("old");
    db.reconcile(tag_item("latest", None, Some(old))).await;
    db.meta
        .delete_tag(&repo("a"), &tag("latest"), Vec::new())
        .await
        .unwrap();
    db.settle().await;

    let late = db.reconcile(tag_item("latest", None, Some(old))).await;

    assert_eq!(late.skipped, 1);
    assert_eq!(db.tag("a", "latest").await, None);
    next_run(&db).await;
    assert_eq!(
        db.reconcile(tag_item("latest", None, Some(old)))
            .await
            .applied,
        1
    );
}

#[tokio::test]
async fn a_complete_repository_is_not_reconciled_until_the_next_run() {
    let db = Database::new();
    let run = db.meta.begin_run().await.unwrap().generation;
    db.meta.mark_complete(&repo("a"), run).await.unwrap();

    let late = db
        .reconcile(tag_item("latest", None, Some(digest("old"))))
        .await;
    assert_eq!(late.skipped, 1);

    db.meta.begin_run().await.unwrap();
    let next = db
        .reconcile(tag_item("latest", None, Some(digest("old"))))
        .await;
    assert_eq!(next.applied, 1);
}

#[tokio::test]
async fn an_adopted_alias_leads_to_its_target() {
    let db = Database::new();
    let (blob, alias) = (digest("content"), long_digest("content"));

    db.reconcile(layer_item(alias, None, Some((blob, 7)))).await;

    let held = db.meta.blob(&repo("a"), &alias).await.unwrap().unwrap();
    assert_eq!((held.target, held.row.size), (blob, 7));
    assert!(!db.holds("a", &blob).await);
    db.push("a", &image(&alias, &[]), &[]).await;
    assert!(db.holds("a", &blob).await);
}

#[tokio::test]
async fn a_link_whose_blob_is_gone_is_not_held_and_a_push_heals_it() {
    let db = Database::new();
    let blob = db.blob("a", "content").await;
    db.settle().await;
    next_run(&db).await;

    db.reconcile(layer_item(blob, Some(7), None)).await;
    assert!(!db.holds("a", &blob).await);

    db.blob("a", "content").await;
    assert!(db.holds("a", &blob).await);
}

#[tokio::test]
async fn a_file_of_another_size_than_was_hashed_makes_its_blob_bad() {
    let db = Database::new();
    let blob = db.blob("a", "content").await;
    db.settle().await;
    next_run(&db).await;

    let cut = db
        .reconcile(layer_item(blob, Some(7), Some((blob, 3))))
        .await;

    assert_eq!(cut.damaged, [blob]);
    let row = db.meta.blob_anywhere(&blob).await.unwrap().unwrap();
    assert_eq!((row.state, row.size), (BlobState::Bad, 7));
}

#[tokio::test]
async fn a_bad_blob_is_healed_by_a_file_of_the_right_size_but_not_if_its_content_was_wrong() {
    for (kind, expected) in [
        (FindingKind::BlobSize, BlobState::Present),
        (FindingKind::BlobDamaged, BlobState::Bad),
    ] {
        let db = Database::new();
        let blob = db.blob("a", "content").await;
        db.settle().await;
        let subject = blob.to_string();
        let finding = Finding {
            kind,
            repo: None,
            subject,
            detail: String::new(),
        };
        db.meta.mark_blob_bad(&blob, &finding).await.unwrap();
        next_run(&db).await;

        db.reconcile(layer_item(blob, None, Some((blob, 7)))).await;

        let row = db.meta.blob_anywhere(&blob).await.unwrap().unwrap();
        assert_eq!(row.state, expected, "{kind}");
    }
}

#[tokio::test]
async fn the_size_of_a_blob_that_nobody_hashed_is_that_of_its_file() {
    let db = Database::new();
    let blob = digest("content");
    db.reconcile(layer_item(blob, None, Some((blob, 3)))).await;

    db.reconcile(layer_item(blob, Some(3), Some((blob, 7))))
        .await;

    let row = db.meta.blob_anywhere(&blob).await.unwrap().unwrap();
    assert_eq!((row.state, row.size), (BlobState::Present, 7));
}

#[tokio::test]
async fn a_schema_1_manifest_is_kept_and_marked() {
    let db = Database::new();
    let blob = db.blob("a", "content").await;
    let json = format!(
        r#"{{"schemaVersion":1,"name":"a","tag":"old","fsLayers":[{{"blobSum":"{blob}"}}]}}"#
    );
    let old = Manifest::adopt(Bytes::from(json.clone()), None, digest(&json)).unwrap();

    db.reconcile(revision_item(&old, false, true)).await;

    let stored = db
        .meta
        .manifest(&repo("a"), &old.digest())
        .await
        .unwrap()
        .unwrap();
    assert!(stored.schema1);
    let refused = db
        .meta
        .delete_blob(&repo("a"), &blob, Vec::new())
        .await
        .unwrap();
    assert_eq!(refused, crate::DeleteBlob::NamedBy(old.digest()));
}

/// As a server's start does it: what clients changed before is in the tree.
async fn next_run(db: &Database) {
    db.meta.begin_run().await.unwrap();
}

fn tag_item(name: &str, seen: Option<Digest>, tree: Option<Digest>) -> Reconcile {
    let modified = Some(UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    Reconcile::Tag {
        repo: repo("a"),
        tag: tag(name),
        seen,
        tree,
        modified,
    }
}

fn revision_item(manifest: &Manifest, seen: bool, is_there: bool) -> Reconcile {
    let (digest, tree) = (manifest.digest(), is_there.then(|| manifest.clone()));
    Reconcile::Revision {
        repo: repo("a"),
        digest,
        seen,
        tree,
        modified: None,
    }
}

fn layer_item(digest: Digest, seen: Option<u64>, tree: Option<(Digest, u64)>) -> Reconcile {
    let tree = tree.map(|(target, size)| LayerInTree { target, size });
    Reconcile::Layer {
        repo: repo("a"),
        digest,
        seen,
        tree,
    }
}
