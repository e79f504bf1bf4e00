//! What reading a tree costs, in looks at it: no clock tells that as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use boxyard_blobs::{Action, Stopwatch};
use boxyard_registry::{CollectOptions, Options};
use boxyard_testkit::Image;
use tokio::sync::mpsc;

use crate::site::Site;
use crate::tree::Tree;

/// Counts the looks at the tree.
#[derive(Debug, Default)]
struct Looks {
    at_files: AtomicUsize,
    at_folders: AtomicUsize,
}

impl Stopwatch for Looks {
    fn took(&self, action: Action, _time: Duration) {
        match action {
            Action::GetContent | Action::Stat => &self.at_files,
            _ => &self.at_folders,
        }
        .fetch_add(1, Ordering::SeqCst);
    }
}

impl Looks {
    /// Those at files, and those at folders and whatever else.
    fn counts(&self) -> (usize, usize) {
        let count = |looks: &AtomicUsize| looks.load(Ordering::SeqCst);
        (count(&self.at_files), count(&self.at_folders))
    }
}

/// The looks at files and at folders that a start takes to know a tree of so many tags of one image.
async fn looks_at(tags: usize) -> (usize, usize) {
    let tree = Tree::new();
    let image = Image::with_layers(1, &[10]);
    tree.image("a", "base", &image);
    for number in 1..tags {
        tree.tag("a", &format!("v{number:05}"), &image.manifest.digest);
    }
    let looks = Arc::new(Looks::default());
    let mut options = Options::at(tree.root());
    options.stopwatch = Some(looks.clone());
    let site = Site::open_with(options).await;

    site.index().await;

    assert_eq!(site.tags("a", tags).await.len(), tags);
    site.stop().await;
    looks.counts()
}

/// The looks that a collection of one image takes in a known folder of so many others.
async fn looks_of_a_collection_beside(images: u64) -> (usize, usize) {
    let tree = Tree::new();
    for number in 0..images {
        tree.image(
            "a",
            &format!("v{number}"),
            &Image::with_layers(number, &[10]),
        );
    }
    tree.untagged("a", &Image::with_layers(1_000, &[10]));
    let looks = Arc::new(Looks::default());
    let mut options = Options::at(tree.root());
    options.stopwatch = Some(looks.clone());
    let site = Site::open_with(options).await;
    site.index().await;
    let before = looks.counts();
    let asked = CollectOptions {
        untagged: true,
        dry_run: false,
    };
    let (said, mut gone) = mpsc::channel(100);

    site.index().await;
    let report = site.registry.collect_now(asked, said).await.unwrap();

    while gone.recv().await.is_some() {}
    assert_eq!((report.manifests, report.blobs), (1, 3));
    let after = looks.counts();
    site.stop().await;
    (after.0 - before.0, after.1 - before.1)
}

#[tokio::test]
async fn a_collection_costs_what_goes_and_not_what_stays() {
    let beside_few = looks_of_a_collection_beside(2).await;
    let beside_many = looks_of_a_collection_beside(80).await;

    assert_eq!(beside_many, beside_few);
}

#[tokio::test]
async fn a_tag_more_costs_one_look_at_its_link() {
    let (files, folders) = looks_at(10).await;
    let (more_files, more_folders) = looks_at(2_510).await;

    assert_eq!(more_files - files, 2_500);
    assert_eq!(more_folders, folders);
}
