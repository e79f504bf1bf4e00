//! Reading a blob's bytes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use boxyard_blobs::Folder;
use boxyard_oci::Digest;
use bytes::Bytes;
use futures_util::{Stream, stream};

use crate::error::{During, Internal, blocking, on_disk};
use crate::suspects::Reporter;

/// Bytes read at once; one such piece is in memory for each pull.
const PIECE: u64 = 256 << 10;

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
    File {
        file: Arc<File>,
        /// The name of the file.
        target: Digest,
        reporter: Reporter,
    },
    Bytes(Bytes),
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
            content: Content::File {
                file: Arc::new(file),
                target,
                reporter,
            },
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
    ) -> impl Stream<Item = Result<Bytes, ReadError>> + Send + 'static {
        stream::try_unfold((self, start), move |(blob, at)| async move {
            if at >= end {
                return Ok(None);
            }
            let piece = blob.piece(at, PIECE.min(end - at)).await?;
            let next = at + piece.len() as u64;
            Ok(Some((piece, (blob, next))))
        })
    }

    async fn piece(&self, at: u64, length: u64) -> Result<Bytes, ReadError> {
        let length = usize::try_from(length).expect("a piece is smaller than the address space");
        let (file, target, reporter) = match &self.content {
            Content::Bytes(bytes) => {
                let at = usize::try_from(at).expect("bytes in memory are addressable");
                return Ok(bytes.slice(at..at + length));
            }
            Content::File {
                file,
                target,
                reporter,
            } => (Arc::clone(file), *target, reporter.clone()),
        };
        let digest = self.digest;
        blocking(move || {
            let mut buffer = vec![0; length];
            match file.read_exact_at(&mut buffer, at) {
                Ok(()) => Ok(Bytes::from(buffer)),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    reporter.cut_short(target);
                    Err(ReadError::CutShort { digest })
                }
                Err(source) => Err(ReadError::Folder { digest, source }),
            }
        })
        .await
    }
}
