//! The folder of `storage.inmemory`, which goes when the server stops.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::fs::{FlockOperation, flock, statvfs};
use rustix::process::geteuid;

/// Where Linux has memory that looks like a folder.
const MEMORY: &str = "/dev/shm";
/// What must be free there for it to be of use, in bytes; containers often have 64 MiB in all.
const ENOUGH: u64 = 256 << 20;
/// What the names of our folders begin with.
const NAME: &str = "boxyard-inmemory-";

/// A private folder; dropped, it is removed with all that is in it.
#[derive(Debug)]
pub(crate) struct Memory {
    path: PathBuf,
    /// Locked as long as the process lives, which tells it from one that somebody has left.
    _lock: File,
}

impl Memory {
    /// Makes the folder: in memory where there is room, and else where temporary files are.
    pub(crate) fn make() -> anyhow::Result<Self> {
        let memory = Path::new(MEMORY);
        let temporary = std::env::temp_dir();
        for place in [memory, &temporary] {
            sweep(place);
        }
        let has_room = free(memory).is_ok_and(|free| free >= ENOUGH);
        let first = has_room.then(|| make_in(memory));
        let (path, lock) = match first {
            Some(Ok(made)) => made,
            _ => make_in(&temporary).with_context(|| {
                format!(
                    "make a folder for `storage.inmemory` in `{}`; `TMPDIR` names another place",
                    temporary.display()
                )
            })?,
        };
        Ok(Self { path, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("error: remove `{}`: {error}", self.path.display());
        }
    }
}

fn free(path: &Path) -> io::Result<u64> {
    let found = statvfs(path)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Nobody else may look into the folder, and none that is there already is taken.
fn make_in(parent: &Path) -> io::Result<(PathBuf, File)> {
    let process = std::process::id();
    for number in 0..1_000 {
        let path = parent.join(format!("{NAME}{process}-{number}"));
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(()) => {
                // Somebody who sweeps may have been quicker.
                if let Some(lock) = lock(&path) {
                    return Ok((path, lock));
                }
            }
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Locks a folder that nobody else has locked or removed.
fn lock(path: &Path) -> Option<File> {
    let folder = File::open(path).ok()?;
    flock(&folder, FlockOperation::NonBlockingLockExclusive).ok()?;
    let (locked, named) = (folder.metadata().ok()?, fs::symlink_metadata(path).ok()?);
    let is_same = locked.dev() == named.dev() && locked.ino() == named.ino();
    is_same.then_some(folder)
}

/// Removes what servers have left that were killed.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_named_so = name.to_str().is_some_and(|name| name.starts_with(NAME));
        let found = entry.metadata();
        let is_ours = found.is_ok_and(|found| found.is_dir() && found.uid() == geteuid().as_raw());
        if !is_named_so || !is_ours {
            continue;
        }
        if let Some(_lock) = lock(&entry.path())
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            eprintln!("warning: remove `{}`: {error}", entry.path().display());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_folder_is_private_and_goes() {
        let memory = Memory::make().unwrap();
        let path = memory.path().to_owned();
        fs::write(path.join("file"), "content").unwrap();

        let mode = fs::metadata(&path).unwrap().permissions().mode();
        drop(memory);

        assert_eq!(mode & 0o777, 0o700);
        assert!(!path.exists());
    }

    #[test]
    fn what_was_left_is_swept_and_what_is_used_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let left = parent.path().join(format!("{NAME}1-0"));
        fs::create_dir_all(left.join("docker")).unwrap();
        let other = parent.path().join("other");
        fs::create_dir(&other).unwrap();
        let (used, lock) = make_in(parent.path()).unwrap();

        sweep(parent.path());

        assert!(!left.exists());
        assert!(other.exists() && used.exists());
        drop(lock);
        sweep(parent.path());
        assert!(!used.exists());
    }
}
