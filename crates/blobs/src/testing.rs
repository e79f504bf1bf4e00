//! Faults to inject.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
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
    room: AtomicUsize,
}

impl NoSpaceAt {
    /// Lets `step` steps happen that need room.
    pub fn new(step: usize) -> Self {
        Self {
            room: AtomicUsize::new(step),
        }
    }

    /// Somebody has taken all that was left.
    pub fn fill(&self) {
        self.room.store(0, Ordering::SeqCst);
    }

    /// Somebody has made room.
    pub fn make_room(&self) {
        self.room.store(usize::MAX, Ordering::SeqCst);
    }
}

impl Faults for NoSpaceAt {
    fn before(&self, step: Step, _path: &Path) -> io::Result<()> {
        if !matches!(step, Step::CreateFile | Step::CreateFolder | Step::Write) {
            return Ok(());
        }
        let take_one = |room: usize| room.checked_sub(1);
        match self
            .room
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take_one)
        {
            Ok(_) => Ok(()),
            Err(_) => Err(rustix::io::Errno::NOSPC.into()),
        }
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
