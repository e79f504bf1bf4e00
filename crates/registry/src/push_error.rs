//! Why an upload is refused, and what a body may do instead of arriving.

use std::error::Error;
use std::pin::Pin;

use boxyard_oci::Digest;
use bytes::Bytes;
use futures_util::Stream;

use crate::error::Internal;

/// A request's body as it arrives.
pub type Body = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The client went away, or broke the protocol.
    #[error("the connection ended before the body was complete")]
    Gone(#[source] Box<dyn Error + Send + Sync>),
    /// The client sent too little for too long.
    #[error("the body arrived too slowly")]
    TooSlow,
}

/// Why an upload was refused.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// No such session in this repository.
    #[error("the upload is not known: it was finished, cancelled or purged, or never began here")]
    UploadUnknown,
    /// The chunk does not begin where the upload ends.
    #[error("the chunk begins at {begins}, but the upload continues at {expected}")]
    RangeInvalid {
        /// Where the chunk says that it begins.
        begins: u64,
        /// How many bytes the upload has.
        expected: u64,
    },
    /// The chunk is longer or shorter than its range.
    #[error("the chunk has {actual} bytes, but its range announces {announced}")]
    SizeMismatch {
        /// Length of the announced range in bytes.
        announced: u64,
        /// Bytes that came; at least these, where more were announced than taken.
        actual: u64,
    },
    /// The content is not what its digest says.
    #[error("the content has digest {actual}, but the request names {expected}")]
    DigestMismatch {
        /// The digest that the request names.
        expected: Digest,
        /// The digest of what came.
        actual: Digest,
    },
    /// The disk has no room left beyond the reserve.
    #[error("the registry's storage is full: ask its administrator to make room")]
    NoSpace,
    /// A newer request has taken the session over.
    #[error("a newer request has taken this upload over")]
    TakenOver,
    /// The body ended early.
    #[error("receive the upload's body")]
    Body(#[source] BodyError),
    /// The registry failed.
    #[error(transparent)]
    Internal(Internal),
}

impl From<Internal> for PushError {
    fn from(error: Internal) -> Self {
        if error.is_no_space() {
            Self::NoSpace
        } else {
            Self::Internal(error)
        }
    }
}

impl PushError {
    /// Whether the bytes that came before stay of use to the client.
    pub(crate) fn leaves_upload_usable(&self) -> bool {
        match self {
            Self::RangeInvalid { .. }
            | Self::SizeMismatch { .. }
            | Self::TakenOver
            | Self::Body(_) => true,
            Self::UploadUnknown
            | Self::DigestMismatch { .. }
            | Self::NoSpace
            | Self::Internal(_) => false,
        }
    }
}
