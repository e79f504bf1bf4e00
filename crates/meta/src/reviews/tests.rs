mod plan;

use std::time::{Duration, SystemTime};

use super::*;
use crate::{
    DeleteBlob, Finding, FindingKind, Reconcile,
    testing::{Database, digest, image, index, referrer, repo, tag},
};

/// Later than everything that a test does.
fn later() -> SystemTime {
    SystemTime::now() + Duration::from_hours(1)
}

impl Database {
    async fn reviewed(&self, kind: ReviewKind) -> Vec<Digest> {
        let due = self.meta.reviews(kind, later(), None, 100).await.unwrap();
        due.into_iter().map(|review| review.digest).collect()
    }

    async fn unnamed(&self) -> Vec<Digest> {
        self.reviewed(ReviewKind::Blob).await
    }

    async fn unkept(&self) -> Vec<Digest> {
        self.reviewed(ReviewKind::Manifest).await
    }

    /// Collects what may go, until nothing does any more.
    async fn collect(&self, kinds: &[ReviewKind]) -> Vec<Condemned> {
        let mut condemned = Vec::new();
        loop {
            let before = condemned.len();
            for kind in kinds {
                let due = self.meta.reviews(*kind, later(), None, 100).await.unwrap();
                for outcome in self.meta.collect(due).await.unwrap() {
                    if let Collected::Gone(one) = outcome {
                        condemned.push(one);
                    }
                }
            }
            if condemned.len() == before {
                return condemned;
            }
        }
    }

    async fn delete_image(&self, from: &str, manifest: &Digest) {
        let repo = repo(from);
        let deleted = self.meta.delete_manifest(&repo, manifest, |_| Vec::new());
        assert!(deleted.await.unwrap().is_some());
    }

    async fn untag(&self, from: &str, name: &str) {
        let deleted = self
            .meta
            .delete_tag(&repo(from), &tag(name), Vec::new())
            .await;
        assert!(deleted.unwrap());
    }
}

fn digests(condemned: &[Condemned]) -> Vec<Digest> {
    condemned.iter().map(|one| one.digest).collect()
}

const EVERYTHING: [ReviewKind; 3] = [ReviewKind::Manifest, ReviewKind::Blob, ReviewKind::File];

#[tokio::test]
async fn a_blob_is_looked_at_until_a_manifest_names_it() {
    let db = Database::new();
    let (config, layer) = (db.blob("a", "config").await, db.blob("a", "layer").await);
    let unused = db.blob("a", "unused").await;

    assert_eq!(db.unnamed().await, [config, layer, unused]);
    db.push("a", &image(&config, &[layer]), &["latest"]).await;

    assert_eq!(db.unnamed().await, [unused]);
    db.blob("a", "layer").await;
    assert_eq!(db.unnamed().await, [unused], "it is pushed again and named");
    assert!(db.unkept().await.is_empty());
}

#[tokio::test]
async fn what_a_manifest_named_alone_is_looked_at_when_it_goes() {
    let db = Database::new();
    let shared = db.blob("a", "shared").await;
    let (one, other) = (db.blob("a", "one").await, db.blob("a", "other").await);
    let first = db.push("a", &image(&one, &[shared]), &["1"]).await;
    db.push("a", &image(&other, &[shared]), &["2"]).await;

    db.delete_image("a", &first).await;

    assert_eq!(db.unnamed().await, [one]);
    let gone = db.collect(&[ReviewKind::Blob]).await;
    assert_eq!(digests(&gone), [one]);
    assert_eq!(gone[0].freed, Some(3));
    assert!(!db.holds("a", &one).await);
    assert!(db.holds("a", &shared).await);
    assert!(db.unnamed().await.is_empty());
    let released = db.meta.releases(i64::MAX, 10).await.unwrap();
    assert!(released.contains(&one) && !released.contains(&shared));
}

#[tokio::test]
async fn a_blob_that_another_repository_holds_frees_nothing() {
    let db = Database::new();
    let blob = db.blob("a", "content").await;
    let kept = db.image("b", "b", &["latest"]).await;
    db.meta
        .mount_blob(&repo("a"), &repo("b"), &blob, Vec::new())
        .await
        .unwrap();

    let gone = db.collect(&EVERYTHING).await;

    let freed: Vec<_> = gone.iter().map(|one| one.freed).collect();
    assert_eq!(freed, [None, Some(7)], "the last holder frees it");
    assert!(db.meta.has_manifest(&repo("b"), &kept).await.unwrap());
}

