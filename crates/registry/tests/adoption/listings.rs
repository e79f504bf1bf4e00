//! Pages of names are right from the first request.

use boxyard_testkit::{Blob, Image};

use crate::site::{Site, at_all_times};
use crate::tree::{Tree, current_link, revision_link};

/// In the order of their bytes; `-` and `.` come before `/`.
const NAMES: [&str; 9] = [
    "a", "a-b", "a-b/c", "a.b", "a/b", "a/b-c", "a/b/c", "a0", "b",
];

fn small() -> Image {
    Image::with_layers(1, &[10])
}

fn named(names: &[&str]) -> Tree {
    let tree = Tree::new();
    for name in names {
        tree.image(name, "latest", &small());
    }
    tree
}

#[tokio::test]
async fn the_catalog_is_in_bytewise_order_on_pages_of_any_size() {
    let tree = named(&NAMES);

    at_all_times(&tree, async |site| {
        for limit in [1, 2, 4, 9, 100] {
            assert_eq!(site.catalog(limit).await, NAMES, "by {limit}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_page_of_the_catalog_begins_after_a_name_that_is_not_there() {
    let tree = named(&NAMES);
    let list = boxyard_auth::Gate::open();
    let list = list.list(&boxyard_auth::Identity::Anonymous).unwrap();

    at_all_times(&tree, async |site| {
        for (after, first) in [("", "a"), ("a-a", "a-b"), ("a/b/d", "a0"), ("a/", "a/b")] {
            let page = site.registry.catalog(&list, Some(after), 1).await.unwrap();
            assert_eq!(page.items[0].as_str(), first, "after {after}");
            assert!(page.more);
        }
        let page = site.registry.catalog(&list, Some("b"), 1).await.unwrap();
        assert!(page.items.is_empty() && !page.more);
    })
    .await;
}

#[tokio::test]
async fn a_repository_without_manifests_and_tags_is_not_in_the_catalog() {
    let tree = named(&["kept"]);
    let blob = tree.blob("a layer");
    tree.layer("layers/only", &blob);
    tree.plant(
        "repositories/upload/only/_uploads/0fbfbd56-4d39-4e57-9b39-3d0b4a3f5c11/data",
        "",
    );
    tree.image("untagged", "gone", &small());
    tree.untag("untagged", "gone");
    tree.image("emptied", "gone", &small());
    tree.untag("emptied", "gone");
    tree.remove(&revision_link("emptied", &small().manifest.digest));

    at_all_times(&tree, async |site| {
        assert_eq!(site.catalog(2).await, ["kept", "untagged"]);
        assert!(site.tags("untagged", 5).await.is_empty());
        assert_eq!(site.blob("layers/only", &blob).await.unwrap(), b"a layer");
    })
    .await;
}

#[tokio::test]
async fn tags_are_in_bytewise_order_on_pages_of_any_size() {
    let tags = ["0", "1.0", "1.0-rc", "1.10", "1.9", "A", "Z", "_", "a", "z"];
    let tree = Tree::new();
    for tag in tags {
        tree.image("app", tag, &small());
    }

    at_all_times(&tree, async |site| {
        for limit in [1, 3, 10, 100] {
            assert_eq!(site.tags("app", limit).await, tags, "by {limit}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_repository_that_is_listed_is_compared_before_the_others() {
    let tree = named(&["a", "b", "z"]);
    for number in 0..10 {
        tree.image("z", &format!("v{number}"), &small());
    }
    let site = Site::open(&tree).await;
    assert_eq!(site.tags("z", 3).await.len(), 11);

    let seen = std::sync::Mutex::new(Vec::new());
    let tell = |progress: boxyard_registry::IndexProgress| {
        seen.lock().unwrap().push(progress.tags);
    };
    site.registry.adopt(tell).await.unwrap();

    assert_eq!(seen.into_inner().unwrap()[..3], [11, 12, 13]);
}

#[tokio::test]
async fn a_change_by_a_client_is_listed_before_the_folder_was_compared() {
    let tree = named(&["a", "c"]);
    let site = Site::open(&tree).await;

    site.push_image("b", "new", &small()).await;
    site.push_image("a", "second", &small()).await;
    site.delete_tag("c", "latest").await.unwrap();

    for settled in [false, true] {
        assert_eq!(site.catalog(1).await, ["a", "b", "c"], "settled: {settled}");
        assert_eq!(site.tags("a", 1).await, ["latest", "second"]);
        assert!(site.tags("c", 1).await.is_empty());
        site.settle().await;
    }
    site.index().await;
    assert_eq!(site.catalog(1).await, ["a", "b", "c"]);
    assert_eq!(site.tags("a", 1).await, ["latest", "second"]);
    assert!(site.tags("c", 1).await.is_empty());
}

#[tokio::test]
async fn a_deleted_manifest_takes_its_repository_out_of_the_catalog() {
    let tree = named(&["a", "b"]);
    let site = Site::open(&tree).await;

    let digest = small().manifest.digest;
    site.delete_manifest("a", &digest).await.unwrap();

    for settled in [false, true] {
        assert_eq!(site.catalog(5).await, ["b"], "settled: {settled}");
        site.settle().await;
    }
    site.index().await;
    assert_eq!(site.catalog(5).await, ["b"]);
}

#[tokio::test]
async fn a_dangling_tag_that_a_client_deletes_is_listed_no_more() {
    let tree = named(&["b"]);
    let absent = Blob::new("", "never stored");
    tree.plant(&current_link("a", "lost"), &absent.digest);
    let site = Site::open(&tree).await;
    assert_eq!(site.catalog(5).await, ["a", "b"]);

    site.delete_tag("a", "lost").await.unwrap();

    for settled in [false, true] {
        assert_eq!(site.catalog(5).await, ["b"], "settled: {settled}");
        assert!(site.tags("a", 5).await.is_empty());
        site.settle().await;
    }
}
