//! When the worker of the tree begins a round.
//!
//! A round costs a few syncs however little it does, and takes them from the pushes that go on beside it.
//! So the worker waits while changes keep coming, for at most a moment: links are there within a second of the answer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// A pause of this length is the end of what belongs together.
const PAUSE: Duration = Duration::from_millis(5);
/// The longest time for which changes are gathered.
const MOMENT: Duration = Duration::from_millis(500);
/// So many changes are a round worth its cost.
const ENOUGH: usize = 2_048;

/// The changes since the last round began.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    count: AtomicUsize,
    any: Notify,
    hurry: Notify,
}

impl Changes {
    /// Counts one.
    pub(crate) fn add(&self) {
        let before = self.count.fetch_add(1, Ordering::Relaxed);
        self.any.notify_one();
        if before + 1 == ENOUGH {
            self.hurry.notify_one();
        }
    }

    /// Counts one for which nobody should wait longer than they must.
    pub(crate) fn hurry(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.any.notify_one();
        self.hurry.notify_one();
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed) as u64
    }

    /// A round begins, which takes all that were counted.
    pub(crate) fn taken(&self) {
        self.count.store(0, Ordering::Relaxed);
    }

    /// Waits until there is a change, and then for those that come close behind it.
    pub(crate) async fn gathered(&self) {
        self.any.notified().await;
        self.paused().await;
    }

    /// Waits for those that still come; not at all where there is none.
    pub(crate) async fn paused(&self) {
        let begun = Instant::now();
        let mut seen = self.count.load(Ordering::Relaxed);
        while (1..ENOUGH).contains(&seen) && begun.elapsed() < MOMENT {
            let pause = timeout_at(Instant::now() + PAUSE, self.hurry.notified()).await;
            let now = self.count.load(Ordering::Relaxed);
            if pause.is_ok() || now == seen {
                return;
            }
            seen = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    async fn time_of(gathered: impl Future<Output = ()>) -> Duration {
        let begun = Instant::now();
        gathered.await;
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn one_change_waits_for_another_one_and_not_longer() {
        let changes = Changes::default();
        changes.add();

        assert_eq!(time_of(changes.gathered()).await, PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn changes_that_keep_coming_are_gathered_for_a_moment() {
        let changes = Arc::new(Changes::default());
        let pushes = tokio::spawn({
            let changes = Arc::clone(&changes);
            async move {
                let mut ticks = tokio::time::interval(Duration::from_millis(2));
                loop {
                    ticks.tick().await;
                    changes.add();
                }
            }
        });

        assert_eq!(time_of(changes.gathered()).await, MOMENT);
        pushes.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn many_changes_and_urgent_ones_wait_for_nothing() {
        let changes = Changes::default();
        (0..ENOUGH).for_each(|_| changes.add());
        assert_eq!(time_of(changes.gathered()).await, Duration::ZERO);

        changes.taken();
        changes.hurry();
        assert_eq!(time_of(changes.gathered()).await, Duration::ZERO);
    }
}
