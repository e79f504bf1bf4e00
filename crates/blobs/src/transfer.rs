//! Blobs that come from and go to files elsewhere, as backups keep them.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use boxyard_oci::Digest;

use crate::disk::PathError;
use crate::folder::Folder;
use crate::look;
use crate::small_file;

/// How much is read at once.
const PIECE: usize = 1 << 20;

/// What became of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// It is there, durably.
    Done,
    /// The source is not there, or not what its digest says.
    Damaged,
}

impl Folder {
    /// Copies a blob's file to the new file `to`, which the caller makes durable in its folder.
    ///
    /// `link` makes another name of the same file where the filesystem can do that; its content is not looked at then.
    pub fn copy_blob_to(&self, digest: &Digest, to: &Path, link: bool) -> io::Result<Copied> {
        let path = self.inner.layout.blob(digest);
        let Some(file) = look::open_file(&path)? else {
            return Ok(Copied::Damaged);
        };
        if link && fs::hard_link(&path, to).is_ok() {
            return Ok(Copied::Done);
        }
        let copy = File::create(to).map_err(|source| PathError::wrap("create", to, source))?;
        copy_hashing(file, &copy, digest).map_err(|source| PathError::wrap("write", to, source))
    }

    /// Makes the file `from` a blob, durably, in place of whatever has its name.
    ///
    /// `link` makes another name of the same file where the filesystem can do that; its content is not looked at then.
    pub fn take_blob(&self, digest: &Digest, from: &Path, link: bool) -> io::Result<Copied> {
        let (inner, path) = (&self.inner, self.inner.layout.blob(digest));
        let _claim = inner.claims.claim(digest);
        let temporary = small_file::temporary(&path);
        let folder = inner.layout.blob_folder(digest);
        inner.folders.make_durable(&inner.disk, &folder, || {
            inner.disk.unlink(&temporary)?;
            if link && fs::hard_link(from, &temporary).is_ok() {
                inner.disk.rename(&temporary, &path)?;
                inner.disk.sync_folder(&folder)?;
                return Ok(Copied::Done);
            }
            let source =
                File::open(from).map_err(|source| PathError::wrap("read", from, source))?;
            let file = inner.disk.create_file_anew(&temporary)?;
            let copied = copy_hashing(source, &file, digest)
                .map_err(|source| PathError::wrap("write", &temporary, source));
            if !matches!(copied, Ok(Copied::Done)) {
                small_file::discard(&inner.disk, &temporary);
                return copied;
            }
            inner.disk.rename(&temporary, &path)?;
            inner.disk.sync_folder(&folder)?;
            copied
        })
    }
}

/// Copies and syncs; whether the bytes were those that the digest names.
fn copy_hashing(mut from: File, mut to: &File, digest: &Digest) -> io::Result<Copied> {
    let mut hasher = digest.algorithm().hasher();
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => {
                hasher.update(&piece[..read]);
                to.write_all(&piece[..read])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if hasher.finish() != *digest {
        return Ok(Copied::Damaged);
    }
    to.sync_data()?;
    Ok(Copied::Done)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use boxyard_oci::Algorithm;

    use super::*;
    use crate::NoFaults;

    #[test]
    fn a_blob_goes_out_and_comes_in_again() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(&dir.path().join("a"), Arc::new(NoFaults)).unwrap();
        let other = Folder::open(&dir.path().join("b"), Arc::new(NoFaults)).unwrap();
        let digest = Algorithm::Sha256.digest(b"content");
        folder.write_blob(&digest, b"content").unwrap();

        for link in [false, true] {
            let to = dir.path().join(format!("copy-{link}"));
            assert_eq!(
                folder.copy_blob_to(&digest, &to, link).unwrap(),
                Copied::Done
            );
            assert_eq!(other.take_blob(&digest, &to, link).unwrap(), Copied::Done);
            assert_eq!(other.hash_blob(&digest).unwrap(), Some(digest));
        }
    }

    #[test]
    fn what_is_damaged_or_missing_does_not_pass() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(&dir.path().join("a"), Arc::new(NoFaults)).unwrap();
        let digest = Algorithm::Sha256.digest(b"content");
        let to = dir.path().join("copy");

        assert_eq!(
            folder.copy_blob_to(&digest, &to, false).unwrap(),
            Copied::Damaged
        );
        folder.write_blob(&digest, b"flipped").unwrap();
        assert_eq!(
            folder.copy_blob_to(&digest, &to, false).unwrap(),
            Copied::Damaged
        );
        assert_eq!(
            folder.take_blob(&digest, &to, false).unwrap(),
            Copied::Damaged
        );
    }
}
