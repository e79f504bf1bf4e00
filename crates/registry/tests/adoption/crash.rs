//! A registry that dies.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use boxyard_blobs::{Faults, Step};
use boxyard_meta::CommitFaults;

/// From one step on, neither the disk nor the database changes any more.
#[derive(Debug)]
pub(crate) struct Crash {
    after: usize,
    taken: AtomicUsize,
}

impl Crash {
    pub(crate) fn after(steps: usize) -> Arc<Self> {
        let taken = AtomicUsize::new(0);
        Arc::new(Self {
            after: steps,
            taken,
        })
    }

    fn step(&self) -> io::Result<()> {
        if self.taken.fetch_add(1, Ordering::SeqCst) < self.after {
            return Ok(());
        }
        Err(io::Error::other("the process has crashed"))
    }
}

impl Faults for Crash {
    fn before(&self, _step: Step, _path: &Path) -> io::Result<()> {
        self.step()
    }
}

impl CommitFaults for Crash {
    fn before_commit(&self) -> io::Result<()> {
        self.step()
    }

    fn after_commit(&self) -> io::Result<()> {
        self.step()
    }
}
