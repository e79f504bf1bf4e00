//! Removing folders with all that is in them, without following links.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use crate::disk::Disk;
use crate::folders::Folders;
use crate::look::{self, Kind};
use crate::syncing::Watched;

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

/// Makes it durable that there is nothing at these paths, by syncing each nearest folder above them once, or all that is watched.
///
/// That is needed even if this call removed nothing: an earlier one may have ended before its sync.
pub(crate) fn sync_absence<'p>(
    disk: &Disk,
    watched: Option<&Watched<'_>>,
    paths: impl IntoIterator<Item = &'p Path>,
) -> io::Result<()> {
    let mut folders = BTreeSet::new();
    for path in paths {
        for above in path.ancestors().skip(1) {
            if folders.contains(above) || look::is_folder(above)? {
                folders.insert(above);
                break;
            }
        }
    }
    let mut covered = None;
    for folder in folders {
        match watched {
            Some(watched) if watched.covers(folder)? => covered = Some(watched),
            _ => disk.sync_folder(folder)?,
        }
    }
    covered.map_or(Ok(()), |watched| watched.sync(disk))
}
