//! Every system call that changes the disk, each of which can be made to fail by a test.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::{direct, look};

/// A kind of change to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// An empty file appears.
    CreateFile,
    /// Bytes are handed to the system, which may hold them in memory.
    Write,
    /// The bytes of a file are made durable.
    SyncFile,
    /// A file takes its final name, which is the one that a fault is told.
    Rename,
    /// The entries of a folder are made durable.
    SyncFolder,
    /// All that a filesystem holds is made durable; the path is that of a folder on it.
    SyncFilesystem,
    /// An empty folder appears.
    CreateFolder,
    /// A file or an empty folder disappears.
    Unlink,
    /// A file loses its end.
    Truncate,
}

impl Step {
    fn verb(self) -> &'static str {
        match self {
            Self::CreateFile => "create file",
            Self::Write => "write",
            Self::SyncFile => "sync file",
            Self::Rename => "rename to",
            Self::SyncFolder => "sync folder",
            Self::SyncFilesystem => "sync the filesystem of",
            Self::CreateFolder => "create folder",
            Self::Unlink => "remove",
            Self::Truncate => "truncate",
        }
    }
}

/// What may go wrong; asked before each change to the disk.
pub trait Faults: Send + Sync + fmt::Debug {
    /// Lets the step happen, or fails in its place.
    fn before(&self, step: Step, path: &Path) -> io::Result<()>;
}

/// Nothing goes wrong that the disk does not do itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFaults;

impl Faults for NoFaults {
    fn before(&self, _step: Step, _path: &Path) -> io::Result<()> {
        Ok(())
    }
}

/// What was being done to which path when the system refused; it keeps the kind of the error it wraps.
#[derive(Debug, thiserror::Error)]
#[error("{verb} `{}`", .path.display())]
pub(crate) struct PathError {
    verb: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl PathError {
    pub(crate) fn wrap(verb: &'static str, path: &Path, source: io::Error) -> io::Error {
        let kind = source.kind();
        let path = path.to_owned();
        io::Error::new(kind, Self { verb, path, source })
    }
}

/// The one way to change the disk.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    faults: Arc<dyn Faults>,
}

impl Disk {
    pub(crate) fn new(faults: Arc<dyn Faults>) -> Self {
        Self { faults }
    }

    fn attempt<T>(
        &self,
        step: Step,
        path: &Path,
        act: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let allowed = self.faults.before(step, path);
        let done = allowed.and_then(|()| act());
        done.map_err(|source| PathError::wrap(step.verb(), path, source))
    }

    /// Creates a file that was not there, open for reading and writing.
    pub(crate) fn create_file(&self, path: &Path) -> io::Result<File> {
        self.attempt(Step::CreateFile, path, || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true).open(path)
        })
    }

    /// Creates a file, in place of what an operation that was cut short may have left under the same name.
    pub(crate) fn create_file_anew(&self, path: &Path) -> io::Result<File> {
        match self.create_file(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.unlink(path)?;
                self.create_file(path)
            }
            created => created,
        }
    }

    /// The same for a file below an open folder, which the way `below` leads to.
    pub(crate) fn create_file_in(
        &self,
        folder: &OwnedFd,
        below: &OsStr,
        path: &Path,
    ) -> io::Result<File> {
        let create = || {
            self.attempt(Step::CreateFile, path, || {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let file = rustix::fs::openat(folder, below, flags, Mode::from(0o666))?;
                Ok(File::from(file))
            })
        };
        match create() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.unlink(path)?;
                create()
            }
            created => created,
        }
    }

    /// Opens a file that stays where it is for good, and creates it the first time.
    pub(crate) fn open_lasting_file(&self, path: &Path) -> io::Result<File> {
        self.attempt(Step::CreateFile, path, || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
            options.open(path)
        })
    }

    /// Writes all of `bytes` at `offset`.
    pub(crate) fn write(
        &self,
        file: &File,
        path: &Path,
        bytes: &[u8],
        offset: u64,
    ) -> io::Result<()> {
        self.attempt(Step::Write, path, || file.write_all_at(bytes, offset))
    }

    /// Writes all of what an upload has got, at its end.
    pub(crate) fn write_pieces(
        &self,
        file: &File,
        path: &Path,
        pieces: &[impl AsRef<[u8]>],
        offset: u64,
    ) -> io::Result<()> {
        self.attempt(Step::Write, path, || direct::write(file, pieces, offset))
    }

    /// Makes a file's bytes durable, and of its attributes what is needed to read them again.
    pub(crate) fn sync_file(&self, file: &File, path: &Path) -> io::Result<()> {
        self.attempt(Step::SyncFile, path, || file.sync_data())
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.attempt(Step::Rename, to, || fs::rename(from, to))
    }

    /// Makes a folder's entries durable.
    pub(crate) fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.attempt(Step::SyncFolder, path, || {
            let folder = look::open_folder(path)?.ok_or(io::ErrorKind::NotFound)?;
            match rustix::fs::fsync(folder) {
                // Some network filesystems sync no folders and say so: there is nothing that could be lost, or nothing to be done.
                Err(Errno::INVAL | Errno::NOTSUP | Errno::NOSYS) => Ok(()),
                synced => Ok(synced?),
            }
        })
    }

    /// Makes durable all that was written, by anybody, to the filesystem that an open folder is on.
    pub(crate) fn sync_filesystem(&self, folder: &OwnedFd, path: &Path) -> io::Result<()> {
        self.attempt(Step::SyncFilesystem, path, || {
            Ok(rustix::fs::syncfs(folder)?)
        })
    }

    /// Creates the folder `path`, to which `below` is the way from an open one; answers whether it was not there.
    pub(crate) fn create_folder_in(
        &self,
        folder: &OwnedFd,
        below: &OsStr,
        path: &Path,
    ) -> io::Result<bool> {
        self.attempt(Step::CreateFolder, path, || {
            match rustix::fs::mkdirat(folder, below, Mode::from(0o777)) {
                Ok(()) => Ok(true),
                Err(Errno::EXIST) => Ok(false),
                Err(errno) => Err(errno.into()),
            }
        })
    }

    pub(crate) fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.attempt(Step::CreateFolder, path, || fs::create_dir(path))
    }

    /// Removes a file; answers whether there was one.
    pub(crate) fn unlink(&self, path: &Path) -> io::Result<bool> {
        absent_is_false(self.attempt(Step::Unlink, path, || fs::remove_file(path)))
    }

    /// Removes an empty folder; answers whether it is gone, which it is not while something is in it.
    pub(crate) fn remove_folder(&self, path: &Path) -> io::Result<bool> {
        let removed = self.attempt(Step::Unlink, path, || fs::remove_dir(path));
        match removed {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            removed => removed.map(|()| true),
        }
    }

    pub(crate) fn truncate(&self, file: &File, path: &Path, size: u64) -> io::Result<()> {
        self.attempt(Step::Truncate, path, || file.set_len(size))
    }
}

fn absent_is_false(done: io::Result<()>) -> io::Result<bool> {
    match done {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
