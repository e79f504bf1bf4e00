//! The reserve: uploads stop while there is still room for the database, deletes and collection.

use boxyard_blobs::Folder;

use crate::error::{During, Internal};
use crate::settings::Settings;

/// Whether `more` bytes may be written without touching the reserve.
pub(crate) fn has_room(folder: &Folder, settings: &Settings, more: u64) -> Result<bool, Internal> {
    let free = folder.free().during("ask for free space")?;
    Ok(free.bytes >= settings.reserve_bytes.saturating_add(more)
        && free.inodes >= settings.reserve_inodes)
}
