//! When a whole filesystem is synced instead of each file and folder.
//!
//! A file that is synced by itself costs a commit of the filesystem's journal, and so does each folder on the way to it.
//! One call of `syncfs` makes thousands of them durable with one commit, for a hundredth of the CPU time.
//! It is only as good as the filesystem below it, so it is used where all of this holds, and each file is synced elsewhere:
//!
//! - The filesystem is one of a short list of local ones, which implement it.
//!   On FUSE it answers that all is well and does nothing, and over a network or through layers nobody promises more.
//! - The kernel is 5.17 or newer.
//!   Since 5.8 the call fails when any file of that filesystem could not be written since the descriptor was opened, which is why that is opened before the first write; since 5.17 it also fails when the commit itself has failed.
//! - There is so much to sync that it pays.
//!   The call waits for what everybody has written to that filesystem, so what is little does not depend on it.
//!
//! Nothing below the anchors may be mounted from elsewhere; that is looked at on the way to each file.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::disk::Disk;
use crate::folder::Folder;
use crate::look;

/// Fewer files are synced one by one.
const FEW: usize = 16;

/// The magic numbers of ext2 to ext4, XFS, btrfs and tmpfs, as `statfs(2)` tells them.
const LOCAL: [u64; 4] = [0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994];

/// The first kernel whose `syncfs` tells of every failure.
const KERNEL: (u32, u32) = (5, 17);

/// How the files of a batch are made durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Syncing {
    /// In whichever way is cheaper for this batch and known to work here.
    #[default]
    Cheapest,
    /// Each by itself.
    Each,
    /// By their filesystem, however few they are, where that is known to work.
    Whole,
}

impl Folder {
    /// Says how batches are made durable from now on; only the first one that is said counts.
    pub fn sync_by(&self, syncing: Syncing) {
        let _first = self.inner.filesystems.syncing.set(syncing);
    }
}

/// The filesystems of the trees, if they can be synced as a whole.
#[derive(Debug)]
pub(crate) struct Filesystems {
    /// A folder on each; none where one of them cannot be.
    folders: Vec<PathBuf>,
    syncing: OnceLock<Syncing>,
}

impl Filesystems {
    /// Those of some folders.
    pub(crate) fn of(folders: &[PathBuf]) -> Self {
        Self {
            folders: distinct(folders).unwrap_or_default(),
            syncing: OnceLock::new(),
        }
    }

    /// Whether they are synced as a whole for so many files.
    pub(crate) fn suit(&self, files: usize) -> bool {
        let least = match self.syncing.get().copied().unwrap_or_default() {
            Syncing::Cheapest => FEW,
            Syncing::Each => return false,
            Syncing::Whole => 1,
        };
        files >= least && !self.folders.is_empty()
    }

    /// Begins to watch for writes that fail.
    pub(crate) fn watch(&self) -> io::Result<Watched<'_>> {
        let opened = self.folders.iter().map(|path| {
            let folder = look::open_folder(path)?.ok_or(io::ErrorKind::NotFound)?;
            Ok((path.as_path(), folder))
        });
        Ok(Watched(opened.collect::<io::Result<_>>()?))
    }

    /// The same where so many files are to be synced as a whole.
    pub(crate) fn watch_many(&self, files: usize) -> io::Result<Option<Watched<'_>>> {
        self.suit(files).then(|| self.watch()).transpose()
    }
}

/// The same, with all that fails from now on to be told by [`Watched::sync`].
#[derive(Debug)]
pub(crate) struct Watched<'a>(Vec<(&'a Path, OwnedFd)>);

impl Watched<'_> {
    /// Whether a folder is on one of them, and not on what somebody mounted within the trees.
    pub(crate) fn covers(&self, folder: &Path) -> io::Result<bool> {
        let device = look::device(folder)?;
        for (_, watched) in &self.0 {
            if device == Some(rustix::fs::fstat(watched)?.st_dev) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes all that was written durable, or tells that some of it is not.
    pub(crate) fn sync(&self, disk: &Disk) -> io::Result<()> {
        let mut all = self.0.iter();
        all.try_for_each(|(path, folder)| disk.sync_filesystem(folder, path))
    }
}

/// One folder for each filesystem; none if one of them is not known to work.
fn distinct(folders: &[PathBuf]) -> Option<Vec<PathBuf>> {
    if kernel()? < KERNEL {
        return None;
    }
    let mut devices = Vec::new();
    let mut found = Vec::new();
    for path in folders {
        let folder = look::open_folder(path).ok()??;
        let kind = rustix::fs::fstatfs(&folder).ok()?.f_type;
        let is_local = u64::try_from(kind).is_ok_and(|kind| LOCAL.contains(&kind));
        if !is_local || !look::can_stay_on_a_filesystem(&folder) {
            return None;
        }
        let device = rustix::fs::fstat(&folder).ok()?.st_dev;
        if !devices.contains(&device) {
            devices.push(device);
            found.push(path.clone());
        }
    }
    Some(found)
}

fn kernel() -> Option<(u32, u32)> {
    version(rustix::system::uname().release().to_str().ok()?)
}

/// The first two numbers of a kernel's release.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_kernel_is_read_from_its_release() {
        for (release, expected) in [
            ("6.1.0-18-amd64", Some((6, 1))),
            ("5.17", Some((5, 17))),
            ("5.4-rc1", Some((5, 4))),
            ("4.4.302+", Some((4, 4))),
            ("", None),
            ("weird", None),
        ] {
            assert_eq!(version(release), expected, "{release}");
        }
    }

    #[test]
    fn what_only_pretends_to_sync_is_never_synced_as_a_whole() {
        let filesystems = Filesystems::of(&[PathBuf::from("/proc")]);

        assert!(filesystems.folders.is_empty());
        assert!(!filesystems.suit(usize::MAX));
    }

    #[test]
    fn folders_on_one_filesystem_are_synced_once() {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let root = dir.path().canonicalize().unwrap();
        let folders = ["one", "two"].map(|name| root.join(name));
        for path in &folders {
            std::fs::create_dir(path).unwrap();
        }

        let filesystems = Filesystems::of(&folders);

        assert_eq!(filesystems.folders, folders[..1]);
        assert!(filesystems.suit(FEW));
        assert!(!filesystems.suit(FEW - 1));
    }
}
