//! Faults to inject.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::disk::{Faults, Step};

/// The process dies: from one step on nothing changes on the disk any more.
#[derive(Debug)]
pub struct CrashAt {
    step: usize,
    taken: AtomicUsize,
}

impl CrashAt {
    /// Lets `step` steps happen and none after them.
    pub fn new(step: usize) -> Self {
        Self {
            step,
            taken: AtomicUsize::new(0),
        }
    }

    /// Whether a step was refused, and so the end not reached.
    pub fn has_crashed(&self) -> bool {
        self.taken.load(Ordering::SeqCst) > self.step
    }
}

impl Faults for CrashAt {
    fn before(&self, _step: Step, _path: &Path) -> io::Result<()> {
        if self.taken.fetch_add(1, Ordering::SeqCst) < self.step {
            return Ok(());
        }
        Err(io::Error::other("the process has crashed"))
    }
}

/// Nothing goes wrong, and every step is written down.
#[derive(Debug, Default)]
pub struct Recorder {
    steps: Mutex<Vec<(Step, PathBuf)>>,
}

impl Recorder {
    /// The steps so far.
    pub fn steps(&self) -> Vec<(Step, PathBuf)> {
        self.lock().clone()
    }

    /// Forgets the steps so far.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// How many steps there were of a kind.
    pub fn count(&self, step: Step) -> usize {
        self.lock()
            .iter()
            .filter(|(taken, _)| *taken == step)
            .count()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Step, PathBuf)>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Faults for Recorder {
    fn before(&self, step: Step, path: &Path) -> io::Result<()> {
        self.lock().push((step, path.to_owned()));
        Ok(())
    }
}

/// The disk is full: what needs room fails from one such step on, until there is room again.
#[derive(Debug)]
pub struct NoSpaceAt {
    step: usize,
    taken: AtomicUsize,
    has_room: AtomicBool,
}

impl NoSpaceAt {
    /// Lets `step` steps happen that need room.
    pub fn new(step: usize) -> Self {
        Self {
            step,
            taken: AtomicUsize::new(0),
            has_room: AtomicBool::new(false),
        }
    }

    /// Somebody has made room.
    pub fn make_room(&self) {
        self.has_room.store(true, Ordering::SeqCst);
    }
}

impl Faults for NoSpaceAt {
    fn before(&self, step: Step, _path: &Path) -> io::Result<()> {
        let needs_room = matches!(step, Step::CreateFile | Step::CreateFolder | Step::Write);
        if !needs_room || self.has_room.load(Ordering::SeqCst) {
            return Ok(());
        }
        if self.taken.fetch_add(1, Ordering::SeqCst) < self.step {
            return Ok(());
        }
        Err(rustix::io::Errno::NOSPC.into())
    }
}

/// One step of a kind fails, and those around it do not.
#[derive(Debug)]
pub struct FailOnce {
    kind: Step,
    step: usize,
    taken: AtomicUsize,
}

impl FailOnce {
    /// Lets `step` steps of the kind happen, and fails the next one.
    pub fn new(kind: Step, step: usize) -> Self {
        Self {
            kind,
            step,
            taken: AtomicUsize::new(0),
        }
    }
}

impl Faults for FailOnce {
    fn before(&self, step: Step, _path: &Path) -> io::Result<()> {
        if step == self.kind && self.taken.fetch_add(1, Ordering::SeqCst) == self.step {
            return Err(rustix::io::Errno::IO.into());
        }
        Ok(())
    }
}
