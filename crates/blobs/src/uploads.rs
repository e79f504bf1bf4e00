//! Uploads in their folders: begun, resumed, cancelled, and made blobs.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use boxyard_oci::{Algorithm, Digest, RepoName};

use crate::action::Action;
use crate::blob::hash_file;
use crate::folder::Folder;
use crate::look;
use crate::remove::remove_tree;
use crate::session::{Sidecar, UploadId, parse_started, started_text};
use crate::upload::{Store, Upload, UploadFault};

const DATA: &str = "data";
const STARTED: &str = "startedat";
const SIDECAR: &str = "boxyard";

/// Bounds what is read of a file that is ours to write and somebody else's to damage.
const SMALL: u64 = 64 * 1024;

impl Folder {
    /// Begins an upload: its folder with what distribution writes there, our sidecar, and an empty file.
    pub fn begin_upload(
        &self,
        repo: &RepoName,
        id: &UploadId,
        sidecar: &Sidecar,
        started: SystemTime,
    ) -> io::Result<Upload> {
        let store = self.make_session(repo, id, sidecar, started, &[])?;
        Ok(self.empty_upload(repo, id, sidecar, store))
    }

    /// An upload that has just begun, by whoever keeps its bytes.
    pub(crate) fn empty_upload(
        &self,
        repo: &RepoName,
        id: &UploadId,
        sidecar: &Sidecar,
        store: Store,
    ) -> Upload {
        let hasher = sidecar.algorithm.unwrap_or(Algorithm::Sha256).hasher();
        let fence = self.inner.fences.take(id);
        let state = (hasher, 0);
        Upload::new(self, repo, fence, store, sidecar.clone(), state)
    }

    /// Makes the folder of a session that has got `bytes`.
    pub(crate) fn make_session(
        &self,
        repo: &RepoName,
        id: &UploadId,
        sidecar: &Sidecar,
        started: SystemTime,
        bytes: &[u8],
    ) -> io::Result<Store> {
        let inner = &self.inner;
        let folder = inner.layout.upload(repo, id);
        inner.folders.make_new(&inner.disk, &folder)?;
        let begun = self.fill_session(&folder, sidecar, started, bytes);
        let file = begun.inspect_err(|_| {
            // What is left is found by its age.
            let _ = self.remove_session(&folder);
        })?;
        let path = folder.join(DATA);
        Ok(Store::File { file, path })
    }

    /// The file of bytes comes last: a session without it does not exist.
    fn fill_session(
        &self,
        folder: &Path,
        sidecar: &Sidecar,
        started: SystemTime,
        bytes: &[u8],
    ) -> io::Result<File> {
        let disk = &self.inner.disk;
        let write = |name: &str, content: &[u8]| {
            let path = folder.join(name);
            let file = disk.create_file(&path)?;
            disk.write(&file, &path, content, 0)
        };
        write(STARTED, started_text(started)?.as_bytes())?;
        write(SIDECAR, &sidecar.to_json()?)?;
        let path = folder.join(DATA);
        let file = disk.create_file(&path)?;
        if !bytes.is_empty() {
            disk.write(&file, &path, bytes, 0)?;
        }
        Ok(file)
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
        let store = Store::File { file, path };
        Ok(Some(Upload::new(self, repo, fence, store, sidecar, state)))
    }

    /// What is kept of an upload apart from its bytes; `None` if there is no such upload.
    pub fn upload_sidecar(&self, repo: &RepoName, id: &UploadId) -> io::Result<Option<Sidecar>> {
        let folder = self.inner.layout.upload(repo, id);
        if look::file_size(&folder.join(STARTED))?.is_none() {
            return Ok(None);
        }
        let json = look::read_bounded(&folder.join(SIDECAR), SMALL)?;
        Ok(Some(Sidecar::from_json(&json.unwrap_or_default())))
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

    /// When the bytes of an upload were last written, if it has any.
    pub fn upload_written(&self, repo: &RepoName, id: &UploadId) -> io::Result<Option<SystemTime>> {
        let folder = self.inner.layout.upload(repo, id);
        let written = look::modified(&folder.join(DATA))?;
        // What is left of a finished one has only the rest.
        match written {
            Some(written) => Ok(Some(written)),
            None => look::modified(&folder),
        }
    }

    /// Removes an upload and all that either side keeps of it; answers whether there was anything.
    pub fn cancel_upload(&self, repo: &RepoName, id: &UploadId) -> io::Result<bool> {
        let _nobody_writes = self.inner.fences.take(id);
        self.remove_session(&self.inner.layout.upload(repo, id))
    }

    fn remove_session(&self, folder: &Path) -> io::Result<bool> {
        let inner = &self.inner;
        if !look::is_folder(folder)? {
            return Ok(false);
        }
        // Without its bytes the session is gone, whatever becomes of the rest.
        inner.disk.unlink(&folder.join(DATA))?;
        remove_tree(&inner.disk, &inner.folders, folder)
    }

    /// Makes a finished upload a blob, durably: synced bytes, an announcement, the final name, synced folders.
    ///
    /// The announcement stays until [`Folder::end_intent`], which the caller owes once the blob's row is durable.
    /// An error means that the upload is lost, or that the blob is there and announced but was not synced.
    pub fn promote(&self, upload: Upload, repo: &RepoName, digest: &Digest) -> io::Result<()> {
        let mut upload = upload;
        if upload.repo() != repo {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let actual = upload.digest(digest.algorithm())?;
        if actual != *digest {
            let expected = *digest;
            return Err(UploadFault::Mismatch { expected, actual }.into());
        }
        self.timed(Action::Move, || {
            upload.settle()?;
            upload.sync()?;
            self.begin_intent(digest)?;
            self.rename_to_blob(&upload, digest)
        })?;
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
                upload.rename(&path)?;
                renamed = true;
            }
            inner.disk.sync_folder(&folder)
        })
    }

    /// The blob is durable, so what is left of the session is only garbage, and found by its age.
    fn forget_session(&self, upload: Upload) {
        let (repo, id) = (upload.repo().clone(), upload.id().clone());
        drop(upload);
        if let Err(error) = self.cancel_upload(&repo, &id) {
            tracing::warn!(repo.name = %repo, upload.id = %id, %error, "remove finished upload");
        }
    }
}
