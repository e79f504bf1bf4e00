//! A filesystem that forgets what was not synced.
//!
//! It is as strict as POSIX allows a filesystem to be, where the usual ones are kinder:
//!
//! - the bytes of a file are durable once that file is synced, and its name is not;
//! - a name (created, removed, moved, linked) is durable once its folder is synced, for a move the folder it moves to;
//! - a folder is reachable once its own name, in the folder above, is durable as well.
//!
//! The one kindness is that a move is a single change, as on every journalling filesystem.
//! `sync` and `syncfs` do nothing, because the kernel does not pass them on to a filesystem of this kind.

mod answer;
mod content;
mod kernel;
mod state;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use fuser::{BackgroundSession, Errno};
use rustix::mount::{UnmountFlags, unmount};
use tempfile::TempDir;

use state::{Attributes, State};

/// What a power loss takes.
#[derive(Clone, Copy, Debug)]
pub enum Loss {
    /// All that was not synced.
    Everything,
    /// A part of it: of folders each change, of files each sector, is lost or kept by chance.
    Random {
        /// Chooses what is kept; the same seed on the same disk keeps the same.
        seed: u64,
    },
}

/// A mounted filesystem, held in memory, whose power can be cut.
#[derive(Debug)]
pub struct Disk {
    power: Arc<Mutex<Power>>,
    /// `None` only while the disk is being mounted again.
    session: Option<BackgroundSession>,
    folder: TempDir,
}

/// The state of a disk, and for how long it still answers.
#[derive(Debug)]
struct Power {
    state: State,
    changes: u64,
    /// The number of changes after which there is no power left.
    lasts: u64,
}

impl Disk {
    /// Mounts an empty disk.
    pub fn new() -> Self {
        Self::of(State::new(Attributes {
            mode: 0o755,
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            accessed: SystemTime::now(),
            modified: SystemTime::now(),
            changed: SystemTime::now(),
        }))
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// How many changes and syncs the disk has done so far.
    ///
    /// Read it when something was acknowledged, to know of which [`power_lasts`](Self::power_lasts) it must survive.
    pub fn changes(&self) -> u64 {
        self.power().changes
    }

    /// Lets the power fail after this many further changes and syncs: whoever uses the disk then gets errors.
    pub fn power_lasts(&self, changes: u64) {
        let mut power = self.power();
        power.lasts = power.changes.saturating_add(changes);
    }

    /// Whether the power has failed.
    pub fn is_dead(&self) -> bool {
        self.power().is_dead()
    }

    /// Cuts the power now: every call fails until [`cut_power`](Self::cut_power) brings the disk back.
    pub fn stop(&self) {
        self.power_lasts(0);
    }

    /// Cuts the power, forgets, and mounts what is left at the same path.
    ///
    /// Whoever had files open there has nothing but errors, and SIGBUS where it had mapped them: a test opens its
    /// database in a process of its own, or looks at [`after_power_loss`](Self::after_power_loss) instead.
    pub fn cut_power(&mut self, loss: Loss) {
        self.stop();
        let left = self.power().state.after_power_loss(loss);
        self.unmount();
        self.power = Arc::new(Mutex::new(Power::new(left)));
        self.session = Some(mount(self.folder.path(), Arc::clone(&self.power)));
    }

    /// Mounts a second disk that is what a power loss at this moment would leave; this one goes on undisturbed.
    #[must_use]
    pub fn after_power_loss(&self, loss: Loss) -> Self {
        let left = self.power().state.after_power_loss(loss);
        Self::of(left)
    }

    fn of(state: State) -> Self {
        let folder = TempDir::with_prefix("boxyard-disk-").expect("make a folder to mount on");
        let power = Arc::new(Mutex::new(Power::new(state)));
        Self {
            session: Some(mount(folder.path(), Arc::clone(&power))),
            power,
            folder,
        }
    }

    fn power(&self) -> MutexGuard<'_, Power> {
        self.power.lock().expect("the disk's thread does not panic")
    }

    /// Detaches the disk even when files are open on it, so that a failed test hangs on nothing.
    fn unmount(&mut self) {
        let Some(session) = self.session.take() else {
            return;
        };
        let forced = unmount(self.path(), UnmountFlags::FORCE | UnmountFlags::DETACH);
        if forced.is_ok() {
            // The kernel has cut the connection, so the thread ends. It also drops what would unmount again.
            drop(session.join());
        } else {
            // Without the right to force, the helper detaches, and the thread ends with the last open file.
            drop(session);
        }
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.unmount();
    }
}

impl Power {
    fn new(state: State) -> Self {
        Self {
            state,
            changes: 0,
            lasts: u64::MAX,
        }
    }

    fn is_dead(&self) -> bool {
        self.changes >= self.lasts
    }

    /// Gives the state to look at.
    fn look(&self) -> Result<&State, Errno> {
        if self.is_dead() {
            return Err(Errno::EIO);
        }
        Ok(&self.state)
    }

    /// Gives the state for one change.
    fn change(&mut self) -> Result<&mut State, Errno> {
        self.look()?;
        self.changes += 1;
        Ok(&mut self.state)
    }
}

fn mount(path: &Path, power: Arc<Mutex<Power>>) -> BackgroundSession {
    kernel::mount(path, power).unwrap_or_else(|error| {
        panic!(
            "mount a filesystem at `{}`: {error}\n\
             (it takes /dev/fuse, and either root or fusermount3 of the package fuse3)",
            path.display()
        )
    })
}
