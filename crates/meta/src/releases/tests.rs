use bytes::Bytes;

use crate::{
    CommitManifest, DeleteBlob, Finding, FindingKind,
    testing::{Database, digest, image, index, long_digest, referrer, repo},
};
use boxyard_oci::Digest;

impl Database {
    async fn delete(&self, from: &str, blob: &Digest) {
        let deleted = self
            .meta
            .delete_blob(&repo(from), blob, Vec::new())
            .await
            .unwrap();
        assert_eq!(deleted, DeleteBlob::Deleted);
    }

    async fn queued(&self) -> Vec<Digest> {
        self.meta.releases(i64::MAX, 100).await.unwrap()
    }

    /// Lets go of what nobody needs, as the worker does, and answers what that was.
    async fn release(&self) -> Vec<Digest> {
        let queued = self.queued().await;
        self.meta.release_blobs(&queued).await.unwrap()
    }
}

#[tokio::test]
async fn a_blob_that_was_deleted_from_its_last_repository_is_let_go_of() {
    let db = Database::new();
    let (blob, kept) = (db.blob("a", "content").await, db.blob("a", "kept").await);

    db.delete("a", &blob).await;
    let released = db.release().await;

    assert_eq!(released, [blob]);
    assert_eq!(db.meta.blob_anywhere(&blob).await.unwrap(), None);
    assert!(db.meta.blob_anywhere(&kept).await.unwrap().is_some());
    assert_eq!(db.queued().await, [blob], "its file is still there");
    db.meta.end_releases(&released).await.unwrap();
    assert!(db.queued().await.is_empty());
}

#[tokio::test]
async fn a_blob_that_another_repository_holds_stays_until_that_one_deletes_it() {
    let db = Database::new();
    let blob = db.blob("a", "content").await;
    db.blob("b", "content").await;

    db.delete("a", &blob).await;

    assert!(db.release().await.is_empty());
    assert!(db.queued().await.is_empty());
    assert!(db.holds("b", &blob).await);
    db.delete("b", &blob).await;
    assert_eq!(db.release().await, [blob]);
}

#[tokio::test]
async fn a_blob_that_a_manifest_of_another_repository_names_stays_until_that_one_goes() {
    let db = Database::new();
    let layer = db.blob("a", "layer").await;
    let config = db.blob("b", "config").await;
    let manifest = image(&config, &[layer]);
    let (repo_b, sparse) = (repo("b"), true);
    let (tags, named) = (Vec::new(), manifest.digest());
    let push = CommitManifest {
        may_lack: Vec::new(),
        repo: repo_b.clone(),
        manifest,
        tags,
        sparse,
        events: Vec::new(),
    };
    db.meta.commit_manifest(push).await.unwrap();

    db.delete("a", &layer).await;

    assert!(db.release().await.is_empty());
    db.meta
        .delete_manifest(&repo_b, &named, |_| Vec::new())
        .await
        .unwrap();
    let mut released = db.release().await;
    released.sort();
    let mut expected = [named, layer];
    expected.sort();
    assert_eq!(released, expected, "and not the config, which `b` holds");
}

#[tokio::test]
async fn a_deleted_manifest_leaves_its_file_to_those_who_have_it_too() {
    let db = Database::new();
    let manifest = db.image("a", "one", &["latest"]).await;
    db.image("b", "one", &[]).await;
    let whole = index(&[manifest]);
    db.push("b", &whole, &[]).await;

    for (repository, digest) in [("a", manifest), ("b", manifest)] {
        let repository = repo(repository);
        db.meta
            .delete_manifest(&repository, &digest, |_| Vec::new())
            .await
            .unwrap();
        assert!(db.release().await.is_empty(), "{repository}");
    }
    let deleted = db
        .meta
        .delete_manifest(&repo("b"), &whole.digest(), |_| Vec::new())
        .await;

    assert_eq!(deleted.unwrap(), Some(Vec::new()));
    let released = db.release().await;
    assert!(released.contains(&manifest) && released.contains(&whole.digest()));
}

#[tokio::test]
async fn a_subject_needs_no_file() {
    let db = Database::new();
    let subject = db.image("a", "one", &[]).await;
    let signature = referrer(&subject, "application/x-signature", "");
    db.push("a", &signature, &[]).await;

    db.meta
        .delete_manifest(&repo("a"), &subject, |_| Vec::new())
        .await
        .unwrap();

    assert_eq!(db.release().await, [subject]);
}

#[tokio::test]
async fn an_alias_keeps_what_it_leads_to() {
    let db = Database::new();
    let (alias, target) = (long_digest("content"), db.blob("a", "content").await);
    let aliased = db.meta.alias_blob(&repo("b"), &alias, &target).await;
    assert!(aliased.unwrap());

    db.delete("a", &target).await;

    assert!(db.release().await.is_empty());
    db.delete("b", &alias).await;
    assert!(db.release().await.contains(&target));
}

#[tokio::test]
async fn a_blob_that_is_pushed_again_before_its_turn_stays() {
    let db = Database::new();
    let blob = db.blob("a", "content").await;
    db.delete("a", &blob).await;
    db.blob("b", "content").await;

    assert!(db.release().await.is_empty());

    assert!(db.meta.blob_anywhere(&blob).await.unwrap().is_some());
    assert!(db.queued().await.is_empty());
}

#[tokio::test]
async fn what_was_let_go_of_goes_with_its_bytes_and_its_findings() {
    let db = Database::new();
    let (bad, small) = (db.blob("a", "bad").await, digest("small"));
    let finding = Finding {
        kind: FindingKind::BlobMissing,
        repo: None,
        subject: bad.to_string(),
        detail: String::new(),
    };
    db.meta.mark_blob_bad(&bad, &finding).await.unwrap();
    let bytes = Some(Bytes::from("small"));
    let held = db
        .meta
        .hold_blob(&repo("a"), &small, 5, bytes, Vec::new())
        .await;
    held.unwrap();

    db.delete("a", &bad).await;
    db.delete("a", &small).await;

    assert_eq!(db.release().await, [bad, small]);
    assert_eq!(db.meta.waiting_bytes().await.unwrap(), 0);
    assert!(db.meta.findings(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_deleted_waits_for_the_links_that_were_queued_before() {
    let db = Database::new();
    let (first, second) = (db.blob("a", "1").await, db.blob("a", "2").await);
    db.settle().await;
    db.delete("a", &first).await;
    db.delete("a", &second).await;

    let last = db.waiting().await.last().unwrap().sequence;

    assert_eq!(db.meta.releases(last, 100).await.unwrap(), [first]);
    db.meta.postpone_releases(&[first]).await.unwrap();
    assert_eq!(db.queued().await, [second, first]);
}
