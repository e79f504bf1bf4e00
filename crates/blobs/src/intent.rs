//! Announcements of blobs that are about to get their final name.
//!
//! A crash between that rename and the row that makes the blob reachable would leave a file that nobody looks at.

use std::io;

use boxyard_oci::Digest;

use crate::folder::Folder;
use crate::layout::ALGORITHMS;
use crate::look::Kind;
use crate::{look, names};

impl Folder {
    /// Announces durably that a blob is about to get its name.
    pub(crate) fn begin_intent(&self, digest: &Digest) -> io::Result<()> {
        let inner = &self.inner;
        let path = inner.layout.intent(digest);
        let folder = inner.layout.intents(digest.algorithm());
        inner.folders.make_durable(&inner.disk, &folder, || {
            match inner.disk.create_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            inner.disk.sync_folder(&folder)
        })
    }

    /// Ends the announcement, once the blob's row is durable; one that returns after a power cut only costs a look.
    pub fn end_intent(&self, digest: &Digest) -> io::Result<()> {
        self.inner.disk.unlink(&self.inner.layout.intent(digest))?;
        Ok(())
    }

    /// The blobs whose announcements have not ended.
    pub fn intents(&self) -> io::Result<Vec<Digest>> {
        let mut intents = Vec::new();
        for algorithm in ALGORITHMS {
            for entry in look::entries(&self.inner.layout.intents(algorithm))? {
                if entry.kind == Kind::File {
                    intents.extend(names::digest(algorithm, &entry.name));
                }
            }
        }
        Ok(intents)
    }
}
