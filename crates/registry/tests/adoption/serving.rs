//! A folder of another registry is served in place, whether or not it was compared before.

use std::sync::Arc;

use boxyard_oci::media_type;
use boxyard_registry::{Options, Registry};
use boxyard_testkit::{Blob, Image, Index};
use serde_json::json;

use crate::crash::Crash;
use crate::site::{Site, at_all_times};
use crate::tree::{Tree, data, layer_link, tag_folder};

/// A folder with a manifest of every type that distribution stores.
fn every_type() -> Tree {
    let tree = Tree::new();
    let image = Image::with_layers(1, &[100, 2000]);
    tree.image("oci", "image", &image);
    tree.image(
        "docker",
        "image",
        &Image::with_layers(2, &[300]).to_docker(),
    );
    let platforms = ["amd64", "arm64"];
    tree.index("oci", "index", &Index::with_platforms(3, &platforms));
    tree.index(
        "docker",
        "list",
        &Index::with_platforms(4, &platforms).to_docker(),
    );
    tree.image("oci", "silent", &without_media_type(5));
    let artifact = Image::artifact(6, "application/x.test", Some(&image.manifest));
    tree.untagged("oci", &artifact);
    tree
}

/// An OCI image whose manifest does not say that it is one.
fn without_media_type(seed: u64) -> Image {
    let mut image = Image::with_layers(seed, &[50]);
    let mut document: serde_json::Value = serde_json::from_slice(&image.manifest.bytes).unwrap();
    document.as_object_mut().unwrap().remove("mediaType");
    image.manifest = Blob::json(media_type::OCI_MANIFEST, &document);
    image
}

#[tokio::test]
async fn every_type_of_manifest_is_served_whole_at_all_times() {
    let tree = every_type();
    let site = Site::open(&tree).await;
    let first = site.served().await;
    site.stop().await;
    assert!(
        first.values().all(|content| content != "absent"),
        "{first:#?}"
    );
    tree.lose_database();

    at_all_times(&tree, async |site| assert_eq!(site.served().await, first)).await;
}

