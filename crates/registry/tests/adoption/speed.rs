//! How long a large repository takes.

use std::time::{Duration, Instant};

use boxyard_testkit::{Blob, Image};
use serde_json::json;

use crate::site::Site;
use crate::tree::Tree;

const TAGS: usize = 20_000;

/// A repository of many tags, each of an image of its own over a shared layer.
fn large() -> Tree {
    let tree = Tree::new();
    let base = Image::with_layers(1, &[1000]);
    tree.image("large", "base", &base);
    for number in 1..TAGS {
        let config = Blob::json(&base.config.media_type, &json!({ "number": number }));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": base.manifest.media_type,
            "config": config.descriptor(),
            "layers": [base.layers[0].descriptor()],
        });
        let manifest = Blob::json(&base.manifest.media_type, &manifest);
        tree.blob(&config.bytes);
        tree.layer("large", &config.digest);
        tree.manifest("large", &manifest);
        tree.tag("large", &format!("v{number:05}"), &manifest.digest);
    }
    tree
}

#[expect(
    clippy::print_stdout,
    reason = "the numbers are what the test is read for"
)]
async fn timed<T>(what: &str, work: impl Future<Output = T>) -> (T, Duration) {
    let started = Instant::now();
    let done = work.await;
    let took = started.elapsed();
    println!("{what}: {took:.2?}");
    (done, took)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_of_20_000_tags_is_served_at_once_and_read_in_seconds() {
    let tree = large();
    let (site, opened) = timed("open", Site::open(&tree)).await;
    let (found, pulled) = timed("first pull", site.resolve("large", "v19999")).await;
    assert!(found.is_some());
    let (tags, _) = timed("first listing, by 1000", site.tags("large", 1000)).await;
    assert_eq!(tags.len(), TAGS);
    let (progress, _) = timed("adoption", site.registry.adopt(|_| {})).await;
    let progress = progress.unwrap();
    let (tags, _) = timed(
        "listing from the database, by 1000",
        site.tags("large", 1000),
    )
    .await;

    assert_eq!(tags.len(), TAGS);
    assert_eq!((progress.tags, progress.manifests), (20_000, 20_000));
    site.stop().await;
    let site = Site::open(&tree).await;
    let (progress, _) = timed("comparison at the next start", site.registry.adopt(|_| {})).await;
    assert_eq!(progress.unwrap().tags, 20_000);
    // Nothing is read before it is asked for, however slow the machine is.
    assert!(opened + pulled < Duration::from_secs(5));
}
