//! Room in the log that is written ahead of its use.
//!
//! Where a file grows, or gets blocks, the sync of a commit waits until the filesystem has written its own journal, which takes tens of times as long as the commit itself, and longer still while the tree is being written beside it.
//! Where what is there is overwritten, it waits for the bytes alone.
//! So the log is made longer by zeros, a part of its length at once, before the writer gets there, and it keeps its length when it begins anew.
//!
//! Zeros are no part of a log: whoever reads it ends at the first page whose header does not belong to it.
//! They are appended, which the filesystem does behind whatever the writer may have added meanwhile, so they never overwrite anything.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::PathBuf,
    sync::atomic::{AtomicI32, AtomicU64, Ordering},
};

/// A page and its header.
const PAGE: u64 = 4096 + 24;
/// A log that is shorter is left alone: most of those are of short runs.
const SHORT: i32 = 64;
/// The least and the most room that is made at once; in between a quarter of what is used, so that little is taken from a small disk.
const LEAST: u64 = 64 << 10;
const MOST: u64 = 4 << 20;

/// How long the log is, and how much of it is used.
#[derive(Debug)]
pub(super) struct Room {
    log: PathBuf,
    /// Pages from its beginning to the last one that was committed.
    pages: AtomicI32,
    /// Bytes, as far as they are known to be there.
    length: AtomicU64,
}

impl Room {
    pub(super) fn of(log: PathBuf) -> Self {
        Self {
            log,
            pages: AtomicI32::new(0),
            length: AtomicU64::new(0),
        }
    }

    /// Notes how much is used.
    pub(super) fn used(&self, pages: i32) {
        self.pages.store(pages, Ordering::Relaxed);
    }

    pub(super) fn pages(&self) -> i32 {
        self.pages.load(Ordering::Relaxed)
    }

    /// Whether the writer will soon be at the end.
    pub(super) fn is_short(&self) -> bool {
        let used = self.bytes();
        self.pages() >= SHORT && used + ahead(used) / 4 > self.length.load(Ordering::Relaxed)
    }

    fn bytes(&self) -> u64 {
        u64::from(self.pages().unsigned_abs()) * PAGE
    }

    /// Makes the log longer if it is short. One that cannot be is as good as before, only slower.
    pub(super) fn make(&self) {
        if !self.is_short() {
            return;
        }
        if let Err(error) = self.lengthen() {
            tracing::debug!(%error, "the log of the database gets no room ahead");
            // The next one that cannot be is not tried at each commit.
            self.length.fetch_add(MOST, Ordering::Relaxed);
        }
    }

    fn lengthen(&self) -> io::Result<()> {
        let length = fs::metadata(&self.log)?.len();
        self.length.store(length, Ordering::Relaxed);
        if !self.is_short() {
            return Ok(());
        }
        // Never a new file: the engine has opened this one.
        let mut log = File::options().append(true).open(&self.log)?;
        let used = self.bytes();
        let more = (used + ahead(used)).saturating_sub(length);
        io::copy(&mut io::repeat(0).take(more), &mut log)?;
        log.sync_data()?;
        let length = log.metadata()?.len();
        self.length.store(length, Ordering::Relaxed);
        Ok(())
    }
}

fn ahead(used: u64) -> u64 {
    (used / 4).clamp(LEAST, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(bytes: &[u8]) -> (tempfile::TempDir, Room) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, bytes).unwrap();
        (folder, Room::of(path))
    }

    #[test]
    fn a_short_log_gets_zeros_behind_what_is_there_and_a_long_one_does_not() {
        let (_folder, room) = log(b"pages");
        room.used(SHORT);
        assert!(room.is_short());

        room.make();
        let made = fs::read(&room.log).unwrap();
        room.make();

        assert!(!room.is_short());
        assert!(made.starts_with(b"pages"));
        assert!(made[5..].iter().all(|byte| *byte == 0));
        let used = room.bytes();
        assert_eq!(made.len() as u64, used + ahead(used));
        assert_eq!(fs::read(&room.log).unwrap(), made);
    }

    #[test]
    fn the_log_of_a_short_run_is_left_alone() {
        let (_folder, room) = log(b"pages");
        room.used(SHORT - 1);

        room.make();

        assert_eq!(fs::read(&room.log).unwrap(), b"pages");
    }

    #[test]
    fn a_log_that_is_not_there_is_not_made() {
        let (folder, room) = log(b"");
        fs::remove_file(&room.log).unwrap();
        room.used(SHORT);

        room.make();

        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
