use std::time::{Duration, SystemTime};

use boxyard_oci::{Algorithm, Manifest, MediaType};
use bytes::Bytes;

use crate::{
    Owner, TagTarget, WantedState,
    testing::{Database, digest, image, repo, tag, unknown_type},
};

#[tokio::test]
async fn a_push_queues_layers_then_the_revision_then_the_tag() {
    let db = Database::new();

    let pushed = db.image("a", "one", &["latest"]).await;

    let layer = |content| Owner::Layer(repo("a"), digest(content));
    let expected = [
        layer("config of one"),
        layer("layer of one"),
        Owner::Revision(repo("a"), pushed),
        Owner::Tag(repo("a"), tag("latest")),
    ];
    assert_eq!(db.owners().await, expected);
    assert_eq!(db.meta.projection_backlog().await.unwrap(), 4);
}

#[tokio::test]
async fn an_owner_that_is_queued_again_moves_to_the_end_and_shows_its_newest_state() {
    let db = Database::new();
    db.image("a", "one", &["latest", "old"]).await;

    let two = db.image("a", "two", &["latest"]).await;

    let wanted = db.waiting().await;
    let last = wanted.last().unwrap();
    assert_eq!(last.owner, Owner::Tag(repo("a"), tag("latest")));
    let target = TagTarget {
        digest: two,
        expressible: true,
    };
    assert!(matches!(last.state, WantedState::Tag(Some(found)) if found == target));
    assert!(wanted.is_sorted_by_key(|wanted| wanted.sequence));
}

#[tokio::test]
async fn a_repeated_push_of_a_blob_does_not_overtake_the_manifest_that_needs_it() {
    let db = Database::new();
    db.image("a", "one", &[]).await;

    db.blob("a", "layer of one").await;

    let owners = db.owners().await;
    assert_eq!(owners[1], Owner::Layer(repo("a"), digest("layer of one")));
    assert_eq!(owners.len(), 3);
}

#[tokio::test]
async fn a_repeated_push_repairs_a_link_that_was_written_long_ago() {
    let db = Database::new();
    let blob = db.blob("a", "content").await;
    db.settle().await;

    db.blob("a", "content").await;

    assert_eq!(db.owners().await, [Owner::Layer(repo("a"), blob)]);
}

#[tokio::test]
async fn an_owner_that_changed_while_it_was_projected_stays_in_the_queue() {
    let db = Database::new();
    db.image("a", "one", &["latest"]).await;
    let read = db.waiting().await;
    db.meta
        .delete_tag(&repo("a"), &tag("latest"), Vec::new())
        .await
        .unwrap();

    let done: Vec<i64> = read.iter().map(|one| one.sequence).collect();
    db.meta.end_projections(&done).await.unwrap();

    let wanted = db.waiting().await;
    assert_eq!(wanted.len(), 1);
    assert!(matches!(wanted[0].state, WantedState::Tag(None)));
}

#[tokio::test]
async fn nothing_ends_but_what_is_named() {
    let db = Database::new();
    for content in ["one", "two", "three", "four", "five"] {
        db.blob("a", content).await;
    }
    let waiting = db.waiting().await;
    let [one, two, four] = [0, 1, 3].map(|place| waiting[place].sequence);

    db.meta.end_projections(&[four, one, two]).await.unwrap();

    let left = ["three", "five"].map(|content| Owner::Layer(repo("a"), digest(content)));
    assert_eq!(db.owners().await, left);
}

#[tokio::test]
async fn sequences_grow_past_what_was_queued_before_a_restart() {
    let db = Database::new();
    db.blob("a", "one").await;
    let before = db.waiting().await[0].sequence;

    let db = db.reopen();
    db.blob("a", "two").await;

    let after = db.waiting().await;
    assert_eq!(after[0].sequence, before);
    assert!(after[1].sequence > before);
}

#[tokio::test]
async fn a_tag_of_what_distribution_cannot_read_says_so() {
    let db = Database::new();

    let pushed = db.push("a", &unknown_type(&digest("x")), &["latest"]).await;

    let wanted = db.waiting().await;
    let target = TagTarget {
        digest: pushed,
        expressible: false,
    };
    assert!(matches!(wanted[1].state, WantedState::Tag(Some(found)) if found == target));
    assert!(matches!(&wanted[0].state, WantedState::Revision(Some(found)) if !found.expressible));
}

#[tokio::test]
async fn tags_are_queued_again_when_their_manifest_becomes_readable_for_distribution() {
    let db = Database::new();
    let config = db.blob("a", "config").await;
    let payload = image(&config, &[]).payload().clone();
    let text = String::from_utf8(payload.to_vec()).unwrap();
    let untyped = text.replace(
        r#""mediaType":"application/vnd.oci.image.manifest.v1+json","#,
        "",
    );
    let push_as = |media_type: &str| {
        let media_type: MediaType = media_type.parse().unwrap();
        let payload = Bytes::from(untyped.clone());
        Manifest::parse(payload, Some(&media_type), Algorithm::Sha256).unwrap()
    };
    let digest = db
        .push("a", &push_as("application/x-other"), &["latest"])
        .await;
    db.settle().await;

    db.push(
        "a",
        &push_as("application/vnd.oci.image.manifest.v1+json"),
        &[],
    )
    .await;

    let tag = Owner::Tag(repo("a"), tag("latest"));
    assert_eq!(db.owners().await, [Owner::Revision(repo("a"), digest), tag]);
}

#[tokio::test]
async fn a_page_of_the_queue_ends_when_its_content_is_long() {
    let db = Database::new();
    for number in 0..6 {
        let content = vec![number; 5 << 20];
        let (digest, size) = (Algorithm::Sha256.digest(&content), content.len() as u64);
        let bytes = Some(Bytes::from(content));
        db.meta
            .hold_blob(&repo("a"), &digest, size, bytes, Vec::new())
            .await
            .unwrap();
    }

    let page = db.meta.projections(100).await.unwrap();

    assert_eq!(page.len(), 7);
    assert_eq!(db.meta.projection_backlog().await.unwrap(), 12);
}

#[tokio::test]
async fn since_when_an_owner_waits_is_told() {
    let db = Database::new();
    let before = SystemTime::now() - Duration::from_secs(1);
    let blob = db.blob("a", "content").await;
    let owner = Owner::Layer(repo("a"), blob);

    let since = db.meta.pending(&owner).await.unwrap().unwrap();
    db.settle().await;

    assert!(since > before);
    assert_eq!(db.meta.pending(&owner).await.unwrap(), None);
    assert_eq!(db.meta.pending(&Owner::Blob(blob)).await.unwrap(), None);
    let unknown = Owner::Tag(repo("unknown"), tag("latest"));
    assert_eq!(db.meta.pending(&unknown).await.unwrap(), None);
}

#[tokio::test]
async fn dropping_the_queue_keeps_only_the_blobs_that_are_nowhere_else() {
    let db = Database::new();
    let blob = digest("content");
    let bytes = Some(Bytes::from("content"));
    db.meta
        .hold_blob(&repo("a"), &blob, 7, bytes, Vec::new())
        .await
        .unwrap();
    db.image("a", "one", &["latest"]).await;

    db.meta.drop_projections().await.unwrap();

    assert_eq!(db.owners().await, [Owner::Blob(blob)]);
}
