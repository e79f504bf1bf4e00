//! Committed blobs.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use boxyard_oci::{Algorithm, Digest};

use crate::action::Action;
use crate::disk::PathError;
use crate::folder::Folder;
use crate::look::{self, Kind};
use crate::small_file::{self, TEMPORARY};

/// How much is read at once where a file is hashed.
const PIECE: usize = 256 * 1024;

impl Folder {
    /// The size of a blob's file.
    pub fn blob_size(&self, digest: &Digest) -> io::Result<Option<u64>> {
        let path = self.inner.layout.blob(digest);
        self.timed(Action::Stat, || look::file_size(&path))
    }

    /// Opens a blob's file for reading.
    pub fn open_blob(&self, digest: &Digest) -> io::Result<Option<File>> {
        look::open_file(&self.inner.layout.blob(digest))
    }

    /// Reads a blob of at most `max` bytes whole; a larger one is an error of kind `FileTooLarge`.
    pub fn read_blob(&self, digest: &Digest, max: u64) -> io::Result<Option<Vec<u8>>> {
        let path = self.inner.layout.blob(digest);
        match self.timed(Action::GetContent, || look::read_bounded(&path, max))? {
            Some(bytes) if bytes.len() as u64 > max => {
                let kind = io::ErrorKind::FileTooLarge;
                Err(PathError::wrap("read", &path, kind.into()))
            }
            read => Ok(read),
        }
    }

    /// Writes a blob durably, in place of whatever has its name.
    pub fn write_blob(&self, digest: &Digest, bytes: &[u8]) -> io::Result<()> {
        let (inner, path) = (&self.inner, self.inner.layout.blob(digest));
        let _claim = inner.claims.claim(digest);
        self.timed(Action::PutContent, || {
            let folder = inner.layout.blob_folder(digest);
            inner.folders.make_durable(&inner.disk, &folder, || {
                small_file::replace(&inner.disk, &path, bytes)
            })
        })
    }

    /// Removes the files of blobs with their folders, and makes that durable together; answers those that could not be removed.
    ///
    /// After an error none of them is known to be gone for good.
    pub fn remove_blobs(&self, digests: &[Digest]) -> io::Result<Vec<(Digest, io::Error)>> {
        let inner = &self.inner;
        // In their order, so that nobody waits for us who holds what we wait for.
        let digests = BTreeSet::from_iter(digests);
        let claims = digests.iter().map(|digest| inner.claims.claim(digest));
        let _claims: Vec<_> = claims.collect();
        let watched = inner.filesystems.watch_many(digests.len())?;
        let mut failed = Vec::new();
        let mut folders = Vec::new();
        for digest in digests {
            match self.timed(Action::Delete, || self.remove_claimed_blob(digest)) {
                Ok(folder) => folders.push(folder),
                Err(error) => failed.push((*digest, error)),
            }
        }
        let gone = folders.iter().map(PathBuf::as_path);
        crate::remove::sync_absence(&inner.disk, watched.as_ref(), gone)?;
        Ok(failed)
    }

    /// Answers what is not there any more: the blob's folder, or what was in it.
    fn remove_claimed_blob(&self, digest: &Digest) -> io::Result<PathBuf> {
        let inner = &self.inner;
        let (folder, file) = (inner.layout.blob_folder(digest), inner.layout.blob(digest));
        // An earlier removal may have ended before its sync, so what is gone already is synced as well.
        if !look::is_folder(&folder)? {
            return Ok(folder);
        }
        inner.disk.unlink(&file)?;
        self.remove_unfinished(&folder)?;
        Ok(if inner.disk.remove_folder(&folder)? {
            folder
        } else {
            file
        })
    }

    /// Removes what writers that were cut short left beside a blob.
    fn remove_unfinished(&self, folder: &Path) -> io::Result<()> {
        for entry in look::entries(folder)? {
            let name = entry.name.as_encoded_bytes();
            if entry.kind == Kind::File && name.ends_with(TEMPORARY.as_bytes()) {
                self.inner.disk.unlink(&folder.join(entry.name))?;
            }
        }
        Ok(())
    }

    /// The digest, by the same algorithm, of what a blob's file holds.
    pub fn hash_blob(&self, digest: &Digest) -> io::Result<Option<Digest>> {
        let path = self.inner.layout.blob(digest);
        let Some(file) = look::open_file(&path)? else {
            return Ok(None);
        };
        let (actual, _) = hash_file(&file, &path, digest.algorithm(), u64::MAX)?;
        Ok(Some(actual.finish()))
    }
}

/// Hashes a file from where it stands, at most `limit` bytes of it; answers how many there were.
pub(crate) fn hash_file(
    file: &File,
    path: &Path,
    algorithm: Algorithm,
    limit: u64,
) -> io::Result<(boxyard_oci::Hasher, u64)> {
    let mut hasher = algorithm.hasher();
    let mut piece = vec![0; PIECE];
    let mut rest = file.take(limit);
    let mut size = 0;
    loop {
        let read = match rest.read(&mut piece) {
            Ok(0) => return Ok((hasher, size)),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(PathError::wrap("read", path, source)),
        };
        hasher.update(&piece[..read]);
        size += read as u64;
    }
}
