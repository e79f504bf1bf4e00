//! Files that appear whole or not at all.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::disk::Disk;

/// How the names of files end that are not finished.
pub(crate) const TEMPORARY: &str = ".tmp";

/// Where the next content of a file is written, beside it.
///
/// The name is always the same, so that repeating what was cut short leaves nothing behind; callers take care that one of them writes at a time.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(".boxyard");
    name.push(TEMPORARY);
    path.with_file_name(name)
}

/// Replaces a file durably in a folder that is durable itself.
pub(crate) fn replace(disk: &Disk, path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = temporary(path);
    let renamed = write_synced(disk, &temporary, content)
        .and_then(|()| disk.rename(&temporary, path))
        .inspect_err(|_| discard(disk, &temporary));
    renamed?;
    disk.sync_folder(path.parent().unwrap_or(path))
}

/// Writes a file under its temporary name, and makes its bytes durable.
pub(crate) fn write_synced(disk: &Disk, temporary: &Path, content: &[u8]) -> io::Result<()> {
    let file = disk.create_file_anew(temporary)?;
    disk.write(&file, temporary, content, 0)?;
    disk.sync_file(&file, temporary)
}

/// Removes an unfinished file if it can be removed; its name alone says that it is garbage.
pub(crate) fn discard(disk: &Disk, temporary: &Path) {
    let _ = disk.unlink(temporary);
}