#[tokio::test]
async fn a_manifest_is_looked_at_while_no_tag_names_it() {
    let db = Database::new();
    let untagged = db.image("a", "by digest", &[]).await;
    let moved = db.image("a", "old", &["latest"]).await;

    assert_eq!(db.unkept().await, [untagged]);
    let new = db.image("a", "new", &["latest", "other"]).await;
    assert_eq!(db.unkept().await, [untagged, moved]);
    db.untag("a", "latest").await;
    assert_eq!(db.unkept().await, [untagged, moved]);
    db.untag("a", "other").await;

    assert_eq!(db.unkept().await, [untagged, moved, new]);
    db.image("a", "old", &["back"]).await;
    assert_eq!(db.unkept().await, [untagged, new]);
}

#[tokio::test]
async fn untagged_manifests_go_with_what_they_named_and_nothing_else_does() {
    let db = Database::new();
    let untagged = db.image("a", "untagged", &[]).await;
    let tagged = db.image("a", "tagged", &["latest"]).await;

    let gone = db.collect(&EVERYTHING).await;

    let named = ["config of untagged", "layer of untagged"].map(digest);
    assert_eq!(digests(&gone), [untagged, named[0], named[1]]);
    assert!(gone.iter().all(|one| one.freed.is_some()));
    assert!(!db.meta.has_manifest(&repo("a"), &untagged).await.unwrap());
    assert!(db.meta.has_manifest(&repo("a"), &tagged).await.unwrap());
    assert!(db.unkept().await.is_empty());
}

#[tokio::test]
async fn an_index_keeps_its_children_and_takes_them_along() {
    let db = Database::new();
    let child = db.image("a", "child", &[]).await;
    let shared = db.image("a", "shared", &[]).await;
    let list = db.push("a", &index(&[child, shared]), &["multi"]).await;
    db.push("a", &index(&[shared]), &["single"]).await;

    assert!(db.unkept().await.is_empty());
    db.untag("a", "multi").await;
    assert_eq!(db.unkept().await, [list]);

    let gone = digests(&db.collect(&[ReviewKind::Manifest]).await);
    assert_eq!(gone, [list, child]);
    assert!(db.meta.has_manifest(&repo("a"), &shared).await.unwrap());
}

#[tokio::test]
async fn a_referrer_lives_with_its_subject() {
    let db = Database::new();
    let subject = db.image("a", "subject", &["latest"]).await;
    let early = referrer(&digest("nothing"), "application/x-sbom", "early");
    let signature = db
        .push("a", &referrer(&subject, "application/x-sig", "1"), &[])
        .await;
    let lost = db.push("a", &early, &[]).await;

    assert_eq!(db.unkept().await, [lost], "its subject is not there");
    db.untag("a", "latest").await;
    let gone = digests(&db.collect(&[ReviewKind::Manifest]).await);

    assert_eq!(gone, [lost, subject, signature]);
}

#[tokio::test]
async fn a_subject_that_comes_late_keeps_its_referrers() {
    let db = Database::new();
    let config = db.blob("a", "config").await;
    let subject = image(&config, &[]);
    let early = referrer(&subject.digest(), "application/x-sig", "early");
    let early = db.push("a", &early, &[]).await;

    assert_eq!(db.unkept().await, [early]);
    db.push("a", &subject, &["latest"]).await;

    assert!(db.unkept().await.is_empty());
}

#[tokio::test]
async fn a_fallback_tag_keeps_what_its_index_lists() {
    let db = Database::new();
    let subject = db.image("a", "subject", &["latest"]).await;
    let signature = db.image("a", "signature", &[]).await;
    let fallback = format!("sha256-{}", subject.hex());
    db.push("a", &index(&[signature]), &[&fallback]).await;

    assert!(db.unkept().await.is_empty());
    assert!(db.collect(&EVERYTHING).await.is_empty());
}

#[tokio::test]
async fn a_review_that_a_use_has_overtaken_takes_nothing() {
    let db = Database::new();
    let config = db.blob("a", "config").await;
    let due = db.meta.reviews(ReviewKind::Blob, later(), None, 9).await;
    db.push("a", &image(&config, &[]), &["latest"]).await;

    let outcome = db.meta.collect(due.unwrap()).await.unwrap();

    assert_eq!(outcome, [Collected::Needed]);
    assert!(db.holds("a", &config).await);
}

