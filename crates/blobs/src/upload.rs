//! One open upload: a file that grows until it becomes a blob.

use std::fs::File;
use std::io::{self, Seek};
use std::path::{Path, PathBuf};

use boxyard_oci::{Algorithm, Digest, Hasher, RepoName};

use crate::blob::hash_file;
use crate::disk::PathError;
use crate::fence::Fence;
use crate::folder::Folder;
use crate::session::{Sidecar, UploadId};

/// Why an upload refuses to go on; the inner error of the [`io::Error`] that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UploadFault {
    /// A sync or a repair failed, so nobody knows what the file holds.
    #[error("the upload failed before and cannot go on")]
    Poisoned,
    /// A newer request has opened the upload, or it was finished or cancelled.
    #[error("a newer request has taken the upload over")]
    TakenOver,
    /// The bytes are not those of the blob that they should become.
    #[error("the upload has digest {actual}, and should become {expected}")]
    Mismatch {
        /// The blob that was to be.
        expected: Digest,
        /// The digest of the bytes.
        actual: Digest,
    },
}

impl UploadFault {
    /// The fault that an error is about.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl From<UploadFault> for io::Error {
    fn from(fault: UploadFault) -> Self {
        Self::other(fault)
    }
}

/// An open upload. Its bytes are hashed as they come, and synced only when they become a blob.
#[derive(Debug)]
pub struct Upload {
    folder: Folder,
    repo: RepoName,
    file: File,
    path: PathBuf,
    fence: Fence,
    sidecar: Sidecar,
    size: u64,
    hasher: Hasher,
    mark: Mark,
    // The digest by another algorithm, which costs a whole read, and the size that it is of.
    other: Option<(u64, Digest)>,
    // A write that failed may have left bytes behind the end.
    torn: bool,
    poisoned: bool,
}

#[derive(Debug, Clone)]
struct Mark {
    size: u64,
    hasher: Hasher,
}

impl Upload {
    /// An upload whose file holds `size` bytes, which the hasher has seen.
    pub(crate) fn new(
        folder: &Folder,
        repo: &RepoName,
        fence: Fence,
        (file, path): (File, PathBuf),
        sidecar: Sidecar,
        (hasher, size): (Hasher, u64),
    ) -> Self {
        Self {
            folder: folder.clone(),
            repo: repo.clone(),
            file,
            path,
            fence,
            sidecar,
            size,
            mark: Mark {
                size,
                hasher: hasher.clone(),
            },
            hasher,
            other: None,
            torn: false,
            poisoned: false,
        }
    }

    /// Gives the file another name, unless somebody has taken the upload over.
    pub(crate) fn rename(&self, to: &Path) -> io::Result<()> {
        let _writing = self.writing()?;
        self.folder.inner.disk.rename(&self.path, to)
    }

