//! What a client deletes in a folder of another registry stays deleted.

use boxyard_registry::DeleteError;
use boxyard_testkit::{Image, Index};

use crate::site::{Site, at_all_times};
use crate::tree::{Tree, layer_link, revision_link, tag_folder};

fn app() -> Image {
    Image::with_layers(1, &[100, 200])
}

fn other() -> Image {
    Image::with_layers(2, &[300])
}

fn two_tags() -> Tree {
    let tree = Tree::new();
    tree.image("app", "a", &app());
    tree.image("app", "b", &app());
    tree.image("app", "c", &other());
    tree
}

#[tokio::test]
async fn a_deleted_tag_is_gone_from_the_database_and_the_tree() {
    for indexed in [false, true] {
        let tree = two_tags();
        let site = Site::open(&tree).await;
        if indexed {
            site.index().await;
        }

        site.delete_tag("app", "a").await.unwrap();

        assert_eq!(site.tags("app", 1).await, ["b", "c"]);
        assert_eq!(site.resolve("app", "a").await, None);
        assert!(site.delete_tag("app", "a").await.is_err());
        site.stop().await;
        assert!(!tree.has(&tag_folder("app", "a")));
        at_all_times(&tree, async |site| {
            assert_eq!(site.tags("app", 1).await, ["b", "c"]);
            assert_eq!(site.resolve("app", "b").await, Some(app().manifest.digest));
        })
        .await;
    }
}

#[tokio::test]
async fn a_deleted_manifest_takes_its_tags_along() {
    for indexed in [false, true] {
        let tree = two_tags();
        let digest = app().manifest.digest;
        let site = Site::open(&tree).await;
        if indexed {
            site.index().await;
        }

        site.delete_manifest("app", &digest).await.unwrap();

        assert_eq!(site.tags("app", 1).await, ["c"]);
        assert!(site.manifest("app", &digest).await.is_err());
        site.stop().await;
        assert!(!tree.has(&revision_link("app", &digest)));
        at_all_times(&tree, async |site| {
            assert_eq!(site.tags("app", 1).await, ["c"]);
            assert!(site.manifest("app", &digest).await.is_err());
        })
        .await;
    }
}

#[tokio::test]
async fn a_blob_that_a_manifest_of_the_folder_names_is_not_deleted() {
    for indexed in [false, true] {
        let tree = two_tags();
        let layer = app().layers[0].digest.clone();
        let site = Site::open(&tree).await;
        if indexed {
            site.index().await;
        }

        let refused = site.delete_blob("app", &layer).await;
        let Err(DeleteError::NamedBy { manifest }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(manifest.to_string(), app().manifest.digest);

        site.delete_manifest("app", &app().manifest.digest)
            .await
            .unwrap();
        site.delete_blob("app", &layer).await.unwrap();
        assert_eq!(site.blob("app", &layer).await, None);
        site.stop().await;
        assert!(!tree.has(&layer_link("app", &layer)));
        at_all_times(&tree, async |site| {
            assert_eq!(site.blob("app", &layer).await, None);
        })
        .await;
    }
}

#[tokio::test]
async fn what_is_not_there_cannot_be_deleted() {
    let tree = two_tags();
    let absent = Image::with_layers(9, &[1]);

    at_all_times(&tree, async |site| {
        for repo in ["app", "nowhere"] {
            let tag = site.delete_tag(repo, "absent").await;
            assert!(matches!(tag, Err(DeleteError::ManifestUnknown)));
            let manifest = site.delete_manifest(repo, &absent.manifest.digest).await;
            assert!(matches!(manifest, Err(DeleteError::ManifestUnknown)));
            let blob = site.delete_blob(repo, &absent.config.digest).await;
            assert!(matches!(blob, Err(DeleteError::BlobUnknown)));
        }
    })
    .await;
}

#[tokio::test]
async fn a_deleted_index_leaves_its_images() {
    let tree = two_tags();
    let index = Index::with_platforms(3, &["amd64", "arm64"]);
    tree.index("app", "index", &index);
    let site = Site::open(&tree).await;

    site.delete_manifest("app", &index.manifest.digest)
        .await
        .unwrap();

    site.stop().await;
    at_all_times(&tree, async |site| {
        assert_eq!(site.tags("app", 5).await, ["a", "b", "c"]);
        for image in &index.images {
            assert!(site.manifest("app", &image.manifest.digest).await.is_ok());
        }
    })
    .await;
}

#[tokio::test]
async fn repositories_below_a_deleted_one_stay() {
    let tree = Tree::new();
    tree.image("a", "latest", &app());
    tree.image("a/b", "latest", &app());
    let site = Site::open(&tree).await;

    site.delete_manifest("a", &app().manifest.digest)
        .await
        .unwrap();
    for blob in app().blobs() {
        site.delete_blob("a", &blob.digest).await.unwrap();
    }

    site.stop().await;
    at_all_times(&tree, async |site| {
        assert_eq!(site.catalog(1).await, ["a/b"]);
        assert_eq!(
            site.resolve("a/b", "latest").await,
            Some(app().manifest.digest)
        );
        assert_eq!(
            site.blob("a/b", &app().config.digest).await.unwrap(),
            app().config.bytes
        );
    })
    .await;
}

#[tokio::test]
async fn a_tag_that_is_pushed_again_after_its_delete_stays() {
    let tree = two_tags();
    let site = Site::open(&tree).await;

    site.delete_tag("app", "a").await.unwrap();
    site.settle().await;
    site.push_image("app", "a", &other()).await;
    site.index().await;

    assert_eq!(
        site.resolve("app", "a").await,
        Some(other().manifest.digest)
    );
    site.stop().await;
    at_all_times(&tree, async |site| {
        assert_eq!(
            site.resolve("app", "a").await,
            Some(other().manifest.digest)
        );
        assert_eq!(site.tags("app", 2).await, ["a", "b", "c"]);
    })
    .await;
}
