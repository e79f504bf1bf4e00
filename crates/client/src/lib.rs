//! A client of the registry: over the socket by which a server on this machine is administered.
//!
//! It speaks the distribution API, and beside it the `/admin/…` endpoints that only that socket has.

mod blobs;
mod connection;
mod endpoint;
mod error;
mod events;
mod listing;
mod manifests;

pub use blobs::BlobContent;
pub use connection::{Answer, Client, Content};
pub use endpoint::Endpoint;
pub use error::ClientError;
pub use events::{Event, Events};
pub use manifests::ManifestContent;