#[tokio::test]
async fn nothing_is_due_before_its_date_and_pages_follow_each_other() {
    let db = Database::new();
    let before = SystemTime::now() - Duration::from_secs(1);
    let blobs = [db.blob("a", "1").await, db.blob("a", "2").await];

    let due = db.meta.reviews(ReviewKind::Blob, before, None, 9).await;
    assert!(due.unwrap().is_empty());
    let first = db.meta.reviews(ReviewKind::Blob, later(), None, 1).await;
    let first = first.unwrap();
    let after = Some(first[0].position);
    let second = db.meta.reviews(ReviewKind::Blob, later(), after, 9).await;
    let second = second.unwrap();

    let mut both = [first[0].digest, second[0].digest];
    assert_eq!(second.len(), 1);
    both.sort_by_key(|digest| blobs.iter().position(|blob| blob == digest));
    assert_eq!(both, blobs);
}

#[tokio::test]
async fn nothing_goes_while_a_manifest_of_the_repository_cannot_be_read() {
    let db = Database::new();
    let doubtful = db.blob("a", "doubtful").await;
    let free = db.blob("b", "free").await;
    let finding = Finding {
        kind: FindingKind::ManifestUnreadable,
        repo: Some(repo("a")),
        subject: digest("broken").to_string(),
        detail: "it is no JSON".to_owned(),
    };
    db.meta.record_finding(&finding).await.unwrap();

    let due = db.meta.reviews(ReviewKind::Blob, later(), None, 9).await;
    let due = due.unwrap();
    let outcome = db.meta.collect(due.clone()).await.unwrap();

    assert_eq!(outcome[0], Collected::Doubtful);
    assert!(db.holds("a", &doubtful).await);
    assert!(!db.holds("b", &free).await);
    db.meta.postpone_reviews(&due[..1]).await.unwrap();
    let again = db.meta.reviews(ReviewKind::Blob, later(), None, 9).await;
    assert!(again.unwrap()[0].since >= due[0].since);
}

#[tokio::test]
async fn a_blob_that_was_deleted_is_not_looked_at() {
    let db = Database::new();
    let blob = db.blob("a", "content").await;

    let deleted = db.meta.delete_blob(&repo("a"), &blob, Vec::new()).await;

    assert_eq!(deleted.unwrap(), DeleteBlob::Deleted);
    assert!(db.unnamed().await.is_empty());
}

#[tokio::test]
async fn what_an_adopted_folder_does_not_need_is_dated_when_all_is_known() {
    let db = Database::new();
    let used = db.image("a", "used", &["latest"]).await;
    let layer = |digest: Digest| Reconcile::Layer {
        repo: repo("a"),
        digest,
        seen: None,
        tree: Some(crate::LayerInTree {
            target: digest,
            size: 7,
        }),
    };
    db.meta.begin_run().await.unwrap();
    let unused: Vec<Digest> = (0..5).map(|number| digest(&number.to_string())).collect();
    let found = unused.iter().copied().map(layer).collect();
    db.meta.reconcile(found).await.unwrap();
    let file = digest("a file that nobody holds");

    assert!(!db.meta.was_adopted(&repo("a")).await.unwrap());
    let mut after = Some(0);
    while let Some(position) = after {
        after = db
            .meta
            .review_adopted(&repo("a"), position, 2)
            .await
            .unwrap();
    }
    db.meta
        .review_files(&[file, unused[0], used])
        .await
        .unwrap();
    db.meta.mark_complete(&repo("a"), 1).await.unwrap();

    assert!(db.meta.was_adopted(&repo("a")).await.unwrap());
    assert!(db.collect(&EVERYTHING).await.is_empty(), "no date has come");
    for kind in EVERYTHING {
        while db.meta.begin_adopted_reviews(kind, 2).await.unwrap() > 0 {}
    }
    let mut gone = digests(&db.collect(&EVERYTHING).await);
    let mut expected: Vec<Digest> = unused.into_iter().chain([file]).collect();
    gone.sort_unstable();
    expected.sort_unstable();
    assert_eq!(gone, expected);
}

#[tokio::test]
async fn what_another_registry_changes_in_a_known_repository_is_looked_at() {
    let db = Database::new();
    let manifest = db.image("a", "image", &["latest"]).await;
    let run = db.meta.begin_run().await.unwrap();
    db.meta
        .mark_complete(&repo("a"), run.generation)
        .await
        .unwrap();
    db.settle().await;
    db.meta.begin_run().await.unwrap();

    let tag = Reconcile::Tag {
        repo: repo("a"),
        tag: tag("latest"),
        seen: Some(manifest),
        tree: None,
        modified: None,
    };
    let link = Reconcile::Layer {
        repo: repo("a"),
        digest: digest("left over"),
        seen: None,
        tree: Some(crate::LayerInTree {
            target: digest("left over"),
            size: 9,
        }),
    };
    db.meta.reconcile(vec![tag, link]).await.unwrap();

    assert_eq!(db.unkept().await, [manifest]);
    assert_eq!(db.unnamed().await, [digest("left over")]);
}
