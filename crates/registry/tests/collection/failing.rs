//! A disk or a database that fails once in the middle of a collection.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use boxyard_blobs::{Faults, Step};
use boxyard_meta::CommitFaults;
use boxyard_registry::{Options, Registry};

use crate::crash::push_image;
use crate::whole::{check, collect};

/// So many steps more than any collection here takes.
const NEVER: usize = usize::MAX / 2;

/// One step fails, and those around it do not.
#[derive(Debug)]
struct OneStep {
    left: AtomicUsize,
}

impl OneStep {
    fn fails_after(&self, steps: usize) {
        self.left.store(steps, Ordering::SeqCst);
    }

    /// Whether it has failed; from now on nothing does.
    fn is_over(&self) -> bool {
        self.left.swap(NEVER, Ordering::SeqCst) > NEVER
    }

    fn step(&self) -> io::Result<()> {
        match self.left.fetch_sub(1, Ordering::SeqCst) {
            0 => Err(io::Error::other("this once")),
            _ => Ok(()),
        }
    }
}

impl Faults for OneStep {
    fn before(&self, _step: Step, _path: &Path) -> io::Result<()> {
        self.step()
    }
}

impl CommitFaults for OneStep {
    fn before_commit(&self) -> io::Result<()> {
        self.step()
    }

    fn after_commit(&self) -> io::Result<()> {
        self.step()
    }
}

async fn open(root: &Path, fault: &Arc<OneStep>) -> Arc<Registry> {
    let mut options = Options::at(root);
    options.settings.collecting.window = Duration::ZERO;
    options.faults = Arc::<OneStep>::clone(fault);
    options.commit_faults = Arc::<OneStep>::clone(fault);
    Registry::open(options).await.unwrap()
}

#[tokio::test]
async fn what_a_collection_could_not_remove_goes_with_the_next_one_and_nothing_else_does() {
    let mut at = 0;
    loop {
        let root = tempfile::tempdir_in("/dev/shm").unwrap();
        let left = AtomicUsize::new(NEVER);
        let fault = Arc::new(OneStep { left });
        let registry = open(root.path(), &fault).await;
        registry.adopt(|_| {}).await.unwrap();
        for layer in [b"one", b"two", b"new"] {
            push_image(&registry, Some("latest"), layer).await;
        }
        registry.settle().await.unwrap();

        fault.fails_after(at);
        let _ = collect(&registry).await;
        let has_failed = fault.is_over();
        collect(&registry).await.unwrap();

        check(&registry, root.path(), &format!("step {at}")).await;
        registry.stop().await.unwrap();
        if !has_failed {
            break;
        }
        at += 1;
    }
    assert!(at > 30, "the collection has only {at} steps");
}
