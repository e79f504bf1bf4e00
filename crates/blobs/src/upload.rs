//! One open upload: a file that grows until it becomes a blob.

use std::fs::File;
use std::io::{self, Seek};
use std::path::{Path, PathBuf};

use boxyard_oci::{Algorithm, Digest, Hasher, RepoName};

use crate::blob::hash_file;
use crate::direct;
use crate::disk::PathError;
use crate::fence::Fence;
use crate::folder::Folder;
use crate::session::{Sidecar, UploadId};
use crate::young::Young;

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
    pub(crate) folder: Folder,
    pub(crate) repo: RepoName,
    pub(crate) store: Store,
    pub(crate) fence: Fence,
    pub(crate) sidecar: Sidecar,
    size: u64,
    hasher: Hasher,
    mark: Mark,
    // The digest by another algorithm, which costs a whole read, and the size that it is of.
    other: Option<(u64, Digest)>,
    // A write that failed may have left bytes behind the end.
    torn: bool,
    poisoned: bool,
}

/// Where the bytes of an upload are.
#[derive(Debug)]
pub(crate) enum Store {
    /// In memory, while they are few and young.
    Memory(Young),
    /// In its folder.
    File { file: File, path: PathBuf },
}

#[derive(Debug, Clone)]
struct Mark {
    size: u64,
    hasher: Hasher,
}

impl Upload {
    /// An upload that holds `size` bytes, which the hasher has seen.
    pub(crate) fn new(
        folder: &Folder,
        repo: &RepoName,
        fence: Fence,
        store: Store,
        sidecar: Sidecar,
        (hasher, size): (Hasher, u64),
    ) -> Self {
        Self {
            folder: folder.clone(),
            repo: repo.clone(),
            store,
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
        let (_, path) = self.file()?;
        let _writing = self.writing()?;
        self.folder.inner.disk.rename(path, to)
    }

    /// Adds bytes at the end.
    ///
    /// After an error the upload has the size it had before, and may go on.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.append_all(&[bytes])
    }

    /// The same for bytes that came in pieces.
    pub fn append_all(&mut self, pieces: &[impl AsRef<[u8]>]) -> io::Result<()> {
        let len = pieces.iter().map(|piece| piece.as_ref().len()).sum();
        if let Store::Memory(young) = &mut self.store
            && !young.grow(len)
        {
            self.settle()?;
        }
        if let Err(error) = self.write(pieces) {
            self.torn = true;
            return Err(error);
        }
        for piece in pieces {
            self.hasher.update(piece.as_ref());
        }
        self.size += len as u64;
        Ok(())
    }

    /// How many of `more` bytes should be added now; the rest is cheaper to add together with what comes behind it.
    pub fn whole(&self, more: u64) -> u64 {
        direct::whole(self.size, more)
    }

    fn write(&mut self, pieces: &[impl AsRef<[u8]>]) -> io::Result<()> {
        drop(self.writing()?);
        if let Store::Memory(young) = &mut self.store {
            for piece in pieces {
                young.bytes.extend_from_slice(piece.as_ref());
            }
            return Ok(());
        }
        let (file, path) = self.file()?;
        let _writing = self.writing()?;
        let disk = &self.folder.inner.disk;
        disk.write_pieces(file, path, pieces, self.size)
    }

    /// The file of an upload that has one.
    fn file(&self) -> io::Result<(&File, &Path)> {
        match &self.store {
            Store::File { file, path } => Ok((file, path)),
            Store::Memory(_) => Err(io::ErrorKind::InvalidInput.into()),
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
        drop(self.writing()?);
        if let Store::Memory(young) = &mut self.store {
            young.truncate(usize::try_from(to).unwrap_or(usize::MAX));
            return Ok(());
        }
        let (file, path) = self.file()?;
        let writing = self.writing()?;
        let disk = &self.folder.inner.disk;
        let cut = disk.truncate(file, path, to);
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
        let (file, path) = self.file()?;
        let writing = self.writing()?;
        let synced = self.folder.inner.disk.sync_file(file, path);
        drop(writing);
        self.poisoned = synced.is_err();
        synced
    }

    /// What makes durable what was added until now, to be run while more is added: the sync at the end then waits for less.
    ///
    /// If it fails, the upload must be dropped: the system tells of a failure once.
    pub fn sync_ahead(&self) -> io::Result<impl FnOnce() -> io::Result<()> + Send + use<>> {
        let (file, path) = self.file()?;
        let (folder, path, file) = (self.folder.clone(), path.to_owned(), file.try_clone());
        let file = file.map_err(|source| PathError::wrap("sync file", &path, source))?;
        Ok(move || folder.inner.disk.sync_file(&file, &path))
    }

    /// The length of the file, which is never less than what was written unless somebody else cut it.
    fn len_on_disk(&self) -> io::Result<u64> {
        let (file, path) = self.file()?;
        let metadata = file.metadata();
        let len = metadata.and_then(|metadata| match metadata.len() {
            len if len < self.size => Err(io::ErrorKind::UnexpectedEof.into()),
            len => Ok(len),
        });
        len.map_err(|source| PathError::wrap("read", path, source))
    }

    pub(crate) fn writing(&self) -> io::Result<crate::fence::Writing<'_>> {
        if self.poisoned {
            return Err(UploadFault::Poisoned.into());
        }
        let writing = self.fence.writing();
        writing.ok_or_else(|| UploadFault::TakenOver.into())
    }

    fn read_again(&mut self, algorithm: Algorithm, size: u64) -> io::Result<Hasher> {
        let (mut file, path) = match &self.store {
            Store::File { file, path } => (file, path),
            Store::Memory(young) => {
                let mut hasher = algorithm.hasher();
                let end = usize::try_from(size).unwrap_or(usize::MAX);
                hasher.update(&young.bytes[..end.min(young.bytes.len())]);
                return Ok(hasher);
            }
        };
        let rewound = file.rewind();
        rewound.map_err(|source| PathError::wrap("read", path, source))?;
        let (hasher, read) = hash_file(file, path, algorithm, size)?;
        if read < size {
            let cut_short = io::ErrorKind::UnexpectedEof.into();
            return Err(PathError::wrap("read", path, cut_short));
        }
        Ok(hasher)
    }
}

#[cfg(test)]
impl Upload {
    fn path(&self) -> &Path {
        self.file().expect("it has a file").1
    }
}

#[cfg(test)]
mod tests;
