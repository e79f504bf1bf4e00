//! Work that lets clients go first.
//!
//! A command is to be done at once, and yet nobody who pushes should notice: each round of it holds up the writer of the database, and takes processors and the disk from what clients wait for.
//! So between two rounds it rests while somebody changes something, and not at all while nobody does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// So much longer than a round is the rest after it: what is left for clients is two thirds of the time.
const REST: u32 = 2;
/// The longest rest, should a round have had to wait itself.
const LONGEST: Duration = Duration::from_millis(100);
/// Clients who changed something so long ago may be in the middle of a push.
const RECENT: Duration = Duration::from_millis(200);

/// Counts what clients change.
#[derive(Debug, Default)]
pub(crate) struct Traffic(AtomicU64);

/// What some work has seen of the traffic.
#[derive(Debug)]
pub(crate) struct Courtesy<'t> {
    traffic: &'t Traffic,
    seen: u64,
    /// Until when there are clients.
    until: Instant,
    /// When the round began.
    begun: Instant,
}

impl Traffic {
    /// Counts one change.
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// For work whose first round begins now.
    pub(crate) fn courtesy(&self) -> Courtesy<'_> {
        let now = Instant::now();
        Courtesy {
            traffic: self,
            seen: self.0.load(Ordering::Relaxed),
            until: now,
            begun: now,
        }
    }
}

impl Courtesy<'_> {
    /// Rests after a round if there are clients; the next one begins then.
    pub(crate) async fn rest(&mut self) {
        let now = Instant::now();
        let seen = self.traffic.0.load(Ordering::Relaxed);
        if seen != self.seen {
            self.seen = seen;
            self.until = now + RECENT;
        }
        if now < self.until {
            let rest = (now - self.begun).saturating_mul(REST).min(LONGEST);
            let _ = timeout_at(now + rest, std::future::pending::<()>()).await;
        }
        self.begun = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const ROUND: Duration = Duration::from_millis(5);

    async fn rest_after(courtesy: &mut Courtesy<'_>, round: Duration) -> Duration {
        advance(round).await;
        let begun = Instant::now();
        courtesy.rest().await;
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_rests_where_there_are_no_clients() {
        let traffic = Traffic::default();
        traffic.add();
        let mut courtesy = traffic.courtesy();

        assert_eq!(rest_after(&mut courtesy, ROUND).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_round_is_followed_by_a_longer_rest_until_the_clients_have_gone() {
        let traffic = Traffic::default();
        let mut courtesy = traffic.courtesy();
        traffic.add();

        assert_eq!(rest_after(&mut courtesy, ROUND).await, ROUND * REST);
        assert_eq!(rest_after(&mut courtesy, ROUND).await, ROUND * REST);
        assert_eq!(rest_after(&mut courtesy, RECENT).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_round_that_had_to_wait_is_not_waited_for_as_long_again() {
        let traffic = Traffic::default();
        let mut courtesy = traffic.courtesy();
        traffic.add();

        let minute = Duration::from_mins(1);
        assert_eq!(rest_after(&mut courtesy, minute).await, LONGEST);
    }
}
