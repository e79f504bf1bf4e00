//! What registries of all ages have left behind, object by object.

use std::fs;

use boxyard_registry::{FindingKind, PullError};
use boxyard_testkit::{Blob, Image, Index, sha512};
use serde_json::json;

use crate::site::{Site, at_all_times};
use crate::tree::{
    Tree, current_link, data, layer_link, revision_folder, revision_link, tag_folder,
};

fn app() -> Image {
    Image::with_layers(1, &[100, 200])
}

fn with_app() -> Tree {
    let tree = Tree::new();
    tree.image("app", "latest", &app());
    tree
}

#[tokio::test]
async fn a_link_of_another_algorithm_is_an_alias_of_its_blob() {
    let tree = with_app();
    let bytes = b"pushed by its SHA-512";
    let (target, alias) = (tree.blob(bytes), sha512(bytes));
    tree.layer("app", &target);
    tree.plant(&layer_link("app", &alias), &target);

    at_all_times(&tree, async |site| {
        for name in [&alias, &target] {
            assert_eq!(site.blob("app", name).await.unwrap(), bytes);
            assert_eq!(site.blob_size("app", name).await, Some(bytes.len() as u64));
            assert_eq!(site.blob("other", name).await, None);
        }
    })
    .await;
}

#[tokio::test]
async fn an_alias_may_be_named_mounted_and_deleted() {
    let tree = with_app();
    let bytes = b"pushed by its SHA-512";
    let (target, alias) = (tree.blob(bytes), sha512(bytes));
    tree.plant(&layer_link("app", &alias), &target);
    let site = Site::open(&tree).await;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": boxyard_oci::media_type::OCI_MANIFEST,
        "config": app().config.descriptor(),
        "layers": [{ "mediaType": "application/x.test", "digest": alias, "size": bytes.len() }],
    });
    let manifest = Blob::json(boxyard_oci::media_type::OCI_MANIFEST, &manifest);

    site.push_manifest("app", "by-alias", &manifest)
        .await
        .unwrap();
    assert!(site.mount("app", "other", &alias).await);

    assert!(
        site.delete_blob("app", &alias).await.is_err(),
        "a manifest names it"
    );
    site.stop().await;
    tree.lose_database();
    let site = Site::open(&tree).await;
    assert_eq!(site.blob("other", &alias).await.unwrap(), bytes);
    site.delete_blob("other", &alias).await.unwrap();
    assert_eq!(site.blob("other", &alias).await, None);
    assert_eq!(site.blob("app", &alias).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_link_without_its_blob_is_absent_and_a_push_heals_it() {
    let tree = with_app();
    let layer = app().layers[0].clone();
    tree.remove(&data(&layer.digest));
    at_all_times(&tree, async |site| {
        assert_eq!(site.blob("app", &layer.digest).await, None);
        assert_eq!(site.blob_size("app", &layer.digest).await, None);
        assert!(!site.mount("app", "other", &layer.digest).await);
        assert!(site.resolve("app", "latest").await.is_some());
    })
    .await;

    let site = Site::open(&tree).await;
    site.push_blob("app", &layer.bytes).await.unwrap();

    assert_eq!(site.blob("app", &layer.digest).await.unwrap(), layer.bytes);
    site.stop().await;
    at_all_times(&tree, async |site| {
        assert_eq!(site.blob("app", &layer.digest).await.unwrap(), layer.bytes);
    })
    .await;
}

#[tokio::test]
async fn a_manifest_linked_only_as_a_layer_is_served_by_tag_and_digest() {
    let tree = with_app();
    for (image, tag) in [
        (Image::with_layers(2, &[10]), Some("old")),
        (Image::with_layers(3, &[10]), None),
    ] {
        tree.untagged("app", &image);
        tree.remove(&revision_folder("app", &image.manifest.digest));
        tree.layer("app", &image.manifest.digest);
        if let Some(tag) = tag {
            tree.tag("app", tag, &image.manifest.digest);
        }
    }
    let (tagged, untagged) = (Image::with_layers(2, &[10]), Image::with_layers(3, &[10]));

    at_all_times(&tree, async |site| {
        assert_eq!(site.tags("app", 10).await, ["latest", "old"]);
        assert_eq!(
            site.resolve("app", "old").await.unwrap(),
            tagged.manifest.digest
        );
        for image in [&tagged, &untagged] {
            let found = site.manifest("app", &image.manifest.digest).await.unwrap();
            assert_eq!(found.payload, image.manifest.bytes);
        }
        let config = site.manifest("app", &tagged.config.digest).await;
        assert!(matches!(config, Err(PullError::ManifestUnknown)));
    })
    .await;
}

#[tokio::test]
async fn a_manifest_linked_only_as_a_layer_stays_deleted() {
    let tree = with_app();
    let digest = app().manifest.digest;
    tree.remove(&revision_folder("app", &digest));
    tree.layer("app", &digest);
    let site = Site::open(&tree).await;

    site.delete_manifest("app", &digest).await.unwrap();

    assert!(site.manifest("app", &digest).await.is_err());
    site.stop().await;
    at_all_times(&tree, async |site| {
        assert!(site.manifest("app", &digest).await.is_err());
        assert!(site.tags("app", 10).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_tag_whose_revision_is_gone_is_listed_and_answers_404() {
    let tree = with_app();
    tree.image("app", "lost", &Image::with_layers(2, &[10]));
    let digest = Image::with_layers(2, &[10]).manifest.digest;
    tree.remove(&revision_link("app", &digest));

    at_all_times(&tree, async |site| {
        assert_eq!(site.tags("app", 1).await, ["latest", "lost"]);
        for reference in ["lost", &digest] {
            let found = site.manifest("app", reference).await;
            assert!(
                matches!(found, Err(PullError::ManifestUnknown)),
                "{reference}"
            );
        }
    })
    .await;
    let site = Site::open(&tree).await;
    site.push_image("app", "lost", &Image::with_layers(2, &[10]))
        .await;
    assert_eq!(site.resolve("app", "lost").await, Some(digest));
}

#[tokio::test]
async fn a_garbled_tag_recovers_from_a_sole_entry_of_its_index() {
    for garbage in ["", "sha256:", "sha256:0123\n", "\0\0\0\0"] {
        let tree = with_app();
        tree.plant(&current_link("app", "latest"), garbage);

        at_all_times(&tree, async |site| {
            assert_eq!(site.tags("app", 1).await, ["latest"], "{garbage:?}");
            assert_eq!(
                site.resolve("app", "latest").await,
                Some(app().manifest.digest)
            );
            assert_eq!(
                site.findings().await,
                [(FindingKind::LinkGarbled, "latest".to_owned())]
            );
        })
        .await;
    }
}

#[tokio::test]
async fn a_garbled_tag_of_several_manifests_is_a_finding_that_a_push_heals() {
    let tree = with_app();
    tree.image("app", "torn", &Image::with_layers(2, &[10]));
    tree.image("app", "torn", &Image::with_layers(3, &[10]));
    tree.plant(&current_link("app", "torn"), "");
    let finding = [(FindingKind::LinkGarbled, "torn".to_owned())];
    at_all_times(&tree, async |site| {
        assert!(matches!(
            site.manifest("app", "torn").await,
            Err(PullError::ManifestUnknown)
        ));
        assert_eq!(site.tags("app", 1).await, ["latest"]);
        assert_eq!(site.findings().await, finding);
    })
    .await;

    let site = Site::open(&tree).await;
    site.push_image("app", "torn", &Image::with_layers(4, &[10]))
        .await;

    let digest = Image::with_layers(4, &[10]).manifest.digest;
    assert_eq!(site.resolve("app", "torn").await, Some(digest.clone()));
    site.stop().await;
    at_all_times(&tree, async |site| {
        assert_eq!(site.resolve("app", "torn").await, Some(digest.clone()));
        assert_eq!(site.tags("app", 5).await, ["latest", "torn"]);
    })
    .await;
}

#[tokio::test]
async fn garbled_links_of_manifests_and_layers_hide_only_themselves() {
    let tree = with_app();
    let broken = Image::with_layers(2, &[10, 20]);
    tree.image("app", "broken", &broken);
    tree.plant(&revision_link("app", &broken.manifest.digest), "");
    tree.plant(&layer_link("app", &broken.layers[0].digest), "garbage");
    tree.plant(&layer_link("app", &broken.layers[1].digest), "");

    at_all_times(&tree, async |site| {
        assert!(matches!(
            site.manifest("app", "broken").await,
            Err(PullError::ManifestUnknown)
        ));
        assert_eq!(site.blob("app", &broken.layers[0].digest).await, None);
        assert_eq!(site.blob("app", &broken.layers[1].digest).await, None);
        assert!(site.resolve("app", "latest").await.is_some());
        let found = site.findings().await;
        let of = |digest: &str| {
            found
                .iter()
                .filter(|(_, subject)| subject == digest)
                .count()
        };
        assert_eq!(of(&broken.manifest.digest), 1, "{found:?}");
        assert_eq!(of(&broken.layers[0].digest), 1, "{found:?}");
        assert_eq!(of(&broken.layers[1].digest), 1, "{found:?}");
    })
    .await;
}

#[tokio::test]
async fn a_repository_of_nothing_but_garbage_is_not_listed() {
    let tree = with_app();
    tree.plant(&current_link("ruin", "torn"), "");
    tree.plant(&revision_link("ruin", &app().manifest.digest), "");

    at_all_times(&tree, async |site| {
        assert!(site.tags("ruin", 5).await.is_empty());
        assert_eq!(site.resolve("ruin", "torn").await, None);
        assert!(site.manifest("ruin", &app().manifest.digest).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_truncated_layer_is_a_finding_and_404_until_it_is_pushed_again() {
    let tree = with_app();
    let layer = app().layers[1].clone();
    tree.layer("other", &layer.digest);
    tree.plant(&data(&layer.digest), &layer.bytes[..50]);
    at_all_times(&tree, async |site| {
        // Only the manifest tells how long it should be.
        assert!(site.resolve("app", "latest").await.is_some());
        for repo in ["app", "other"] {
            assert_eq!(site.blob(repo, &layer.digest).await, None, "{repo}");
            assert_eq!(site.blob_size(repo, &layer.digest).await, None);
        }
        assert!(!site.mount("app", "third", &layer.digest).await);
        let found = site.findings().await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].1, layer.digest);
    })
    .await;

    let site = Site::open(&tree).await;
    site.push_blob("app", &layer.bytes).await.unwrap();

    assert_eq!(site.findings().await, []);
    site.stop().await;
    at_all_times(&tree, async |site| {
        for repo in ["app", "other"] {
            assert_eq!(site.blob(repo, &layer.digest).await.unwrap(), layer.bytes);
        }
        assert_eq!(site.findings().await, []);
    })
    .await;
}

#[tokio::test]
async fn a_truncated_layer_that_another_program_repairs_is_served_again() {
    let tree = with_app();
    let layer = app().layers[1].clone();
    tree.plant(&data(&layer.digest), &layer.bytes[..50]);
    let site = Site::open(&tree).await;
    site.index().await;
    assert_eq!(site.blob("app", &layer.digest).await, None);
    site.stop().await;

    tree.plant(&data(&layer.digest), &layer.bytes);

    let site = Site::open(&tree).await;
    assert_eq!(site.blob("app", &layer.digest).await.unwrap(), layer.bytes);
    assert_eq!(site.findings().await, []);
    site.stop().await;
    tree.plant(&data(&layer.digest), &layer.bytes[..50]);
    let site = Site::open(&tree).await;
    site.index().await;
    assert_eq!(site.blob("app", &layer.digest).await, None);
    site.stop().await;
    tree.plant(&data(&layer.digest), &layer.bytes);
    let site = Site::open(&tree).await;
    site.index().await;
    assert_eq!(site.blob("app", &layer.digest).await.unwrap(), layer.bytes);
    assert_eq!(site.findings().await, []);
}

#[tokio::test]
async fn a_push_replaces_bytes_that_nobody_here_has_ever_hashed() {
    let tree = with_app();
    let layer = app().layers[0].clone();
    let mut flipped = layer.bytes.to_vec();
    flipped[0] ^= 1;
    tree.plant(&data(&layer.digest), &flipped);
    let site = Site::open(&tree).await;
    site.index().await;
    assert_eq!(site.blob("app", &layer.digest).await.unwrap(), flipped);

    site.push_blob("app", &layer.bytes).await.unwrap();

    assert_eq!(site.blob("app", &layer.digest).await.unwrap(), layer.bytes);
}

#[tokio::test]
async fn a_manifest_that_lies_about_a_size_harms_nobody_else() {
    let tree = with_app();
    let layer = app().layers[0].clone();
    let mut descriptor = layer.descriptor();
    descriptor["size"] = json!(7);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": boxyard_oci::media_type::OCI_MANIFEST,
        "config": app().config.descriptor(),
        "layers": [descriptor],
    });
    let liar = Blob::json(boxyard_oci::media_type::OCI_MANIFEST, &manifest);
    tree.manifest("app", &liar);
    tree.tag("app", "liar", &liar.digest);

    at_all_times(&tree, async |site| {
        assert_eq!(site.resolve("app", "liar").await, Some(liar.digest.clone()));
        assert_eq!(site.blob("app", &layer.digest).await.unwrap(), layer.bytes);
        let found = site.findings().await;
        assert_eq!(found, [(FindingKind::BlobSize, liar.digest.clone())]);
    })
    .await;
}

#[tokio::test]
async fn a_manifest_whose_file_is_damaged_is_a_finding_and_404() {
    let tree = with_app();
    for (tag, damaged) in [("cut", ""), ("other", "{}"), ("text", "no JSON")] {
        let image = Image::with_layers(tag.len() as u64 + 10 + damaged.len() as u64, &[10]);
        tree.image("app", tag, &image);
        tree.plant(&data(&image.manifest.digest), damaged);
    }
    let gone = Image::with_layers(99, &[10]);
    tree.image("app", "gone", &gone);
    tree.remove(&data(&gone.manifest.digest));

    at_all_times(&tree, async |site| {
        assert_eq!(
            site.tags("app", 2).await,
            ["cut", "gone", "latest", "other", "text"]
        );
        for tag in ["cut", "gone", "other", "text"] {
            let found = site.manifest("app", tag).await;
            assert!(matches!(found, Err(PullError::ManifestUnknown)), "{tag}");
        }
        let found = site.findings().await;
        assert_eq!(found.len(), 4, "{found:?}");
    })
    .await;
    let site = Site::open(&tree).await;
    site.push_image("app", "gone", &gone).await;
    assert_eq!(
        site.resolve("app", "gone").await,
        Some(gone.manifest.digest)
    );
}

/// Docker's schema 1, as distribution stores it: without its signatures.
fn schema1() -> Blob {
    let layer = Blob::new("", "a layer of long ago");
    let document = json!({
        "schemaVersion": 1,
        "name": "old/app",
        "tag": "latest",
        "architecture": "amd64",
        "fsLayers": [{ "blobSum": layer.digest }],
        "history": [{ "v1Compatibility": "{\"id\":\"1\"}" }],
    });
    Blob::json(boxyard_oci::media_type::DOCKER_SCHEMA1_SIGNED, &document)
}

#[tokio::test]
async fn a_schema_1_manifest_is_listed_and_kept_and_answers_with_the_reason() {
    let tree = with_app();
    let layer = tree.blob("a layer of long ago");
    tree.layer("old/app", &layer);
    tree.manifest("old/app", &schema1());
    tree.tag("old/app", "latest", &schema1().digest);

    at_all_times(&tree, async |site| {
        assert_eq!(site.catalog(1).await, ["app", "old/app"]);
        assert_eq!(site.tags("old/app", 1).await, ["latest"]);
        for reference in ["latest", &schema1().digest] {
            let found = site.manifest("old/app", reference).await;
            assert!(matches!(found, Err(PullError::Schema1)), "{reference}");
        }
        assert_eq!(
            site.blob("old/app", &layer).await.unwrap(),
            b"a layer of long ago"
        );
        let refused = site.delete_blob("old/app", &layer).await;
        assert!(refused.is_err(), "the manifest names it");
        assert_eq!(site.findings().await, []);
    })
    .await;
    assert_eq!(
        fs::read(tree.path(&data(&schema1().digest))).unwrap(),
        schema1().bytes
    );
}

#[tokio::test]
async fn a_schema_1_manifest_can_be_deleted() {
    let tree = with_app();
    tree.manifest("old/app", &schema1());
    tree.tag("old/app", "latest", &schema1().digest);
    let site = Site::open(&tree).await;

    site.delete_manifest("old/app", &schema1().digest)
        .await
        .unwrap();

    site.stop().await;
    at_all_times(&tree, async |site| {
        assert_eq!(site.catalog(5).await, ["app"]);
        assert!(site.manifest("old/app", "latest").await.is_err());
    })
    .await;
    assert!(!tree.has(&tag_folder("old/app", "latest")));
}

#[tokio::test]
async fn an_index_whose_images_are_gone_is_served() {
    let tree = with_app();
    let index = Index::with_platforms(5, &["amd64", "arm64"]);
    tree.index("app", "index", &index);
    let gone = &index.images[0].manifest.digest;
    tree.remove(&revision_link("app", gone));

    at_all_times(&tree, async |site| {
        assert_eq!(
            site.resolve("app", "index").await,
            Some(index.manifest.digest.clone())
        );
        assert!(site.manifest("app", gone).await.is_err());
        assert!(
            site.manifest("app", &index.images[1].manifest.digest)
                .await
                .is_ok()
        );
    })
    .await;
}

#[tokio::test]
async fn folders_that_a_delete_left_without_their_links_are_nothing() {
    let tree = with_app();
    let image = Image::with_layers(2, &[10]);
    tree.image("app", "deleted", &image);
    // Distribution removes the file and leaves its folder.
    tree.remove(&revision_link("app", &image.manifest.digest));
    tree.remove(&layer_link("app", &image.layers[0].digest));
    tree.untag("app", "deleted");

    at_all_times(&tree, async |site| {
        assert_eq!(site.tags("app", 5).await, ["latest"]);
        assert!(site.manifest("app", &image.manifest.digest).await.is_err());
        assert_eq!(site.blob("app", &image.layers[0].digest).await, None);
        assert_eq!(site.findings().await, []);
    })
    .await;
}

#[tokio::test]
async fn a_tag_that_never_got_its_link_is_not_listed() {
    let tree = with_app();
    tree.image("app", "begun", &Image::with_layers(2, &[10]));
    tree.remove(&current_link("app", "begun"));

    at_all_times(&tree, async |site| {
        assert_eq!(site.tags("app", 1).await, ["latest"]);
        assert_eq!(site.resolve("app", "begun").await, None);
        assert_eq!(site.findings().await, []);
    })
    .await;
}