    /// Adds bytes at the end.
    ///
    /// After an error the upload has the size it had before, and may go on.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let writing = self.writing()?;
        let disk = &self.folder.inner.disk;
        let written = disk.write(&self.file, &self.path, bytes, self.size);
        drop(writing);
        match written {
            Ok(()) => {
                self.hasher.update(bytes);
                self.size += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                self.torn = true;
                Err(error)
            }
        }
    }

    /// How many bytes there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The repository that it was begun in.
    pub fn repo(&self) -> &RepoName {
        &self.repo
    }

    /// Its name.
    pub fn id(&self) -> &UploadId {
        self.fence.id()
    }

    /// The algorithm that its bytes are hashed with as they come.
    pub fn algorithm(&self) -> Algorithm {
        self.hasher.algorithm()
    }

    /// Who began it, if that was said.
    pub fn owner(&self) -> Option<&str> {
        self.sidecar.owner.as_deref()
    }

    /// The digest of its bytes; by another algorithm than its own that costs one whole read.
    pub fn digest(&mut self, algorithm: Algorithm) -> io::Result<Digest> {
        if self.poisoned {
            return Err(UploadFault::Poisoned.into());
        }
        if algorithm == self.algorithm() {
            return Ok(self.hasher.clone().finish());
        }
        match self.other {
            Some((size, digest)) if size == self.size && digest.algorithm() == algorithm => {
                Ok(digest)
            }
            _ => {
                let digest = self.read_again(algorithm, self.size)?.finish();
                self.other = Some((self.size, digest));
                Ok(digest)
            }
        }
    }

    /// Remembers the end as a place to come back to, such as the last one that a client was told.
    pub fn mark(&mut self) {
        self.mark = Mark {
            size: self.size,
            hasher: self.hasher.clone(),
        };
    }

    /// Drops everything after the last mark; without one, what was added since the upload was opened.
    pub fn rewind(&mut self) -> io::Result<()> {
        self.truncate(self.mark.size)
    }

    /// Drops everything from `to` on; cheap for the end and the last mark, else one read of what stays.
    pub fn truncate(&mut self, to: u64) -> io::Result<()> {
        if to > self.size {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let hasher = if to == self.size {
            self.hasher.clone()
        } else if to == self.mark.size {
            self.mark.hasher.clone()
        } else {
            self.read_again(self.algorithm(), to)?
        };
        if to < self.size || self.torn {
            self.cut(to)?;
        }
        self.size = to;
        self.hasher = hasher;
        self.other = None;
        if self.mark.size > to {
            self.mark();
        }
        Ok(())
    }

    /// Cuts the file; if that fails, nobody knows what the file holds.
    fn cut(&mut self, to: u64) -> io::Result<()> {
        let writing = self.writing()?;
        let disk = &self.folder.inner.disk;
        let cut = disk.truncate(&self.file, &self.path, to);
        drop(writing);
        self.poisoned = cut.is_err();
        self.torn = cut.is_err();
        cut
    }

    /// Makes the bytes durable, once: after a failure the system may have dropped them and would report success.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if self.len_on_disk()? > self.size {
            self.cut(self.size)?;
        }
        let writing = self.writing()?;
        let synced = self.folder.inner.disk.sync_file(&self.file, &self.path);
        drop(writing);
        self.poisoned = synced.is_err();
        synced
    }

    /// What makes durable what was added until now, to be run while more is added: the sync at the end then waits for less.
    ///
    /// If it fails, the upload must be dropped: the system tells of a failure once.
    pub fn sync_ahead(&self) -> io::Result<impl FnOnce() -> io::Result<()> + Send + use<>> {
        let (folder, path) = (self.folder.clone(), self.path.clone());
        let file = self.file.try_clone();
        let file = file.map_err(|source| PathError::wrap("sync file", &path, source))?;
        Ok(move || folder.inner.disk.sync_file(&file, &path))
    }

    /// The length of the file, which is never less than what was written unless somebody else cut it.
    fn len_on_disk(&self) -> io::Result<u64> {
        let metadata = self.file.metadata();
        let len = metadata.and_then(|metadata| match metadata.len() {
            len if len < self.size => Err(io::ErrorKind::UnexpectedEof.into()),
            len => Ok(len),
        });
        len.map_err(|source| PathError::wrap("read", &self.path, source))
    }

    fn writing(&self) -> io::Result<crate::fence::Writing<'_>> {
        if self.poisoned {
            return Err(UploadFault::Poisoned.into());
        }
        let writing = self.fence.writing();
        writing.ok_or_else(|| UploadFault::TakenOver.into())
    }

    fn read_again(&mut self, algorithm: Algorithm, size: u64) -> io::Result<Hasher> {
        let rewound = self.file.rewind();
        rewound.map_err(|source| PathError::wrap("read", &self.path, source))?;
        let (hasher, read) = hash_file(&self.file, &self.path, algorithm, size)?;
        if read < size {
            let cut_short = io::ErrorKind::UnexpectedEof.into();
            return Err(PathError::wrap("read", &self.path, cut_short));
        }
        Ok(hasher)
    }
}

#[cfg(test)]
mod tests;
