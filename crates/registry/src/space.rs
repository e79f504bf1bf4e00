//! The reserve: uploads stop while there is still room for the database, deletes and collection.

use std::sync::{Mutex, PoisonError};
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

/// Whether `more` bytes may be written without touching the reserve.
pub(crate) fn has_room(folder: &Folder, settings: &Settings, more: u64) -> Result<bool, Internal> {
    let free = folder.free().during("ask for free space")?;
    Ok(fits(settings, free, more))
}

fn fits(settings: &Settings, free: Space, more: u64) -> bool {
    free.bytes >= settings.reserve_bytes.saturating_add(more)
        && free.inodes >= settings.reserve_inodes
}

fn is_plenty(settings: &Settings, free: Space, more: u64) -> bool {
    let rest = Space {
        bytes: free.bytes.saturating_sub(PLENTY),
        inodes: free.inodes.saturating_sub(PLENTY_OF_FILES),
    };
    fits(settings, rest, more)
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
    pub(crate) async fn has_room_for(&self, few: u64) -> Result<bool, Internal> {
        let now = Instant::now();
        if few < PLENTY / 1024 && self.plenty.is_fresh(now) {
            return Ok(true);
        }
        let folder = self.folder.clone();
        let free = blocking(move || folder.free()).await;
        let free = free.during("ask for free space")?;
        let plenty = is_plenty(&self.settings, free, few);
        self.plenty.set(plenty.then_some(now));
        Ok(fits(&self.settings, free, few))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_beyond_the_reserve_counts() {
        let settings = Settings::default();
        let free = |bytes, inodes| Space { bytes, inodes };
        let (bytes, files) = (settings.reserve_bytes, settings.reserve_inodes);

        assert!(fits(&settings, free(bytes + 5, files), 5));
        assert!(!fits(&settings, free(bytes + 5, files), 6));
        assert!(!fits(&settings, free(bytes + 5, files - 1), 5));
        assert!(!is_plenty(&settings, free(bytes + PLENTY, u64::MAX), 5));
        assert!(is_plenty(&settings, free(bytes + PLENTY + 5, u64::MAX), 5));
        assert!(!is_plenty(&settings, free(u64::MAX, files), 5));
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
