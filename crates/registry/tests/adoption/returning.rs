//! Another registry has the folder between two runs of this one.

use std::fs;

use boxyard_oci::media_type;
use boxyard_testkit::{Blob, Image, Index};
use serde_json::json;

use crate::site::{Site, at_all_times};
use crate::tree::{Tree, current_link, data, layer_link, revision_link, tag_folder};

fn image(seed: u64) -> Image {
    Image::with_layers(seed, &[100])
}

/// A folder that this registry has filled, stopped in order.
async fn filled() -> Tree {
    let tree = Tree::new();
    let site = Site::open(&tree).await;
    for (tag, seed) in [("kept", 1), ("moved", 2), ("deleted", 3)] {
        site.push_image("app", tag, &image(seed)).await;
        site.push_image("team/app", tag, &image(seed + 10)).await;
    }
    site.push_index(
        "app",
        "index",
        &Index::with_platforms(20, &["amd64", "arm64"]),
    )
    .await;
    site.stop().await;
    tree
}

/// A manifest of a type that distribution refuses.
fn unknown_type(seed: u64) -> Blob {
    let blob = image(seed);
    let document = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.example.thing.v1+json",
        "things": [blob.config.descriptor(), blob.layers[0].descriptor()],
    });
    Blob::json("application/vnd.example.thing.v1+json", &document)
}

async fn push_unknown(site: &Site, repo: &str, tag: &str, seed: u64) {
    for blob in image(seed).blobs() {
        site.push_blob(repo, &blob.bytes).await.unwrap();
    }
    let pushed = site.push_manifest(repo, tag, &unknown_type(seed)).await;
    pushed.unwrap();
}

/// After an orderly stop the tree alone says what this registry served.
async fn assert_tree_tells_all(tree: &Tree) {
    let site = Site::open(tree).await;
    let with_database = site.served().await;
    site.index().await;
    assert_eq!(site.served().await, with_database);
    site.stop().await;
    tree.lose_database();
    let site = Site::open(tree).await;
    assert_eq!(site.served().await, with_database);
    site.index().await;
    assert_eq!(site.served().await, with_database);
    site.stop().await;
}

#[tokio::test]
async fn every_link_is_where_distribution_looks_for_it() {
    let tree = filled().await;

    let read = |path: &str| fs::read_to_string(tree.path(path)).unwrap();
    let image = image(1);
    let digest = image.manifest.digest.as_str();
    assert_eq!(read(&current_link("app", "kept")), digest);
    let index = digest.replace(':', "/");
    assert_eq!(
        read(&format!("{}/index/{index}/link", tag_folder("app", "kept"))),
        digest
    );
    assert_eq!(read(&revision_link("app", digest)), digest);
    for blob in image.blobs().chain([&image.manifest]) {
        assert_eq!(
            fs::read(tree.path(&data(&blob.digest))).unwrap(),
            blob.bytes
        );
    }
    for blob in image.blobs() {
        assert_eq!(read(&layer_link("app", &blob.digest)), blob.digest);
    }
    assert!(
        !tree.has(&layer_link("app", digest)),
        "a manifest is no layer"
    );
    assert_tree_tells_all(&tree).await;
}

#[tokio::test]
async fn a_repository_has_every_folder_that_the_collectors_of_distribution_walk() {
    let tree = Tree::new();
    let site = Site::open(&tree).await;
    site.push_image("untagged", &image(1).manifest.digest, &image(1))
        .await;
    let empty = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [],
    });
    let empty = Blob::json(media_type::OCI_INDEX, &empty);
    site.push_manifest("empty", "index", &empty).await.unwrap();
    site.push_manifest("alone", &empty.digest, &empty)
        .await
        .unwrap();
    site.stop().await;

    for repo in ["untagged", "empty", "alone"] {
        for folder in ["_layers", "_manifests/revisions", "_manifests/tags"] {
            let path = format!("repositories/{repo}/{folder}");
            assert!(tree.path(&path).is_dir(), "{path}");
        }
    }
    assert_tree_tells_all(&tree).await;
}