#[tokio::test]
async fn a_manifest_keeps_its_bytes_and_its_type() {
    let tree = every_type();
    let silent = without_media_type(5).manifest;
    let list = Index::with_platforms(4, &["amd64", "arm64"]).to_docker();

    at_all_times(&tree, async |site| {
        for (repo, tag, blob) in [
            ("oci", "silent", &silent),
            ("docker", "list", &list.manifest),
        ] {
            for reference in [tag, blob.digest.as_str()] {
                let found = site.manifest(repo, reference).await.unwrap();
                assert_eq!(found.payload, blob.bytes);
                assert_eq!(found.media_type.as_str(), blob.media_type);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_blob_is_served_before_any_manifest_was_asked_for() {
    let tree = every_type();
    let image = Image::with_layers(1, &[100, 2000]);

    at_all_times(&tree, async |site| {
        for blob in image.blobs() {
            let size = blob.bytes.len() as u64;
            assert_eq!(site.blob_size("oci", &blob.digest).await, Some(size));
            assert_eq!(site.blob("oci", &blob.digest).await.unwrap(), blob.bytes);
            assert_eq!(site.blob("docker", &blob.digest).await, None);
        }
    })
    .await;
}

#[tokio::test]
async fn an_untagged_artifact_refers_to_its_subject() {
    let tree = every_type();
    let subject = Image::with_layers(1, &[100, 2000]).manifest;
    let artifact = Image::artifact(6, "application/x.test", Some(&subject)).manifest;

    at_all_times(&tree, async |site| {
        assert_eq!(
            site.referrers("oci", &subject.digest).await,
            [artifact.digest.as_str()]
        );
        assert!(site.referrers("docker", &subject.digest).await.is_empty());
        assert!(site.referrers("nowhere", &subject.digest).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_fallback_tag_of_an_older_client_is_merged_into_the_referrers() {
    let tree = every_type();
    let subject = Image::with_layers(1, &[100, 2000]).manifest;
    let by_api = Image::artifact(6, "application/x.test", Some(&subject)).manifest;
    let by_tag = Image::artifact(7, "application/x.test", None);
    tree.untagged("oci", &by_tag);
    let index = json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_INDEX,
        "manifests": [by_tag.manifest.descriptor()],
    });
    let index = Blob::json(media_type::OCI_INDEX, &index);
    tree.manifest("oci", &index);
    tree.tag("oci", &subject.digest.replace(':', "-"), &index.digest);
    let mut both = vec![by_api.digest, by_tag.manifest.digest];
    both.sort();

    at_all_times(&tree, async |site| {
        assert_eq!(site.referrers("oci", &subject.digest).await, both);
    })
    .await;
}

#[tokio::test]
async fn a_comparison_that_dies_at_any_step_is_taken_up_by_the_next_start() {
    let tree = every_type();
    let site = Site::open(&tree).await;
    site.index().await;
    let whole = site.served().await;
    site.stop().await;
    for steps in 0.. {
        tree.lose_database();
        let crash = Crash::after(steps);
        let mut options = Options::at(tree.root());
        options.faults = Arc::<Crash>::clone(&crash);
        options.commit_faults = Arc::<Crash>::clone(&crash);
        let finished = match Registry::open(options).await {
            Ok(registry) => registry
                .adopt(|_| {})
                .await
                .is_ok_and(|done| done.failed == 0),
            Err(_) => false,
        };

        let site = Site::open(&tree).await;
        assert_eq!(site.served().await, whole, "after {steps} steps");
        site.index().await;
        assert_eq!(site.served().await, whole, "after {steps} steps, compared");
        site.stop().await;
        if finished {
            assert!(steps > 15, "a comparison has {steps} steps");
            break;
        }
    }
}

#[tokio::test]
async fn a_push_goes_on_where_the_other_registry_has_stopped() {
    let tree = every_type();
    let site = Site::open(&tree).await;
    let image = Image::with_layers(1, &[100, 2000]);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "config": image.config.descriptor(),
        "layers": [image.layers[1].descriptor()],
    });
    let manifest = Blob::json(media_type::OCI_MANIFEST, &manifest);

    site.push_manifest("oci", "half", &manifest).await.unwrap();
    let foreign = site.push_manifest("docker", "half", &manifest).await;

    assert_eq!(
        site.resolve("oci", "half").await,
        Some(manifest.digest.clone())
    );
    assert!(
        foreign.is_err(),
        "the other repository does not hold its blobs"
    );
    assert!(site.mount("oci", "docker", &image.config.digest).await);
    assert!(site.mount("oci", "docker", &image.layers[1].digest).await);
    site.push_manifest("docker", "half", &manifest)
        .await
        .unwrap();
    site.index().await;
    assert_eq!(site.resolve("docker", "half").await, Some(manifest.digest));
}

#[tokio::test]
async fn what_an_interrupted_push_left_is_not_served() {
    let tree = every_type();
    let lonely = tree.blob("nobody links this");
    tree.plant(&format!("{}.1234.tmp", data(&lonely)), "half a blob");
    tree.plant(&format!("{}.1234.tmp", layer_link("oci", &lonely)), "sha2");
    tree.plant("repositories/oci/_manifests/tags/link.tmp", "");
    tree.plant(
        &format!("{}/current/link.99.tmp", tag_folder("oci", "image")),
        "sha2",
    );

    at_all_times(&tree, async |site| {
        assert_eq!(site.tags("oci", 10).await, ["image", "index", "silent"]);
        assert_eq!(site.blob("oci", &lonely).await, None);
        assert!(site.manifest("oci", &lonely).await.is_err());
        assert!(site.resolve("oci", "image").await.is_some());
        assert_eq!(site.findings().await, []);
    })
    .await;
    assert!(tree.has(&data(&lonely)), "only a collection removes it");
}
