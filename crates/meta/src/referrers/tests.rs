use boxyard_oci::Digest;

use crate::testing::{Database, digest, referrer, repo};

#[tokio::test]
async fn referrers_come_in_pages_without_gap_or_overlap() {
    let db = Database::new();
    let subject = digest("subject");
    let mut pushed = Vec::new();
    for note in ["1", "2", "3", "4", "5"] {
        pushed.push(db.push("a", &referrer(&subject, "text/x", note), &[]).await);
    }

    let mut listed: Vec<Digest> = Vec::new();
    loop {
        let page = db
            .meta
            .referrers(&repo("a"), &subject, None, listed.last(), 2)
            .await
            .unwrap();
        if page.is_empty() {
            break;
        }
        listed.extend(page.iter().map(|referrer| referrer.digest));
    }

    assert_eq!(listed, pushed);
}

#[tokio::test]
async fn referrers_are_filtered_by_artifact_type() {
    let db = Database::new();
    let subject = digest("subject");
    db.push("a", &referrer(&subject, "text/x", "1"), &[]).await;
    let signature = db.push("a", &referrer(&subject, "text/y", "2"), &[]).await;

    let found = db
        .meta
        .referrers(&repo("a"), &subject, Some("text/y"), None, 10)
        .await
        .unwrap();

    assert_eq!(found.len(), 1);
    assert_eq!(found[0].digest, signature);
    assert_eq!(found[0].artifact_type.as_deref(), Some("text/y"));
    assert_eq!(found[0].size, found[0].payload.len() as u64);
}

#[tokio::test]
async fn a_referrer_is_found_before_and_after_its_subject_and_in_its_repository_only() {
    let db = Database::new();
    let config = db.blob("a", "config of one").await;
    let layer = db.blob("a", "layer of one").await;
    let subject = crate::testing::image(&config, &[layer]).digest();
    let referring = db.push("a", &referrer(&subject, "text/x", "1"), &[]).await;

    db.image("a", "one", &["latest"]).await;
    db.meta
        .delete_manifest(&repo("a"), &subject, |_| Vec::new())
        .await
        .unwrap();

    let found = db
        .meta
        .referrers(&repo("a"), &subject, None, None, 10)
        .await
        .unwrap();
    assert_eq!(found[0].digest, referring);
    assert!(
        db.meta
            .referrers(&repo("b"), &subject, None, None, 10)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_deleted_referrer_is_no_longer_listed_and_the_page_after_it_still_is() {
    let db = Database::new();
    let subject = digest("subject");
    let first = db.push("a", &referrer(&subject, "text/x", "1"), &[]).await;
    let second = db.push("a", &referrer(&subject, "text/x", "2"), &[]).await;

    db.meta
        .delete_manifest(&repo("a"), &first, |_| Vec::new())
        .await
        .unwrap();

    let all = db
        .meta
        .referrers(&repo("a"), &subject, None, None, 10)
        .await
        .unwrap();
    let after = db
        .meta
        .referrers(&repo("a"), &subject, None, Some(&first), 10)
        .await
        .unwrap();
    assert_eq!(all[0].digest, second);
    assert_eq!(after[0].digest, second);
}