#[tokio::test]
async fn what_another_registry_pushes_moves_and_deletes_is_what_is_served() {
    let tree = filled().await;
    tree.image("app", "new", &image(30));
    tree.image("new/app", "latest", &image(31));
    tree.image("app", "moved", &image(32));
    tree.untag("app", "deleted");
    tree.untag("team/app", "deleted");
    tree.remove(&revision_link("team/app", &image(13).manifest.digest));

    let moved = image(32).manifest.digest;
    let new = image(30).manifest.digest;
    at_all_times(&tree, async |site| {
        assert_eq!(site.catalog(1).await, ["app", "new/app", "team/app"]);
        assert_eq!(site.tags("app", 2).await, ["index", "kept", "moved", "new"]);
        assert_eq!(site.tags("team/app", 2).await, ["kept", "moved"]);
        assert_eq!(site.resolve("app", "moved").await.unwrap(), moved);
        assert_eq!(site.resolve("app", "new").await.unwrap(), new);
        assert!(
            site.manifest("app", &image(3).manifest.digest)
                .await
                .is_ok()
        );
        assert!(
            site.manifest("team/app", &image(13).manifest.digest)
                .await
                .is_err()
        );
    })
    .await;
    assert_tree_tells_all(&tree).await;
}

#[tokio::test]
async fn what_another_registry_collects_is_gone() {
    let tree = filled().await;
    // Its collector removes the manifest without a tag, the blobs of that, and in newer versions their links.
    let gone = image(3);
    tree.untag("app", "deleted");
    tree.remove(&revision_link("app", &gone.manifest.digest));
    for blob in gone.blobs().chain([&gone.manifest]) {
        tree.remove(&data(&blob.digest));
    }
    tree.remove(&layer_link("app", &gone.layers[0].digest));

    at_all_times(&tree, async |site| {
        assert_eq!(site.tags("app", 2).await, ["index", "kept", "moved"]);
        assert!(site.manifest("app", &gone.manifest.digest).await.is_err());
        for blob in gone.blobs() {
            assert_eq!(site.blob("app", &blob.digest).await, None);
        }
        assert_eq!(site.findings().await, []);
    })
    .await;
    assert_tree_tells_all(&tree).await;
}

#[tokio::test]
async fn what_was_collected_can_be_pushed_again() {
    let tree = filled().await;
    let gone = image(3);
    tree.untag("app", "deleted");
    tree.remove(&revision_link("app", &gone.manifest.digest));
    for blob in gone.blobs().chain([&gone.manifest]) {
        tree.remove(&data(&blob.digest));
    }

    let site = Site::open(&tree).await;
    let refused = site.push_manifest("app", "again", &gone.manifest).await;
    assert!(refused.is_err(), "its blobs are gone");
    site.push_image("app", "again", &gone).await;

    assert_eq!(site.findings().await, []);
    site.stop().await;
    at_all_times(&tree, async |site| {
        assert_eq!(
            site.resolve("app", "again").await,
            Some(gone.manifest.digest.clone())
        );
        for blob in gone.blobs() {
            assert_eq!(site.blob("app", &blob.digest).await.unwrap(), blob.bytes);
        }
    })
    .await;
}

#[tokio::test]
async fn a_repository_that_an_administrator_removes_is_gone() {
    let tree = filled().await;
    tree.remove("repositories/team");

    at_all_times(&tree, async |site| {
        assert_eq!(site.catalog(1).await, ["app"]);
        assert!(site.tags("team/app", 5).await.is_empty());
        assert_eq!(site.resolve("team/app", "kept").await, None);
        assert_eq!(site.blob("team/app", &image(11).config.digest).await, None);
    })
    .await;
    assert_tree_tells_all(&tree).await;
}

#[tokio::test]
async fn an_emptied_folder_is_an_empty_registry() {
    let tree = filled().await;
    tree.remove("repositories");
    tree.remove("blobs");

    at_all_times(&tree, async |site| {
        assert!(site.catalog(5).await.is_empty());
        assert_eq!(site.resolve("app", "kept").await, None);
        assert_eq!(site.blob("app", &image(1).config.digest).await, None);
    })
    .await;
    let site = Site::open(&tree).await;
    site.push_image("app", "kept", &image(1)).await;
    assert_eq!(
        site.resolve("app", "kept").await,
        Some(image(1).manifest.digest)
    );
}

#[tokio::test]
async fn what_distribution_cannot_parse_is_kept_where_it_does_not_look() {
    let tree = filled().await;
    let site = Site::open(&tree).await;
    push_unknown(&site, "app", "thing", 40).await;
    push_unknown(&site, "things/only", "thing", 41).await;
    site.stop().await;

    assert!(!tree.has(&tag_folder("app", "thing")));
    assert!(!tree.has(&revision_link("app", &unknown_type(40).digest)));
    at_all_times(&tree, async |site| {
        assert_eq!(site.catalog(2).await, ["app", "team/app", "things/only"]);
        assert_eq!(
            site.tags("app", 2).await,
            ["deleted", "index", "kept", "moved", "thing"]
        );
        let found = site.manifest("app", "thing").await.unwrap();
        assert_eq!(found.payload, unknown_type(40).bytes);
        assert_eq!(found.media_type.as_str(), unknown_type(40).media_type);
    })
    .await;
    assert_tree_tells_all(&tree).await;
}

