//! Removing folders with all that is in them, without following links.

use std::io;
use std::path::Path;

use crate::disk::Disk;
use crate::folders::Folders;
use crate::look::{self, Kind};

/// Removes a folder and everything in it; answers whether there was one.
///
/// The order is that of the names: `current` before `index`, `link` before `mediatype`.
pub(crate) fn remove_tree(disk: &Disk, folders: &Folders, path: &Path) -> io::Result<bool> {
    if !look::is_folder(path)? {
        return Ok(false);
    }
    for entry in look::entries(path)? {
        let inner = path.join(&entry.name);
        match entry.kind {
            Kind::Folder => {
                remove_tree(disk, folders, &inner)?;
            }
            Kind::File | Kind::Other => {
                disk.unlink(&inner)?;
            }
        }
    }
    folders.remove(disk, path)?;
    Ok(true)
}

/// Makes the absence of `path` durable, by syncing the nearest folder above it that there is.
///
/// That is needed even if this call removed nothing: an earlier one may have ended before its sync.
pub(crate) fn sync_absence(disk: &Disk, path: &Path) -> io::Result<()> {
    for above in path.ancestors().skip(1) {
        if look::is_folder(above)? {
            return disk.sync_folder(above);
        }
    }
    Ok(())
}
