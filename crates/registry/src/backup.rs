//! Backups: a copy of the database and the blobs that it names, made while a server runs.
//!
//! The order is what makes them consistent: first nothing is let go of any more, then the database is copied, then what the copy names.
//! A backup counts once its description is renamed into place; until then the one before it is whole, and its blobs stay.

mod folder;
mod restore;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use boxyard_blobs::{Copied, Faults, Folder, NoFaults};
use boxyard_meta::{OpenError, Snapshot};
use boxyard_oci::Digest;

use crate::Registry;
use crate::start::{Options, StartError};

use folder::{BackupFolder, Description};
pub use restore::{RestoreOptions, restore};

/// Blobs listed in one go.
const PAGE: usize = 1_000;

/// Why there is no backup, or no registry from one.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file or a folder failed.
    #[error("{action} `{}`", .path.display())]
    File {
        /// What was being done, in the present tense.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The database, or its copy, cannot be used.
    #[error("copy the database")]
    Database(#[source] OpenError),
    /// The registry's folder cannot be used.
    #[error("open the registry's folder")]
    Folder(#[source] boxyard_blobs::OpenError),
    /// The folder holds no whole backup.
    #[error("`{}` holds no backup: {reason}", .path.display())]
    NoBackup {
        /// The folder.
        path: PathBuf,
        /// Why it is none.
        reason: String,
    },
    /// Another command works on the same backup.
    #[error("another command works on the backup `{}`", .path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A backup within the registry's own folder would back itself up, and be lost with it.
    #[error("the backup `{}` would lie within the registry's folder: choose another place", .path.display())]
    Inside {
        /// The folder.
        path: PathBuf,
    },
    /// There is a registry already.
    #[error("`{}` is not empty: restore into an empty folder, or move away what is there", .path.display())]
    NotEmpty {
        /// The registry's folder.
        path: PathBuf,
    },
    /// Blobs of the backup are missing or damaged.
    #[error(
        "{count} blobs of the backup are missing or damaged, {first} among them: nothing was restored"
    )]
    Damaged {
        /// How many.
        count: usize,
        /// One of them.
        first: Digest,
    },
    /// The restored registry does not open.
    #[error("open what was restored")]
    Start(#[source] StartError),
    /// The restored registry fails.
    #[error("bring the folder up to date")]
    Internal(#[source] crate::Internal),
}

/// How far a backup or a restore is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupProgress {
    /// Blobs that are done.
    pub blobs: u64,
    /// Of those, the ones that had to be copied.
    pub copied: u64,
    /// Bytes that are done.
    pub bytes: u64,
    /// Bytes that there are.
    pub total_bytes: u64,
}

/// A backup that is being made.
#[derive(Debug)]
pub struct Backup {
    source: Folder,
    target: BackupFolder,
    snapshot: Snapshot,
    next: Description,
    link: bool,
    progress: BackupProgress,
    damaged: Vec<Digest>,
}

impl Backup {
    /// Copies the database of the registry that `options` describe into the backup `to`.
    ///
    /// Blocks, as everything here does. Nothing may be let go of from before this is called until the backup is finished.
    pub fn begin(options: &Options, to: &Path, link: bool) -> Result<Self, BackupError> {
        let faults: Arc<dyn Faults> = Arc::new(NoFaults);
        let source = Folder::open(&options.root, faults).map_err(BackupError::Folder)?;
        let backup = BackupFolder::make(to)?;
        if backup.path().starts_with(source.root()) {
            let path = to.to_owned();
            return Err(BackupError::Inside { path });
        }
        let next = backup.next()?;
        let copy = backup.path().join(&next.database);
        Snapshot::take(&options.database_path(), &copy).map_err(BackupError::Database)?;
        folder::sync(&copy)?;
        let snapshot = Snapshot::open(&copy).map_err(BackupError::Database)?;
        let total_bytes = snapshot.bytes().map_err(BackupError::Database)?;
        Ok(Self {
            source,
            target: backup,
            snapshot,
            next,
            link,
            progress: BackupProgress {
                total_bytes,
                ..BackupProgress::default()
            },
            damaged: Vec::new(),
        })
    }

    /// Copies every blob that the database's copy names and the backup lacks; answers those that are damaged.
    pub fn copy(
        &mut self,
        mut tell: impl FnMut(BackupProgress) -> bool,
    ) -> Result<&[Digest], BackupError> {
        let mut after = 0;
        loop {
            let page = self.snapshot.files(after, PAGE);
            let page = page.map_err(BackupError::Database)?;
            let Some(last) = page.last() else { break };
            after = last.id;
            for blob in page {
                self.copy_one(&blob.digest, blob.size)?;
                self.progress.blobs += 1;
                self.progress.bytes += blob.size;
                if !tell(self.progress) {
                    return Ok(&self.damaged);
                }
            }
        }
        Ok(&self.damaged)
    }

    fn copy_one(&mut self, digest: &Digest, size: u64) -> Result<(), BackupError> {
        if self.target.has(digest, size)? {
            return Ok(());
        }
        let (source, link) = (&self.source, self.link);
        let copied = self
            .target
            .add(digest, |to| source.copy_blob_to(digest, to, link))?;
        match copied {
            Copied::Done => self.progress.copied += 1,
            Copied::Damaged => self.damaged.push(*digest),
        }
        Ok(())
    }

    /// Makes this the backup, and removes what only the one before it needed.
    pub fn finish(mut self) -> Result<BackupProgress, BackupError> {
        self.next.blobs = self.progress.blobs - self.damaged.len() as u64;
        self.next.bytes = self.progress.bytes;
        self.target.sync_blobs()?;
        self.target.describe(&self.next)?;
        self.target.prune(&self.next, &self.snapshot)?;
        Ok(self.progress)
    }
}

/// While one of these is there, the file of no blob goes.
#[derive(Debug)]
pub struct Hold {
    registry: Arc<Registry>,
}

/// How many want everything to stay.
#[derive(Debug, Default)]
pub(crate) struct Holds(AtomicUsize);

impl Holds {
    pub(crate) fn any(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

impl Registry {
    /// Keeps the file of every blob until the answer is dropped: deletes are done, but make no room meanwhile.
    pub async fn hold_files(self: &Arc<Self>) -> Hold {
        self.holds.0.fetch_add(1, Ordering::SeqCst);
        let hold = Hold {
            registry: Arc::clone(self),
        };
        // A round that had begun before may still remove files.
        drop(self.projector.turn().await);
        hold
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.registry.holds.0.fetch_sub(1, Ordering::SeqCst);
        self.registry.projector.hurry();
    }
}

/// Names what was being done with a file.
trait With<T> {
    fn with(self, action: &'static str, path: &Path) -> Result<T, BackupError>;
}

impl<T> With<T> for std::io::Result<T> {
    fn with(self, action: &'static str, path: &Path) -> Result<T, BackupError> {
        self.map_err(|source| BackupError::File {
            action,
            path: path.to_owned(),
            source,
        })
    }
}

fn exists(path: &Path) -> Result<bool, BackupError> {
    fs::exists(path).with("look for", path)
}