#[tokio::test]
async fn a_type_that_only_the_request_told_survives_the_database() {
    let tree = Tree::new();
    let site = Site::open(&tree).await;
    let silent = Blob::json(
        "application/vnd.example.silent+json",
        &json!({ "things": [] }),
    );
    site.push_manifest("app", "silent", &silent).await.unwrap();
    site.stop().await;

    at_all_times(&tree, async |site| {
        let found = site.manifest("app", "silent").await.unwrap();
        assert_eq!(found.media_type.as_str(), silent.media_type);
        assert_eq!(found.payload, silent.bytes);
    })
    .await;
}

#[tokio::test]
async fn a_collection_that_takes_what_it_cannot_parse_leaves_a_finding() {
    let tree = filled().await;
    let site = Site::open(&tree).await;
    push_unknown(&site, "app", "thing", 40).await;
    site.stop().await;
    for blob in image(40).blobs().chain([&unknown_type(40)]) {
        tree.remove(&data(&blob.digest));
    }

    at_all_times(&tree, async |site| {
        assert!(site.manifest("app", "thing").await.is_err());
        assert_eq!(site.blob("app", &image(40).config.digest).await, None);
        let found = site.findings().await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].1, unknown_type(40).digest);
    })
    .await;
    let site = Site::open(&tree).await;
    push_unknown(&site, "app", "thing", 40).await;
    assert_eq!(
        site.resolve("app", "thing").await,
        Some(unknown_type(40).digest)
    );
    assert_eq!(site.findings().await, []);
}

#[tokio::test]
async fn a_tag_that_another_registry_takes_over_and_deletes_stays_deleted() {
    let tree = filled().await;
    let site = Site::open(&tree).await;
    push_unknown(&site, "app", "kept", 40).await;
    site.stop().await;
    assert!(!tree.has(&tag_folder("app", "kept")));
    tree.image("app", "kept", &image(50));
    at_all_times(&tree, async |site| {
        assert_eq!(
            site.resolve("app", "kept").await,
            Some(image(50).manifest.digest)
        );
    })
    .await;

    tree.untag("app", "kept");

    at_all_times(&tree, async |site| {
        assert_eq!(site.resolve("app", "kept").await, None);
        assert_eq!(site.tags("app", 9).await, ["deleted", "index", "moved"]);
    })
    .await;
}

#[tokio::test]
async fn a_tag_moves_between_what_distribution_can_and_cannot_express() {
    let tree = filled().await;
    let site = Site::open(&tree).await;
    push_unknown(&site, "app", "kept", 40).await;
    site.settle().await;
    site.push_image("app", "kept", &image(50)).await;
    site.push_image("app", "moved", &image(51)).await;
    site.settle().await;
    push_unknown(&site, "app", "moved", 41).await;
    site.stop().await;

    at_all_times(&tree, async |site| {
        assert_eq!(
            site.resolve("app", "kept").await,
            Some(image(50).manifest.digest)
        );
        assert_eq!(
            site.resolve("app", "moved").await,
            Some(unknown_type(41).digest)
        );
    })
    .await;
    assert!(tree.has(&tag_folder("app", "kept")));
    assert!(!tree.has(&tag_folder("app", "moved")));
    assert_tree_tells_all(&tree).await;
}

#[tokio::test]
async fn a_change_that_a_crash_left_queued_reaches_the_tree_at_the_next_start() {
    let tree = filled().await;
    let site = Site::open(&tree).await;
    site.push_image("app", "new", &image(60)).await;
    site.push_image("app", "moved", &image(61)).await;
    site.delete_tag("app", "deleted").await.unwrap();
    site.delete_manifest("team/app", &image(13).manifest.digest)
        .await
        .unwrap();
    // Nothing was settled: as after a crash.
    drop(site);
    assert!(tree.has(&tag_folder("app", "deleted")));

    let site = Site::open(&tree).await;
    assert_eq!(site.tags("app", 2).await, ["index", "kept", "moved", "new"]);
    assert_eq!(
        site.resolve("app", "moved").await,
        Some(image(61).manifest.digest)
    );
    site.settle().await;
    drop(site);
    assert!(!tree.has(&tag_folder("app", "deleted")));
    at_all_times(&tree, async |site| {
        assert_eq!(site.tags("app", 2).await, ["index", "kept", "moved", "new"]);
        assert_eq!(site.tags("team/app", 2).await, ["kept", "moved"]);
        assert_eq!(
            site.resolve("app", "new").await,
            Some(image(60).manifest.digest)
        );
    })
    .await;
    assert_tree_tells_all(&tree).await;
}
