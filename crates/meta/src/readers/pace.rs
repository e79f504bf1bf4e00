//! How fast small reads are, which says where they may run.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// A small read that takes longer has waited for the disk, or for a processor.
const SLOW: Duration = Duration::from_millis(1);

/// How many reads in a row must be fast again before they run on the async threads.
const PROOFS: u32 = 16;

/// Whether small reads find what they need in memory.
///
/// The engine cannot be asked to read only what is there without waiting. But one read that
/// waits tells that more will, after a start or where the database outgrows the memory: so a
/// disk holds up an async thread for one read, and not for a row of them. The same goes for
/// looks at a filesystem.
#[derive(Debug, Default)]
pub struct Pace {
    /// How many fast reads are still asked for.
    missing: AtomicU32,
}

impl Pace {
    /// Whether reads had better run where they hold up nobody.
    pub fn is_slow(&self) -> bool {
        self.missing.load(Ordering::Relaxed) > 0
    }

    /// Runs `read` and learns from how long it takes.
    pub fn timed<T>(&self, read: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let result = read();
        self.note(begin.elapsed());
        result
    }

    fn note(&self, took: Duration) {
        if took > SLOW {
            self.missing.store(PROOFS, Ordering::Relaxed);
        } else if self.is_slow() {
            // Several may end at once; one proof too few does no harm.
            let missing = self.missing.load(Ordering::Relaxed);
            self.missing
                .store(missing.saturating_sub(1), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_that_waited_sends_the_next_ones_elsewhere_until_they_are_fast_again() {
        let pace = Pace::default();
        let fast = Duration::from_micros(10);

        pace.note(fast);
        assert!(!pace.is_slow());
        pace.note(Duration::from_millis(5));
        for _ in 0..PROOFS {
            assert!(pace.is_slow());
            pace.note(fast);
        }

        assert!(!pace.is_slow());
    }
}
