//! What reading a tree costs, in looks at it: no clock tells that as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use boxyard_blobs::{Action, Stopwatch};
use boxyard_registry::Options;
use boxyard_testkit::Image;

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
    let count = |looks: &AtomicUsize| looks.load(Ordering::SeqCst);
    (count(&looks.at_files), count(&looks.at_folders))
}

#[tokio::test]
async fn a_tag_more_costs_one_look_at_its_link() {
    let (files, folders) = looks_at(10).await;
    let (more_files, more_folders) = looks_at(2_510).await;

    assert_eq!(more_files - files, 2_500);
    assert_eq!(more_folders, folders);
}
