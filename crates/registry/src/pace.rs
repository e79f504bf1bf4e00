//! How fast work in the background goes.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// Lets no more than some bytes or objects a second pass.
#[derive(Debug)]
pub(crate) struct Pace {
    per_second: Option<u64>,
    /// When what was done so far should have been done.
    due: Instant,
}

impl Pace {
    pub(crate) fn new(per_second: Option<u64>) -> Self {
        Self {
            per_second: per_second.filter(|rate| *rate > 0),
            due: Instant::now(),
        }
    }

    /// Waits until `amount` more may have been done.
    pub(crate) async fn spend(&mut self, amount: u64) {
        let Some(rate) = self.per_second else {
            return;
        };
        let nanoseconds = u128::from(amount) * 1_000_000_000 / u128::from(rate);
        let takes = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        // Time in which nothing was done is not made up for.
        self.due = self.due.max(Instant::now()) + takes;
        let _ = timeout_at(self.due, std::future::pending::<()>()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_passes_for_as_much_as_the_rate_says() {
        let mut pace = Pace::new(Some(1_000));
        let begun = Instant::now();

        for _ in 0..4 {
            pace.spend(500).await;
        }

        let took = begun.elapsed();
        assert!((1_990..2_010).contains(&took.as_millis()), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_nobody_waits() {
        let mut pace = Pace::new(None);
        let begun = Instant::now();

        pace.spend(u64::MAX).await;

        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
