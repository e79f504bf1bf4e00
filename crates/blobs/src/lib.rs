//! Bytes addressed by digest, in the folder layout of distribution.
//!
//! A [`Folder`] owns every path below the storage root and knows no database.
//! Blobs, uploads and links lie where distribution puts them; what distribution cannot express lies in `<root>/boxyard`.
//! Everything blocks: callers on an async runtime use threads made for that.
//!
//! Every system call that changes the disk goes through one module, which asks [`Faults`] first, so that a test can end any operation after each of its steps.
//! Each operation may be repeated after it was cut short anywhere, and then completes.

mod action;
mod at_once;
mod batch;
mod blob;
mod buffer;
mod claims;
mod direct;
mod disk;
mod fence;
mod folder;
mod folders;
mod intent;
mod journal;
mod layout;
mod link;
mod lock;
mod look;
mod map;
mod names;
mod open;
mod probe;
mod remove;
mod resident;
mod session;
mod shared_map;
mod small_file;
mod syncing;
mod together;
mod transfer;
mod upload;
mod uploads;
mod walk;
mod young;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use action::{Action, Stopwatch};
pub use batch::Batch;
pub use buffer::Buffer;
pub use disk::{Faults, NoFaults, Step};
pub use folder::{Folder, Space};
pub use layout::Tree;
pub use link::{Link, LinkText, Links};
pub use lock::{FolderLock, LockError};
pub use map::{Map, Slice};
pub use names::{Oddities, Oddity, OddityKind};
pub use open::OpenError;
pub use resident::read_resident;
pub use session::{Sidecar, UploadId, UploadIdError};
pub use shared_map::shared_map;
pub use syncing::Syncing;
pub use transfer::Copied;
pub use upload::{Upload, UploadFault};
pub use walk::{Repositories, Which};
