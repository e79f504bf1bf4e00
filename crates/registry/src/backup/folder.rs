//! The folder of a backup.
//!
//! `backup.json` names the copy of the database that counts; `blobs/<alg>/<2>/<hex>` are the blobs.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use boxyard_blobs::Copied;
use boxyard_meta::Snapshot;
use boxyard_oci::Digest;
use serde::{Deserialize, Serialize};

use super::{BackupError, With};

/// The version of this layout.
const LAYOUT: u32 = 1;
const DESCRIPTION: &str = "backup.json";
const BLOBS: &str = "blobs";
const UNFINISHED: &str = ".unfinished";

/// What `backup.json` says.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Description {
    layout: u32,
    /// The version of the program that made it.
    made_by: String,
    /// Counts the backups in this folder.
    number: u64,
    /// When it was begun, in seconds since 1970.
    begun: u64,
    /// The file of the database's copy.
    pub(super) database: String,
    pub(super) blobs: u64,
    pub(super) bytes: u64,
}

/// A backup's folder, for one command at a time.
#[derive(Debug)]
pub(super) struct BackupFolder {
    path: PathBuf,
    /// The folders that got new files.
    touched: BTreeSet<PathBuf>,
    _lock: File,
}

impl BackupFolder {
    /// Opens the folder, or makes it.
    pub(super) fn make(path: &Path) -> Result<Self, BackupError> {
        fs::create_dir_all(path).with("make the folder", path)?;
        Self::open(path)
    }

    pub(super) fn open(path: &Path) -> Result<Self, BackupError> {
        let path = fs::canonicalize(path).with("open the backup", path)?;
        let lock = path.join("lock");
        let file = File::create(&lock).with("create", &lock)?;
        if file.try_lock().is_err() {
            return Err(BackupError::InUse { path });
        }
        Ok(Self {
            path,
            touched: BTreeSet::new(),
            _lock: file,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The backup that counts.
    pub(super) fn described(&self) -> Result<Option<Description>, BackupError> {
        let path = self.path.join(DESCRIPTION);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.with("read", &path)?,
        };
        let no_backup = |reason: String| BackupError::NoBackup {
            path: self.path.clone(),
            reason,
        };
        let description: Description = serde_json::from_slice(&text)
            .map_err(|error| no_backup(format!("`{DESCRIPTION}` cannot be read: {error}")))?;
        if description.layout > LAYOUT {
            let reason = "a newer version of this program has made it: run that version";
            return Err(no_backup(reason.to_owned()));
        }
        Ok(Some(description))
    }

    /// The one that comes next; what a command that died has left of it goes.
    pub(super) fn next(&self) -> Result<Description, BackupError> {
        let number = self.described()?.map_or(1, |last| last.number + 1);
        let next = Description {
            layout: LAYOUT,
            made_by: env!("CARGO_PKG_VERSION").to_owned(),
            number,
            begun: SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            database: format!("database-{number}.db"),
            blobs: 0,
            bytes: 0,
        };
        remove(&self.path.join(&next.database))?;
        Ok(next)
    }

    pub(super) fn blob(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        let folder = self.path.join(BLOBS).join(digest.algorithm().as_str());
        folder.join(&hex[..2]).join(hex)
    }

    /// Whether the blob is there with this size: its name came with its last byte.
    pub(super) fn has(&self, digest: &Digest, size: u64) -> Result<bool, BackupError> {
        let path = self.blob(digest);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            found => {
                let found = found.with("look for", &path)?;
                Ok(found.is_file() && found.len() == size)
            }
        }
    }

    /// Adds a blob by `write`, which makes the file that it is given.
    pub(super) fn add(
        &mut self,
        digest: &Digest,
        write: impl FnOnce(&Path) -> io::Result<Copied>,
    ) -> Result<Copied, BackupError> {
        let path = self.blob(digest);
        let folder = path.parent().unwrap_or(&self.path).to_owned();
        fs::create_dir_all(&folder).with("make the folder", &folder)?;
        let unfinished = path.with_extension(&UNFINISHED[1..]);
        remove(&unfinished)?;
        let copied = write(&unfinished).with("copy a blob to", &path)?;
        match copied {
            Copied::Done => {
                fs::rename(&unfinished, &path).with("name", &path)?;
                self.touched.insert(folder);
            }
            Copied::Damaged => remove(&unfinished)?,
        }
        Ok(copied)
    }

    /// Makes the names of all blobs durable.
    pub(super) fn sync_blobs(&self) -> Result<(), BackupError> {
        for folder in &self.touched {
            let above = folder.ancestors();
            for folder in above.take_while(|above| above.starts_with(&self.path)) {
                sync(folder)?;
            }
        }
        sync(&self.path)
    }

    /// Makes `next` the backup that counts.
    pub(super) fn describe(&self, next: &Description) -> Result<(), BackupError> {
        let path = self.path.join(DESCRIPTION);
        let unfinished = path.with_extension("json.unfinished");
        let text = serde_json::to_vec_pretty(next).expect("a description is plain data");
        fs::write(&unfinished, text).with("write", &unfinished)?;
        sync(&unfinished)?;
        fs::rename(&unfinished, &path).with("name", &path)?;
        sync(&self.path)
    }

    /// Removes what the backup that counts does not need.
    pub(super) fn prune(
        &self,
        current: &Description,
        snapshot: &Snapshot,
    ) -> Result<(), BackupError> {
        for entry in entries(&self.path)? {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("database-") && *name != *current.database {
                remove(&entry.path())?;
            }
        }
        for algorithm in entries(&self.path.join(BLOBS))? {
            for prefix in entries(&algorithm.path())? {
                for blob in entries(&prefix.path())? {
                    let (kind, hex) = (algorithm.file_name(), blob.file_name());
                    let text = format!("{}:{}", kind.to_string_lossy(), hex.to_string_lossy());
                    let is_needed = match text.parse() {
                        Ok(digest) => snapshot.has(&digest).map_err(BackupError::Database)?,
                        Err(_) => !text.ends_with(UNFINISHED),
                    };
                    if !is_needed {
                        remove(&blob.path())?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn entries(path: &Path) -> Result<Vec<fs::DirEntry>, BackupError> {
    match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        found => {
            let found: io::Result<Vec<fs::DirEntry>> = found.with("list", path)?.collect();
            found.with("list", path)
        }
    }
}

fn remove(path: &Path) -> Result<(), BackupError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.with("remove", path),
    }
}

/// Makes a file's or a folder's content durable.
pub(super) fn sync(path: &Path) -> Result<(), BackupError> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.with("sync", path)
}
