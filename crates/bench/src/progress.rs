//! How far the bench is, and how long the rest will take.

use std::time::Instant;

/// Bouts done and to be done.
pub(crate) struct Progress {
    begun: Instant,
    done: usize,
    /// Of those done, the ones that an earlier bench has measured.
    skipped: usize,
    bouts: usize,
    runs: usize,
}

impl Progress {
    pub(crate) fn new(bouts: usize, runs: usize) -> Self {
        eprintln!("{bouts} measurements, {runs} times");
        Self {
            begun: Instant::now(),
            done: 0,
            skipped: 0,
            bouts,
            runs,
        }
    }

    /// Counts what was measured earlier.
    pub(crate) fn skip(&mut self) {
        self.done += 1;
        self.skipped += 1;
    }

    /// Says what one bout has found, and when the last will have.
    pub(crate) fn next(&mut self, found: &str) {
        self.done += 1;
        let all = self.bouts * self.runs;
        let elapsed = self.begun.elapsed();
        let done = u32::try_from(self.done - self.skipped).unwrap_or(u32::MAX);
        let left = elapsed / done * u32::try_from(all - self.done).unwrap_or(0);
        eprintln!(
            "[{}/{all}, {} s, about {} s left] {found}",
            self.done,
            elapsed.as_secs(),
            left.as_secs()
        );
    }
}
