//! Places where a test stops the registry, or ends it.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

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

/// A barrier before each commit to the database.
///
/// While it is closed, whoever reads sees the state before the commit, and whoever writes queues up behind it.
#[derive(Debug, Default)]
pub(crate) struct CommitGate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct GateState {
    closed: bool,
    waiting: usize,
}

impl CommitGate {
    pub(crate) fn close(&self) {
        self.state.lock().unwrap().closed = true;
    }

    pub(crate) fn open(&self) {
        self.state.lock().unwrap().closed = false;
        self.changed.notify_all();
    }

    /// Whether a commit waits at the closed gate.
    pub(crate) fn has_commit(&self) -> bool {
        self.state.lock().unwrap().waiting > 0
    }
}

impl CommitFaults for CommitGate {
    fn before_commit(&self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.waiting += 1;
        let mut state = self
            .changed
            .wait_while(state, |state| state.closed)
            .unwrap();
        state.waiting -= 1;
        Ok(())
    }

    fn after_commit(&self) -> io::Result<()> {
        Ok(())
    }
}
