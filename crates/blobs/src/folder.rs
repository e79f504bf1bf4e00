//! The storage folder.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, OnceLock};

use crate::action::Stopwatch;
use crate::claims::Claims;
use crate::disk::{Disk, PathError};
use crate::fence::Fences;
use crate::folders::Folders;
use crate::journal::Journal;
use crate::layout::Layout;
use crate::syncing::Filesystems;
use crate::{look, small_file};

/// A storage folder: blobs, uploads, links, and our own folder beside them.
///
/// Clones share everything.
#[derive(Clone, Debug)]
pub struct Folder {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) layout: Layout,
    pub(crate) disk: Disk,
    pub(crate) folders: Folders,
    pub(crate) claims: Claims,
    pub(crate) fences: Arc<Fences>,
    pub(crate) journal: Journal,
    // What uploads in memory hold, in bytes.
    pub(crate) young: Arc<AtomicUsize>,
    // One batch of links is written at a time.
    pub(crate) links: Mutex<()>,
    pub(crate) filesystems: Filesystems,
    // It comes after the folder is open, if anybody watches.
    pub(crate) stopwatch: OnceLock<Arc<dyn Stopwatch>>,
}

/// What is left on the filesystem for this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes that may still be written.
    pub bytes: u64,
    /// Files and folders that may still be made; `u64::MAX` where the filesystem has no such limit.
    pub inodes: u64,
}

impl Folder {
    /// The storage root, with symbolic links resolved.
    pub fn root(&self) -> &Path {
        &self.inner.layout.root
    }

    /// Our own folder in the root, which distribution ignores.
    pub fn own(&self) -> PathBuf {
        self.inner.layout.own.clone()
    }

    /// How much room is left.
    pub fn free(&self) -> io::Result<Space> {
        let blobs = &self.inner.layout.blobs;
        let stat = rustix::fs::statvfs(blobs)
            .map_err(|errno| PathError::wrap("ask for free space of", blobs, errno.into()))?;
        Ok(Space {
            bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
            inodes: if stat.f_files == 0 {
                u64::MAX
            } else {
                stat.f_favail
            },
        })
    }

    /// The generation that the tree was left with; none in a tree that we have not written to, or if it is unreadable.
    pub fn generation(&self) -> io::Result<Option<u64>> {
        let text = look::read_bounded(&self.generation_path(), 32)?;
        Ok(text.and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok()))
    }

    /// Records the generation durably.
    pub fn set_generation(&self, generation: u64) -> io::Result<()> {
        let content = generation.to_string();
        small_file::replace(
            &self.inner.disk,
            &self.generation_path(),
            content.as_bytes(),
        )
    }

    fn generation_path(&self) -> PathBuf {
        self.inner.layout.own.join("generation")
    }
}
