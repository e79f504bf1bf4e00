//! The OCI distribution and image specifications as types.
//!
//! Everything here is pure: text and bytes in, values out, no I/O.
//! A value of one of these types has been checked, so nothing behind this crate checks it again.

pub mod media_type;
pub mod referrer;

mod digest;
mod error_code;
mod manifest;
mod name;
mod range;
mod reference;
mod tag;

pub use digest::{Algorithm, Digest, DigestError, Hasher};
pub use error_code::ErrorCode;
pub use manifest::{Annotations, Edge, EdgeKind, Kind, Manifest, ManifestError};
pub use media_type::{MediaType, MediaTypeError};
pub use name::{NameError, RepoName};
pub use range::{ContentRange, ContentRangeError, RangeRequest, parse_range};
pub use reference::{Reference, ReferenceError};
pub use referrer::{ReferrerDescriptor, fallback_tag};
pub use tag::{Tag, TagError};
