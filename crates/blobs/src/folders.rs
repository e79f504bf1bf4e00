//! Making folders, and knowing which of them would survive a power cut.
//!
//! A folder that is already there proves nothing: the process that made it may have died before it was synced.
//! So each folder's entry is synced once in a process before anything in it is called durable.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::{io, mem};

use crate::disk::{Disk, PathError};
use crate::look;

/// Bounds the memory of known folders; forgetting one costs a sync.
const MOST_KNOWN: usize = 16_384;

/// How often to start again when somebody removes an empty folder in which we were about to put something.
const MOST_RACES: usize = 16;

/// What this process knows of folders.
#[derive(Debug, Default)]
pub(crate) struct Folders {
    anchors: Vec<PathBuf>,
    known: Mutex<HashSet<PathBuf>>,
    // Held for reading from the look at a folder until it is known, and for writing where one goes, so that nobody takes a folder made anew for the one that was synced.
    removal: RwLock<()>,
}

/// Folders that were made or met, and what must be synced before they are durable.
///
/// Without [`Plan::commit`] those that were made are taken back: on a full disk each one left empty would keep something else from its place.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    disk: &'a Disk,
    folders: &'a Folders,
    no_removal: Option<RwLockReadGuard<'a, ()>>,
    created: Vec<PathBuf>,
    seen: HashSet<PathBuf>,
    sync: BTreeSet<PathBuf>,
}

impl Folders {
    /// Begins with folders that exist, are durable and stay.
    pub(crate) fn new(anchors: Vec<PathBuf>) -> Self {
        Self {
            anchors,
            ..Self::default()
        }
    }

    /// Makes a folder that was not there, and what is missing above it, with no promise that it survives.
    pub(crate) fn make_new(&self, disk: &Disk, path: &Path) -> io::Result<()> {
        for _ in 0..MOST_RACES {
            // Looked at first, because making a folder would follow a link on the way there.
            self.make(disk, self.parent(path)?)?;
            match disk.create_folder(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                done => return done,
            }
        }
        Err(lost_race(path))
    }

    fn make(&self, disk: &Disk, path: &Path) -> io::Result<()> {
        if look::is_folder(path)? {
            return Ok(());
        }
        match self.make_new(disk, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                folder_or_error(path, error)
            }
            done => done,
        }
    }

    /// Makes `path` durably, then runs `act` in it; again if somebody removed the empty folder in between.
    pub(crate) fn make_durable<T>(
        &self,
        disk: &Disk,
        path: &Path,
        mut act: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        for _ in 0..MOST_RACES {
            let mut plan = self.plan(disk);
            plan.make_leaf(path)?;
            plan.commit()?;
            match act() {
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound && !look::is_folder(path)? => {}
                done => return done,
            }
        }
        Err(lost_race(path))
    }

    /// Begins to collect folders that are synced together.
    pub(crate) fn plan<'a>(&'a self, disk: &'a Disk) -> Plan<'a> {
        let no_removal = self.removal.read().unwrap_or_else(PoisonError::into_inner);
        Plan {
            disk,
            folders: self,
            no_removal: Some(no_removal),
            created: Vec::new(),
            seen: HashSet::new(),
            sync: BTreeSet::new(),
        }
    }

    /// Removes an empty folder; answers whether it is gone.
    pub(crate) fn remove(&self, disk: &Disk, path: &Path) -> io::Result<bool> {
        let _alone = self.removal.write().unwrap_or_else(PoisonError::into_inner);
        self.lock_known().remove(path);
        disk.remove_folder(path)
    }

    /// Removes those of some folders that are empty, the last one first.
    ///
    /// Whoever uses one of them already keeps it.
    pub(crate) fn take_back(&self, disk: &Disk, created: &[PathBuf]) {
        for path in created.iter().rev() {
            let _ = self.remove(disk, path);
        }
    }

    /// The folder above one of ours; the anchors have none.
    fn parent<'p>(&self, path: &'p Path) -> io::Result<&'p Path> {
        if self.is_anchor(path) {
            return Err(lost_race(path));
        }
        path.parent().ok_or_else(|| lost_race(path))
    }

    fn is_anchor(&self, path: &Path) -> bool {
        self.anchors.iter().any(|anchor| anchor == path)
    }

    fn is_known(&self, path: &Path) -> bool {
        self.is_anchor(path) || self.lock_known().contains(path)
    }

    fn lock_known(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan<'_> {
    /// Makes a folder to which few will come again, such as a blob's: nobody remembers it.
    pub(crate) fn make_leaf(&mut self, path: &Path) -> io::Result<()> {
        let parent = self.folders.parent(path)?;
        self.make_lasting(parent)?;
        self.create(path)?;
        self.sync.insert(parent.to_owned());
        Ok(())
    }

    /// Makes a folder to which many will come again.
    pub(crate) fn make_lasting(&mut self, path: &Path) -> io::Result<()> {
        if self.seen.contains(path) {
            return Ok(());
        }
        if look::is_folder(path)? && self.folders.is_known(path) {
            self.seen.insert(path.to_owned());
            return Ok(());
        }
        let parent = self.folders.parent(path)?;
        self.make_lasting(parent)?;
        self.create(path)?;
        self.sync.insert(parent.to_owned());
        self.seen.insert(path.to_owned());
        Ok(())
    }

    fn create(&mut self, path: &Path) -> io::Result<()> {
        if look::is_folder(path)? {
            return Ok(());
        }
        match self.disk.create_folder(path) {
            Ok(()) => {
                self.created.push(path.to_owned());
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                folder_or_error(path, error)
            }
            Err(error) => Err(error),
        }
    }

    /// Makes all of them durable; answers those that were made, each behind the one above it.
    ///
    /// A failed sync is not tried again: what was made is taken back, so that a repetition makes it anew.
    pub(crate) fn commit(mut self) -> io::Result<Vec<PathBuf>> {
        let mut above = self.sync.iter();
        above.try_for_each(|path| self.disk.sync_folder(path))?;
        let mut known = self.folders.lock_known();
        if known.len() + self.seen.len() > MOST_KNOWN {
            known.clear();
        }
        known.extend(mem::take(&mut self.seen));
        drop(known);
        Ok(mem::take(&mut self.created))
    }
}

impl Drop for Plan<'_> {
    fn drop(&mut self) {
        self.no_removal = None;
        self.folders.take_back(self.disk, &self.created);
    }
}

/// Something else than a folder under its name cannot be healed by us.
fn folder_or_error(path: &Path, error: io::Error) -> io::Result<()> {
    if look::is_folder(path)? {
        Ok(())
    } else {
        Err(error)
    }
}

fn lost_race(path: &Path) -> io::Error {
    PathError::wrap("use folder", path, io::ErrorKind::NotFound.into())
}
