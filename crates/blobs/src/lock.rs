//! One process per storage folder.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::disk::Disk;
use crate::folder::Folder;
use crate::look;

/// Bounds what is read of a file that another process wrote.
const LONGEST: u64 = 1024;

/// How long it may take until somebody who gives up is noticed.
const LOOK: Duration = Duration::from_millis(100);

/// The right to use the folder, until it is dropped or the process ends.
#[derive(Debug)]
pub struct FolderLock {
    pub(crate) file: File,
}

/// Why the folder could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process uses it, and did not end in time.
    #[error("storage folder is in use by another process: {holder}")]
    Held {
        /// What the holder says of itself: process, host and start.
        holder: String,
    },
    /// The filesystem does not lock.
    #[error("lock `{}`", .path.display())]
    Unusable {
        /// The file that is locked.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Folder {
    /// Locks the folder, waiting for another process at most as long as `wait`.
    pub fn lock(&self, wait: Duration) -> Result<FolderLock, LockError> {
        self.lock_unless(wait, &|| false)
    }

    /// The same, but stops waiting once `give_up` says so.
    pub fn lock_unless(
        &self,
        wait: Duration,
        give_up: &dyn Fn() -> bool,
    ) -> Result<FolderLock, LockError> {
        let path = self.inner.layout.own.join("lock");
        let unusable = |source| LockError::Unusable {
            path: path.clone(),
            source,
        };
        let disk = &self.inner.disk;
        let file = disk.open_lasting_file(&path).map_err(unusable)?;
        let locked = lock_within(file, wait, give_up).map_err(unusable)?;
        let Some(file) = locked else {
            let holder = read_holder(&path).map_err(unusable)?;
            return Err(LockError::Held { holder });
        };
        sign(disk, &file, &path).map_err(unusable)?;
        Ok(FolderLock { file })
    }
}

fn lock_within(file: File, wait: Duration, give_up: &dyn Fn() -> bool) -> io::Result<Option<File>> {
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => return Ok(Some(file)),
        Err(Errno::WOULDBLOCK) if wait.is_zero() => return Ok(None),
        Err(Errno::WOULDBLOCK) => {}
        Err(errno) => return Err(errno.into()),
    }
    let (sender, receiver) = mpsc::sync_channel(1);
    // Nothing ends a wait for a lock; one that comes too late finds nobody to take it and is dropped.
    std::thread::Builder::new()
        .name("folder-lock".to_owned())
        .spawn(move || {
            let locked = rustix::io::retry_on_intr(|| flock(&file, FlockOperation::LockExclusive));
            let _ = sender.send(locked.map(|()| file));
        })?;
    let until = Instant::now() + wait;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match receiver.recv_timeout(left.min(LOOK)) {
            Ok(locked) => return Ok(Some(locked?)),
            Err(RecvTimeoutError::Timeout) if left <= LOOK || give_up() => return Ok(None),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(io::ErrorKind::Other.into()),
        }
    }
}

/// Says in the file who holds the lock; nothing depends on it.
fn sign(disk: &Disk, file: &File, path: &Path) -> io::Result<()> {
    let process = std::process::id();
    let uname = rustix::system::uname();
    let host = uname.nodename().to_string_lossy();
    let started = crate::session::started_text(SystemTime::now())?;
    let text = format!("process {process} on {host} since {started}");
    disk.truncate(file, path, 0)?;
    disk.write(file, path, text.as_bytes(), 0)
}

fn read_holder(path: &Path) -> io::Result<String> {
    let text = look::read_bounded(path, LONGEST)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    if text.is_empty() {
        return Ok("unknown".to_owned());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::NoFaults;

    fn open(dir: &tempfile::TempDir) -> Folder {
        Folder::open(dir.path(), Arc::new(NoFaults)).unwrap()
    }

    #[test]
    fn a_second_lock_says_whose_the_first_one_is() {
        let dir = tempfile::tempdir().unwrap();
        let _first = open(&dir).lock(Duration::ZERO).unwrap();

        let begun = Instant::now();
        let error = open(&dir).lock(Duration::from_millis(50)).unwrap_err();

        assert!(begun.elapsed() >= Duration::from_millis(50));
        let process = format!("process {} on ", std::process::id());
        assert!(matches!(&error, LockError::Held { holder } if holder.starts_with(&process)));
        assert!(error.to_string().contains(&process), "{error}");
    }

    #[test]
    fn a_lock_is_had_as_soon_as_the_first_one_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(&dir).lock(Duration::ZERO).unwrap();
        let folder = open(&dir);

        let second = std::thread::spawn(move || folder.lock(Duration::from_mins(10)));
        drop(first);

        assert!(second.join().unwrap().is_ok());
    }

    #[test]
    fn who_gives_up_waits_no_longer() {
        let dir = tempfile::tempdir().unwrap();
        let _first = open(&dir).lock(Duration::ZERO).unwrap();

        let begun = Instant::now();
        let given_up = open(&dir).lock_unless(Duration::from_mins(10), &|| true);

        assert!(matches!(given_up, Err(LockError::Held { .. })));
        assert!(begun.elapsed() < Duration::from_mins(1));
    }

    #[test]
    fn a_lock_that_came_too_late_is_let_go() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(&dir).lock(Duration::ZERO).unwrap();
        open(&dir).lock(Duration::from_millis(1)).unwrap_err();
        drop(first);

        assert!(open(&dir).lock(Duration::from_mins(10)).is_ok());
    }
}
