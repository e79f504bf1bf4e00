//! Where the folders of all measurements lie until the last one is over.
//!
//! A filesystem that has just freed the places of many files goes around them for minutes, ext4 by looking at each of them.
//! Whoever makes folders after that pays for it: removed between two measurements, what the first has left would be counted against the second, most of all against a server that makes many folders a second.
//! So what was measured stays, but for the content of large files, which are few.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// The content of files from this size on is given back early, in bytes.
const LARGE: u64 = 1 << 20;

static PLACE: OnceLock<PathBuf> = OnceLock::new();

/// All folders, which go with it.
pub(crate) struct Yard(TempDir);

impl Yard {
    /// Makes the place, once for the process.
    pub(crate) fn open() -> Result<Self> {
        // On a real disk: a filesystem in memory syncs for nothing.
        let parent = Path::new("target/bench");
        fs::create_dir_all(parent).context("make target/bench")?;
        let parent = parent.canonicalize().context("find target/bench")?;
        let yard = TempDir::with_prefix_in("run-", parent).context("make a folder")?;
        PLACE.get_or_init(|| yard.path().to_owned());
        Ok(Self(yard))
    }

    /// Removes everything, which takes a while.
    pub(crate) fn clear(self) -> Result<()> {
        self.0.close().context("remove what was measured")
    }
}

/// A new folder.
pub(crate) fn folder() -> Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let place = PLACE.get().context("there is a place for folders")?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = place.join(number.to_string());
    fs::create_dir(&folder).context("make a folder")?;
    Ok(folder)
}

/// Gives the room of large files below `folder` back, and leaves the files.
pub(crate) fn empty_large(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            empty_large(&entry.path())?;
        } else if kind.is_file() && entry.metadata()?.len() >= LARGE {
            File::options().write(true).open(entry.path())?.set_len(0)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_content_of_large_files_goes_early() {
        let folder = TempDir::new().unwrap();
        let (small, large) = (folder.path().join("small"), folder.path().join("in/large"));
        fs::create_dir(folder.path().join("in")).unwrap();
        fs::write(&small, b"small").unwrap();
        fs::write(&large, vec![0; 1 << 20]).unwrap();

        empty_large(folder.path()).unwrap();

        assert_eq!(fs::read(small).unwrap(), b"small");
        assert_eq!(fs::metadata(large).unwrap().len(), 0);
    }
}
