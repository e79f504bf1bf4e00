//! The reserve: uploads stop while there is still room for the database, deletes and collection.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use boxyard_blobs::{Folder, Space};
use tokio::time::Instant;

use crate::Registry;
use crate::error::{During, Internal, blocking};
use crate::settings::Settings;

/// How long an answer of the filesystem holds where there is plenty.
const FRESH: Duration = Duration::from_millis(20);
/// What counts as plenty beyond the reserve: more than what any disk takes in that time.
const PLENTY: u64 = 512 << 20;
/// The same for files.
const PLENTY_OF_FILES: u64 = 100_000;

/// How many files and folders a change may add to the tree: a new tag in a new repository takes the most.
const FILES_OF_CHANGE: u64 = 16;
/// What the smallest file or folder takes of most filesystems, in bytes.
const BLOCK: u64 = 4096;

/// Whether `more` bytes may be written without touching the reserve.
pub(crate) fn has_room(folder: &Folder, settings: &Settings, more: u64) -> Result<bool, Internal> {
    let free = folder.free().during("ask for free space")?;
    Ok(fits(settings, free, bytes(more)))
}

fn bytes(bytes: u64) -> Space {
    Space { bytes, inodes: 0 }
}

/// What so many changes of the database may still take once the tree follows them.
fn of_changes(changes: u64) -> Space {
    let inodes = changes.saturating_mul(FILES_OF_CHANGE);
    let bytes = inodes.saturating_mul(BLOCK);
    Space { bytes, inodes }
}

fn sum(one: Space, other: Space) -> Space {
    Space {
        bytes: one.bytes.saturating_add(other.bytes),
        inodes: one.inodes.saturating_add(other.inodes),
    }
}

fn fits(settings: &Settings, free: Space, more: Space) -> bool {
    let reserve = Space {
        bytes: settings.reserve_bytes,
        inodes: settings.reserve_inodes,
    };
    let taken = sum(reserve, more);
    free.bytes >= taken.bytes && free.inodes >= taken.inodes
}

fn is_plenty(settings: &Settings, free: Space, more: Space) -> bool {
    let plenty = Space {
        bytes: PLENTY,
        inodes: PLENTY_OF_FILES,
    };
    fits(settings, free, sum(plenty, more))
}

/// When there was last plenty of room.
#[derive(Debug, Default)]
pub(crate) struct Plenty {
    seen: Mutex<Option<Instant>>,
}

impl Plenty {
    fn is_fresh(&self, now: Instant) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.is_some_and(|seen| now.duration_since(seen) < FRESH)
    }

    fn set(&self, seen: Option<Instant>) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }
}

impl Registry {
    /// The same as [`has_room`] for a few bytes, without asking the filesystem for each of many small pushes while there is plenty.
    ///
    /// What was taken and is not in the tree yet counts, because nothing that was answered may wait for room for ever.
    pub(crate) async fn has_room_for(self: &Arc<Self>, few: u64) -> Result<bool, Internal> {
        let now = Instant::now();
        if few < PLENTY / 1024 && self.plenty.is_fresh(now) {
            return Ok(true);
        }
        let waiting = of_changes(self.projector.behind());
        let more = sum(waiting, bytes(few));
        let free = self.free().await?;
        let plenty = is_plenty(&self.settings, free, more);
        self.plenty.set(plenty.then_some(now));
        if fits(&self.settings, free, more) {
            return Ok(true);
        }
        if !fits(&self.settings, free, bytes(few)) {
            return Ok(false);
        }
        self.has_room_behind_the_tree(few).await
    }

    /// Lets the tree follow, and then looks at what it has left.
    async fn has_room_behind_the_tree(self: &Arc<Self>, few: u64) -> Result<bool, Internal> {
        match self.catch_up().await {
            Err(error) if error.is_no_space() => return Ok(false),
            done => done?,
        };
        Ok(fits(&self.settings, self.free().await?, bytes(few)))
    }

    async fn free(&self) -> Result<Space, Internal> {
        let folder = self.folder.clone();
        let free = blocking(move || folder.free()).await;
        free.during("ask for free space")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_beyond_the_reserve_counts() {
        let settings = Settings::default();
        let free = |bytes, inodes| Space { bytes, inodes };
        let (reserve, files) = (settings.reserve_bytes, settings.reserve_inodes);
        let five = bytes(5);

        assert!(fits(&settings, free(reserve + 5, files), five));
        assert!(!fits(&settings, free(reserve + 4, files), five));
        assert!(!fits(&settings, free(reserve + 5, files - 1), five));
        let plenty = reserve + PLENTY + 5;
        assert!(is_plenty(&settings, free(plenty, u64::MAX), five));
        assert!(!is_plenty(&settings, free(plenty - 1, u64::MAX), five));
        assert!(!is_plenty(&settings, free(u64::MAX, files), five));
    }

    #[test]
    fn what_waits_for_the_tree_counts_as_well() {
        let settings = Settings::default();
        let free = |files| Space {
            bytes: u64::MAX,
            inodes: settings.reserve_inodes + files,
        };

        assert!(fits(&settings, free(48), of_changes(3)));
        assert!(!fits(&settings, free(47), of_changes(3)));
        assert_eq!(of_changes(u64::MAX).inodes, u64::MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn plenty_is_asked_for_again_after_a_moment() {
        let plenty = Plenty::default();
        assert!(!plenty.is_fresh(Instant::now()));

        plenty.set(Some(Instant::now()));
        assert!(plenty.is_fresh(Instant::now()));
        tokio::time::advance(FRESH).await;
        assert!(!plenty.is_fresh(Instant::now()));

        plenty.set(Some(Instant::now()));
        plenty.set(None);
        assert!(!plenty.is_fresh(Instant::now()));
    }
}
