//! Uploads: files that grow until they become blobs.

use std::fs::File;
use std::io::{self, Seek};
use std::path::PathBuf;
use std::time::SystemTime;

use boxyard_oci::{Algorithm, Digest, Hasher, RepoName};

use crate::blob::hash_file;
use crate::disk::PathError;
use crate::fence::Fence;
use crate::folder::Folder;
use crate::look;
use crate::remove::remove_tree;
use crate::session::{Sidecar, UploadId, parse_started, started_text};

const DATA: &str = "data";
const STARTED: &str = "startedat";
const SIDECAR: &str = "boxyard";

/// Bounds what is read of a file that is ours to write and somebody else's to damage.
const SMALL: u64 = 64 * 1024;

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

impl Folder {
    /// Begins an upload: its folder with what distribution writes there, our sidecar, and an empty file.
    pub fn begin_upload(
        &self,
        repo: &RepoName,
        id: &UploadId,
        sidecar: &Sidecar,
        started: SystemTime,
    ) -> io::Result<Upload> {
        let inner = &self.inner;
        inner
            .folders
            .make_new(&inner.disk, &inner.layout.upload(repo, id))?;
        let begun = self.fill_session(repo, id, sidecar, started);
        let file = begun.inspect_err(|_| {
            // What is left is found by its age.
            let _ = self.cancel_upload(repo, id);
        })?;
        let hasher = sidecar.algorithm.unwrap_or(Algorithm::Sha256).hasher();
        let fence = inner.fences.take(id);
        Ok(self.upload(repo, fence, file, sidecar.clone(), (hasher, 0)))
    }

    /// The file of bytes comes last: a session without it does not exist.
    fn fill_session(
        &self,
        repo: &RepoName,
        id: &UploadId,
        sidecar: &Sidecar,
        started: SystemTime,
    ) -> io::Result<File> {
        let disk = &self.inner.disk;
        let folder = self.inner.layout.upload(repo, id);
        let write = |name: &str, content: &[u8]| {
            let path = folder.join(name);
            let file = disk.create_file(&path)?;
            disk.write(&file, &path, content, 0)
        };
        write(STARTED, started_text(started)?.as_bytes())?;
        write(SIDECAR, &sidecar.to_json()?)?;
        disk.create_file(&folder.join(DATA))
    }

    /// Opens an upload again, and takes it over from whoever has it open; its bytes are read to hash them.
    ///
    /// A session that distribution began has no sidecar, and one without its start file is unknown to either.
    pub fn resume_upload(&self, repo: &RepoName, id: &UploadId) -> io::Result<Option<Upload>> {
        let folder = self.inner.layout.upload(repo, id);
        let path = folder.join(DATA);
        // Taken before the file is read, so that no earlier writer adds to it meanwhile.
        let fence = self.inner.fences.take(id);
        if look::file_size(&folder.join(STARTED))?.is_none() {
            return Ok(None);
        }
        let Some((file, _)) = look::open_to_write(&path)? else {
            return Ok(None);
        };
        let json = look::read_bounded(&folder.join(SIDECAR), SMALL)?;
        let sidecar = Sidecar::from_json(&json.unwrap_or_default());
        let algorithm = sidecar.algorithm.unwrap_or(Algorithm::Sha256);
        let state = hash_file(&file, &path, algorithm, u64::MAX)?;
        Ok(Some(self.upload(repo, fence, file, sidecar, state)))
    }

    fn upload(
        &self,
        repo: &RepoName,
        fence: Fence,
        file: File,
        sidecar: Sidecar,
        (hasher, size): (Hasher, u64),
    ) -> Upload {
        Upload {
            folder: self.clone(),
            repo: repo.clone(),
            path: self.inner.layout.upload(repo, fence.id()).join(DATA),
            file,
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

    /// How many bytes an upload has; `None` if there is no such upload.
    pub fn upload_size(&self, repo: &RepoName, id: &UploadId) -> io::Result<Option<u64>> {
        let folder = self.inner.layout.upload(repo, id);
        if look::file_size(&folder.join(STARTED))?.is_none() {
            return Ok(None);
        }
        look::file_size(&folder.join(DATA))
    }

    /// When an upload was begun, as its start file says, or else when its folder's files were last written.
    pub fn upload_started(&self, repo: &RepoName, id: &UploadId) -> io::Result<Option<SystemTime>> {
        let folder = self.inner.layout.upload(repo, id);
        let text = look::read_bounded(&folder.join(STARTED), SMALL)?;
        match text.as_deref().and_then(parse_started) {
            Some(started) => Ok(Some(started)),
            None => look::modified(&folder),
        }
    }

    /// Removes an upload and all that either side keeps of it; answers whether there was anything.
    pub fn cancel_upload(&self, repo: &RepoName, id: &UploadId) -> io::Result<bool> {
        let inner = &self.inner;
        let _nobody_writes = inner.fences.take(id);
        let folder = inner.layout.upload(repo, id);
        if !look::is_folder(&folder)? {
            return Ok(false);
        }
        // Without its bytes the session is gone, whatever becomes of the rest.
        inner.disk.unlink(&folder.join(DATA))?;
        remove_tree(&inner.disk, &inner.folders, &folder)
    }

    /// Makes a finished upload a blob, durably: synced bytes, an announcement, the final name, synced folders.
    ///
    /// The announcement stays until [`Folder::end_intent`], which the caller owes once the blob's row is durable.
    /// An error means that the upload is lost, or that the blob is there and announced but was not synced.
    pub fn promote(&self, upload: Upload, repo: &RepoName, digest: &Digest) -> io::Result<()> {
        let mut upload = upload;
        if upload.repo != *repo {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let actual = upload.digest(digest.algorithm())?;
        if actual != *digest {
            let expected = *digest;
            return Err(UploadFault::Mismatch { expected, actual }.into());
        }
        upload.sync()?;
        self.begin_intent(digest)?;
        self.rename_to_blob(&upload, digest)?;
        self.forget_session(upload);
        Ok(())
    }

    fn rename_to_blob(&self, upload: &Upload, digest: &Digest) -> io::Result<()> {
        let inner = &self.inner;
        let (folder, path) = (inner.layout.blob_folder(digest), inner.layout.blob(digest));
        let _claim = inner.claims.claim(digest);
        let mut renamed = false;
        inner.folders.make_durable(&inner.disk, &folder, || {
            if !renamed {
                let _writing = upload.writing()?;
                inner.disk.rename(&upload.path, &path)?;
                renamed = true;
            }
            inner.disk.sync_folder(&folder)
        })
    }

    /// The blob is durable, so what is left of the session is only garbage, and found by its age.
    fn forget_session(&self, upload: Upload) {
        let (repo, id) = (upload.repo.clone(), upload.id().clone());
        drop(upload);
        if let Err(error) = self.cancel_upload(&repo, &id) {
            tracing::warn!(repo.name = %repo, upload.id = %id, %error, "remove finished upload");
        }
    }
}

impl Upload {
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
    fn sync(&mut self) -> io::Result<()> {
        if self.len_on_disk()? > self.size {
            self.cut(self.size)?;
        }
        let writing = self.writing()?;
        let synced = self.folder.inner.disk.sync_file(&self.file, &self.path);
        drop(writing);
        self.poisoned = synced.is_err();
        synced
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
