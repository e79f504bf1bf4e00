//! Reading a blob's bytes.

mod buffer;
mod piece;
mod reading;
mod shortcut;

use std::fs::File;
use std::io;
use std::sync::Arc;

use boxyard_blobs::Folder;
use boxyard_oci::Digest;
use bytes::Bytes;
use futures_util::{Stream, stream};

use crate::error::{During, Internal, on_disk};
use crate::suspects::Reporter;
pub use piece::Piece;
use reading::Reading;
pub use shortcut::{FilePart, Shortcut};

/// How the bytes of a blob leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Whoever sends them hands them to the kernel and looks at none of them.
    ///
    /// They are then sent from the page cache as they are, by a [`Shortcut`] if there is one.
    Untouched,
    /// They are encrypted, framed or copied before they are sent.
    Copied,
}

/// Why a read of a blob ended early.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file is shorter than it was when the pull began.
    #[error("`{digest}` was cut short while it was read")]
    CutShort {
        /// The blob.
        digest: Digest,
    },
    /// The folder failed.
    #[error("read `{digest}`")]
    Folder {
        /// The blob.
        digest: Digest,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

/// An open blob.
#[derive(Clone, Debug)]
pub struct Blob {
    digest: Digest,
    size: u64,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    File(Source),
    Bytes(Bytes),
}

/// The file that a blob is read from.
#[derive(Clone, Debug)]
struct Source {
    file: Arc<File>,
    /// The blob that was asked for.
    digest: Digest,
    /// The name of the file.
    target: Digest,
    reporter: Reporter,
}

impl Blob {
    pub(crate) fn of_bytes(digest: Digest, bytes: Bytes) -> Self {
        Self {
            digest,
            size: bytes.len() as u64,
            content: Content::Bytes(bytes),
        }
    }

    /// Opens the file of `target`, or none if it is not there with this size.
    pub(crate) async fn open(
        folder: &Folder,
        reporter: Reporter,
        digest: Digest,
        target: Digest,
        size: u64,
    ) -> Result<Option<Self>, Internal> {
        let folder = folder.clone();
        let file = on_disk(move || match folder.open_blob(&target)? {
            Some(file) if file.metadata()?.len() == size => Ok(Some(file)),
            _ => Ok(None),
        })
        .await
        .during("open a blob")?;
        Ok(file.map(|file| Self {
            digest,
            size,
            content: Content::File(Source {
                file: Arc::new(file),
                digest,
                target,
                reporter,
            }),
        }))
    }

    /// The digest that the blob was asked for by.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The whole size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The bytes from `start` to before `end`, in pieces; the end must lie within the blob.
    pub fn read(
        self,
        start: u64,
        end: u64,
        way: Way,
    ) -> impl Stream<Item = Result<Piece, ReadError>> + Send + 'static {
        let reading = Reading::begin(self, start, end, way);
        stream::try_unfold(reading, |mut reading| async move {
            let piece = reading.next().await?;
            Ok(piece.map(|piece| (piece, reading)))
        })
    }
}
