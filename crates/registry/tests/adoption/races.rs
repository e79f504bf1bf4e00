//! Clients change a repository while it is being compared with its folder.

use std::collections::BTreeMap;

use boxyard_testkit::{Image, Noise};

use crate::site::Site;
use crate::tree::{Tree, current_link};

/// A small image; few of them, so that clients push and delete the same ones.
fn image(number: u64) -> Image {
    Image::with_layers(number, &[10])
}

type Tags = BTreeMap<String, String>;

/// A repository of `count` tags, and what each of them names.
fn repository(count: u64) -> (Tree, Tags) {
    let (tree, mut tags) = (Tree::new(), Tags::new());
    for number in 0..count {
        let (tag, image) = (format!("tag-{number}"), image(number % 10));
        tree.image("app", &tag, &image);
        tags.insert(tag, image.manifest.digest);
    }
    (tree, tags)
}

/// The same with tags whose links are unreadable, each of which is a finding and costs the comparison a commit.
///
/// They are reported after the tree was read and before it is taken in, so there is time for clients in between.
fn slow_repository(count: u64, garbled: usize) -> (Tree, Tags) {
    let (tree, tags) = repository(count);
    for number in 0..garbled {
        tree.plant(&current_link("app", &format!("torn-{number}")), "");
    }
    (tree, tags)
}

async fn tags_of(site: &Site) -> Tags {
    let mut tags = Tags::new();
    for tag in site.tags("app", 7).await {
        let digest = site.resolve("app", &tag).await;
        tags.insert(tag, digest.unwrap_or_default());
    }
    tags
}

/// Moves, deletes and makes tags that no other client touches; answers what they are in the end.
async fn change_tags(site: &Site, client: u64, seed: u64) -> (Vec<String>, Tags) {
    let mut noise = Noise::new(seed * 100 + client);
    let (mut touched, mut now) = (Vec::new(), Tags::new());
    for _ in 0..12 {
        let tag = format!("tag-{}", client + 4 * noise.below(12));
        if noise.below(3) == 0 {
            // It may be gone already.
            let _ = site.delete_tag("app", &tag).await;
            now.remove(&tag);
        } else {
            let image = image(noise.below(10));
            site.push_image("app", &tag, &image).await;
            now.insert(tag.clone(), image.manifest.digest);
        }
        touched.push(tag);
    }
    (touched, now)
}

/// What must be served: what nobody touched, and what each client did last.
fn merge(mut before: Tags, changes: Vec<(Vec<String>, Tags)>) -> Tags {
    for (touched, now) in changes {
        for tag in touched {
            before.remove(&tag);
        }
        before.extend(now);
    }
    before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_that_clients_do_during_the_comparison_is_undone() {
    for seed in 0..15 {
        let (tree, before) = slow_repository(40, 150);
        let site = Site::open(&tree).await;
        site.registry.work();
        let (first, second, third, fourth, ()) = tokio::join!(
            change_tags(&site, 0, seed),
            change_tags(&site, 1, seed),
            change_tags(&site, 2, seed),
            change_tags(&site, 3, seed),
            site.index(),
        );
        let expected = merge(before, vec![first, second, third, fourth]);

        assert_eq!(tags_of(&site).await, expected, "seed {seed}");
        site.stop().await;
        let site = Site::open(&tree).await;
        assert_eq!(tags_of(&site).await, expected, "seed {seed}, opened again");
        site.index().await;
        assert_eq!(
            tags_of(&site).await,
            expected,
            "seed {seed}, compared again"
        );
        site.stop().await;
        tree.lose_database();
        let site = Site::open(&tree).await;
        site.index().await;
        assert_eq!(tags_of(&site).await, expected, "seed {seed}, rebuilt");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_manifest_deleted_during_the_comparison_stays_deleted() {
    for seed in 0..25 {
        let (tree, mut expected) = repository(40);
        let gone = image(seed % 10).manifest.digest;
        expected.retain(|_, digest| *digest != gone);
        let site = Site::open(&tree).await;
        site.registry.work();

        let (deleted, ()) = tokio::join!(site.delete_manifest("app", &gone), site.index());

        deleted.unwrap();
        assert_eq!(tags_of(&site).await, expected, "seed {seed}");
        site.stop().await;
        let site = Site::open(&tree).await;
        site.index().await;
        assert_eq!(
            tags_of(&site).await,
            expected,
            "seed {seed}, compared again"
        );
        assert!(site.manifest("app", &gone).await.is_err());
    }
}

/// So many that the comparison is not done before the clients are.
const GARBLED: usize = 400;

/// Runs `change` after the comparison has read all tags and before it takes them in.
async fn in_between(site: &Site, change: impl Future<Output = ()>) {
    let change = async {
        while site.findings().await.is_empty() {
            tokio::task::yield_now().await;
        }
        change.await;
        let reported = site.findings().await.len();
        assert!(reported < GARBLED, "the comparison was faster");
    };
    tokio::join!(site.index(), change);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_push_between_reading_and_taking_in_is_not_undone() {
    let (tree, mut expected) = slow_repository(5, GARBLED);
    let site = Site::open(&tree).await;
    let pushed = image(7);
    site.push_image("app", "other", &pushed).await;
    site.settle().await;

    in_between(&site, async {
        for tag in ["tag-1", "new"] {
            let moved = site.push_manifest("app", tag, &pushed.manifest).await;
            moved.unwrap();
        }
        site.settle().await;
    })
    .await;

    for tag in ["tag-1", "new", "other"] {
        expected.insert(tag.to_owned(), pushed.manifest.digest.clone());
    }
    assert_eq!(tags_of(&site).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_delete_between_reading_and_taking_in_is_not_undone() {
    let (tree, mut expected) = slow_repository(5, GARBLED);
    let site = Site::open(&tree).await;

    in_between(&site, async {
        site.delete_tag("app", "tag-1").await.unwrap();
        site.settle().await;
    })
    .await;

    expected.remove("tag-1");
    assert_eq!(tags_of(&site).await, expected);
    site.stop().await;
    let site = Site::open(&tree).await;
    site.index().await;
    assert_eq!(tags_of(&site).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_settled_change_is_not_undone_by_a_comparison_that_has_read_the_older_folder() {
    for settle_first in [false, true] {
        let (tree, mut expected) = repository(5);
        let site = Site::open(&tree).await;
        site.push_image("app", "tag-1", &image(8)).await;
        site.delete_tag("app", "tag-2").await.unwrap();
        if settle_first {
            site.settle().await;
        }
        // Somebody puts the links back, as a reader that was too slow would have seen them.
        tree.tag("app", "tag-1", &image(1).manifest.digest);
        tree.tag("app", "tag-2", &image(2).manifest.digest);

        site.index().await;

        expected.insert("tag-1".to_owned(), image(8).manifest.digest);
        expected.remove("tag-2");
        assert_eq!(
            tags_of(&site).await,
            expected,
            "settled first: {settle_first}"
        );
    }
}
