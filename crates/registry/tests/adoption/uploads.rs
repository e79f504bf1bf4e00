//! Uploads that another registry began.

use boxyard_oci::{Algorithm, ContentRange, Digest};
use boxyard_registry::{PushError, Silent, UploadId};
use bytes::Bytes;

use crate::site::{Site, body, permit};
use crate::tree::{Tree, data};

const ID: &str = "0fbfbd56-4d39-4e57-9b39-3d0b4a3f5c11";

/// A folder in which a client has sent `begun` and waits to go on.
fn begun(begun: &[u8]) -> Tree {
    let tree = Tree::new();
    let folder = format!("repositories/team/app/_uploads/{ID}");
    tree.plant(&format!("{folder}/startedat"), "2026-01-01T00:00:00Z");
    tree.plant(&format!("{folder}/data"), begun);
    // Go's own hash state, which nobody else can read.
    tree.plant(
        &format!("{folder}/hashstates/sha256/5"),
        b"sha\x03 something",
    );
    tree
}

fn id() -> UploadId {
    ID.parse().unwrap()
}

fn digest(bytes: &[u8]) -> Digest {
    Algorithm::Sha256.digest(bytes)
}

async fn status(site: &Site) -> Option<u64> {
    site.registry
        .upload_status(&permit("team/app"), &id())
        .await
        .ok()
}

async fn append(site: &Site, range: Option<&str>, bytes: &'static [u8]) -> Result<u64, PushError> {
    let range = range.map(|range| range.parse::<ContentRange>().unwrap());
    let bytes = body(&Bytes::from_static(bytes));
    site.registry
        .append(&permit("team/app"), &id(), range, bytes)
        .await
}

async fn finish(site: &Site, digest: &Digest, bytes: &'static [u8]) -> Result<(), PushError> {
    let bytes = body(&Bytes::from_static(bytes));
    site.registry
        .finish(
            &permit("team/app"),
            &id(),
            digest,
            None,
            bytes,
            &Silent::teller(),
        )
        .await
}

#[tokio::test]
async fn an_upload_goes_on_where_the_other_registry_has_stopped() {
    let tree = begun(b"begun");
    let site = Site::open(&tree).await;

    assert_eq!(status(&site).await, Some(5));
    assert_eq!(append(&site, Some("5-9"), b" here").await.unwrap(), 10);
    assert_eq!(status(&site).await, Some(10));
    finish(&site, &digest(b"begun here, done"), b", done")
        .await
        .unwrap();

    let digest = digest(b"begun here, done").to_string();
    assert_eq!(
        site.blob("team/app", &digest).await.unwrap(),
        b"begun here, done"
    );
    assert_eq!(status(&site).await, None);
    assert!(tree.has(&data(&digest)));
    assert!(!tree.has(&format!("repositories/team/app/_uploads/{ID}")));
}

#[tokio::test]
async fn an_upload_may_end_with_a_digest_of_another_algorithm() {
    let tree = begun(b"begun");
    let site = Site::open(&tree).await;
    let digest = Algorithm::Sha512.digest(b"begun, done");

    finish(&site, &digest, b", done").await.unwrap();

    let found = site.blob("team/app", &digest.to_string()).await;
    assert_eq!(found.unwrap(), b"begun, done");
}

#[tokio::test]
async fn a_chunk_in_the_wrong_place_is_told_the_right_one() {
    let tree = begun(b"begun");
    let site = Site::open(&tree).await;

    let refused = append(&site, Some("3-7"), b" here").await;

    assert!(matches!(
        refused,
        Err(PushError::RangeInvalid { expected: 5, .. })
    ));
    assert_eq!(status(&site).await, Some(5));
}

#[tokio::test]
async fn an_upload_survives_every_start_until_it_is_cancelled() {
    let tree = begun(b"begun");
    for size in [5, 10] {
        let site = Site::open(&tree).await;
        assert_eq!(status(&site).await, Some(size));
        append(&site, None, b" here").await.unwrap();
        site.index().await;
        site.stop().await;
    }

    let site = Site::open(&tree).await;
    assert_eq!(status(&site).await, Some(15));
    let cancelled = site
        .registry
        .cancel_upload(&permit("team/app"), &id())
        .await;
    cancelled.unwrap();

    assert_eq!(status(&site).await, None);
    site.stop().await;
    assert!(!tree.has(&format!("repositories/team/app/_uploads/{ID}")));
}

#[tokio::test]
async fn an_upload_belongs_to_its_repository() {
    let tree = begun(b"begun");
    let site = Site::open(&tree).await;

    let elsewhere = site.registry.upload_status(&permit("team"), &id()).await;

    assert!(matches!(elsewhere, Err(PushError::UploadUnknown)));
    assert_eq!(status(&site).await, Some(5));
}

#[tokio::test]
async fn a_repository_with_nothing_but_an_upload_takes_a_push() {
    let tree = begun(b"");
    let site = Site::open(&tree).await;
    assert_eq!(status(&site).await, Some(0));
    site.index().await;
    assert!(site.catalog(5).await.is_empty());

    finish(&site, &digest(b"all"), b"all").await.unwrap();

    assert_eq!(
        site.blob("team/app", &digest(b"all").to_string())
            .await
            .unwrap(),
        b"all"
    );
}
