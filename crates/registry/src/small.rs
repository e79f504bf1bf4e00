//! The bytes of small blobs, which are read once and then remembered.

use std::io::{self, Read};

use boxyard_blobs::Folder;
use boxyard_meta::HeldBlob;
use boxyard_oci::Digest;
use bytes::Bytes;

use crate::Registry;
use crate::error::{During, Internal, on_disk};

/// Blobs up to this size are remembered: configs, and the layers of artifacts.
const SMALL: u64 = 32 << 10;

impl Registry {
    /// The bytes of a good blob if it is small, from memory where they are there.
    ///
    /// Only what was hashed is remembered, and bytes with the right hash need no file: that one
    /// is damaged or gone is found by whoever promises that it is there, or reads it.
    /// Without an answer the file has to be opened, which also tells what is wrong with it.
    pub(crate) async fn small_content(&self, held: &HeldBlob) -> Result<Option<Bytes>, Internal> {
        if held.row.bytes.is_some() || held.row.size > SMALL {
            return Ok(None);
        }
        if let Some(bytes) = self.meta.remembered_content(held) {
            return Ok(Some(bytes));
        }
        let (folder, target, size) = (self.folder.clone(), held.target, held.row.size);
        let content = on_disk(move || read(&folder, &target, size)).await;
        let content = content.during("read a small blob")?;
        if let Some(bytes) = &content {
            self.meta.remember_content(held, bytes.clone());
        }
        Ok(content)
    }
}

/// The whole content of `target`, or none if its file holds anything else.
fn read(folder: &Folder, target: &Digest, size: u64) -> io::Result<Option<Bytes>> {
    let Some(file) = folder.open_blob(target)? else {
        return Ok(None);
    };
    let mut content = Vec::with_capacity(usize::try_from(size + 1).unwrap_or_default());
    file.take(size + 1).read_to_end(&mut content)?;
    let is_good = target.algorithm().digest(&content) == *target;
    Ok(is_good.then(|| Bytes::from(content)))
}
