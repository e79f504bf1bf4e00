//! Whether the folder can be used.

use std::sync::Arc;

use crate::Registry;
use crate::error::{During, Internal, blocking};
use crate::space::has_room;

/// How a folder that can be used is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Uploads are taken.
    Enough,
    /// Only the reserve is left, or not even that: pulls and deletes go on, uploads do not.
    None,
}

impl Registry {
    /// Writes to the folder and reads from it, off the async threads.
    ///
    /// An error says that the folder is gone, is another one, or cannot be written.
    pub async fn probe(self: &Arc<Self>) -> Result<Room, Internal> {
        let registry = Arc::clone(self);
        blocking(move || {
            let probed = registry.folder.probe(&registry.lock);
            match probed.during("write to the registry's folder and read from it") {
                Err(error) if error.is_no_space() => Ok(Room::None),
                Err(error) => Err(error),
                Ok(()) if has_room(&registry.folder, &registry.settings, 0)? => Ok(Room::Enough),
                Ok(()) => Ok(Room::None),
            }
        })
        .await
    }
}
