use boxyard_oci::Digest;

use crate::testing::{Database, repo};

#[tokio::test]
async fn present_blobs_come_in_pages() {
    let db = Database::new();
    let first = db.blob("a", "one").await;
    let second = db.blob("b", "three").await;

    let page = db.meta.present_blobs(0, 1).await.unwrap();
    let rest = db.meta.present_blobs(page[0].id, 10).await.unwrap();

    let digests = |page: &[crate::PresentBlob]| -> Vec<Digest> {
        page.iter().map(|blob| blob.digest).collect()
    };
    assert_eq!(digests(&page), [first]);
    assert_eq!(digests(&rest), [second]);
    assert_eq!(db.meta.present_bytes().await.unwrap(), 8);
}

#[tokio::test]
async fn repositories_and_tags_are_summed_up() {
    let db = Database::new();
    let digest = db.image("a", "x", &["one", "two"]).await;

    let summary = db.meta.repository_summary(&repo("a")).await.unwrap();
    let tags = db.meta.tag_summaries(&repo("a"), Some("one"), 10).await;

    let summary = summary.unwrap();
    assert_eq!((summary.tags, summary.manifests), (2, 1));
    assert_eq!(
        summary.bytes,
        ("config of x".len() + "layer of x".len()) as u64
    );
    let tags = tags.unwrap();
    assert_eq!(tags.len(), 1);
    assert_eq!(tags[0].tag.as_str(), "two");
    assert_eq!(tags[0].digest, digest);
    assert!(
        db.meta
            .repository_summary(&repo("b"))
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_manifest_in_quarantine_keeps_its_tags_and_comes_back_by_a_push() {
    let db = Database::new();
    let digest = db.image("a", "x", &["one"]).await;
    let finding = crate::Finding {
        kind: crate::FindingKind::ManifestUnreadable,
        repo: Some(repo("a")),
        subject: digest.to_string(),
        detail: "flipped".to_owned(),
    };

    db.meta
        .quarantine_manifest(&repo("a"), &digest, &finding)
        .await
        .unwrap();

    assert!(
        db.meta
            .manifest(&repo("a"), &digest)
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(db.tags("a").await, ["one"]);
    assert_eq!(db.meta.findings(None, 10).await.unwrap().len(), 1);
    db.image("a", "x", &[]).await;
    assert!(
        db.meta
            .manifest(&repo("a"), &digest)
            .await
            .unwrap()
            .is_some()
    );
    assert!(db.meta.findings(None, 10).await.unwrap().is_empty());
}
