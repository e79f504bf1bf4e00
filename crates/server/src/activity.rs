//! What a connection is doing, so that one that does nothing can be closed.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// How long a connection may do nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Idleness {
    /// Before its first request has come in whole.
    pub(crate) before_first: Duration,
    /// Between two requests.
    pub(crate) between: Duration,
    /// While the client does not take what it has asked for.
    pub(crate) stalled: Duration,
}

/// The requests of one connection, and when something last happened to them.
#[derive(Debug)]
pub(crate) struct Activity {
    opened: Instant,
    /// Milliseconds from `opened` to the last sign of life.
    last: AtomicU64,
    served: AtomicUsize,
    /// Requests that are not yet answered to the end.
    running: AtomicUsize,
    /// Of those, the ones whose answer is being sent.
    sending: AtomicUsize,
    /// Told of the first request.
    begun: Notify,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            opened: Instant::now(),
            last: AtomicU64::new(0),
            served: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            sending: AtomicUsize::new(0),
            begun: Notify::new(),
        }
    }

    pub(crate) fn begin(&self) {
        self.running.fetch_add(1, Ordering::Relaxed);
        if self.served.fetch_add(1, Ordering::Relaxed) == 0 {
            self.begun.notify_one();
        }
        self.touch();
    }

    /// Waits for the first request; only one may wait.
    pub(crate) async fn first(&self) {
        if self.served.load(Ordering::Relaxed) == 0 {
            self.begun.notified().await;
        }
    }

    pub(crate) fn send(&self) {
        self.sending.fetch_add(1, Ordering::Relaxed);
        self.touch();
    }

    pub(crate) fn end(&self) {
        self.sending.fetch_sub(1, Ordering::Relaxed);
        self.running.fetch_sub(1, Ordering::Relaxed);
        self.touch();
    }

    pub(crate) fn touch(&self) {
        let since = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(since, Ordering::Relaxed);
    }

    /// For how long nothing was asked at `now`, unless something is being answered.
    pub(crate) fn rest(&self, now: Instant) -> Option<Duration> {
        let is_running = self.running.load(Ordering::Relaxed) > 0;
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        let open = now.saturating_duration_since(self.opened);
        (!is_running).then(|| open.saturating_sub(last))
    }

    /// Whether nothing has happened for longer than is allowed.
    ///
    /// A request that is being worked on is never too late: reading its body has bounds of its own, and the rest is ours.
    pub(crate) fn is_overdue(&self, idleness: &Idleness) -> bool {
        let running = self.running.load(Ordering::Relaxed);
        let allowed = match (running, self.sending.load(Ordering::Relaxed)) {
            (0, _) if self.served.load(Ordering::Relaxed) == 0 => idleness.before_first,
            (0, _) => idleness.between,
            (running, sending) if running == sending => idleness.stalled,
            _ => return false,
        };
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        self.opened.elapsed().saturating_sub(last) > allowed
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const IDLENESS: Idleness = Idleness {
        before_first: Duration::from_secs(10),
        between: Duration::from_secs(100),
        stalled: Duration::from_secs(1_000),
    };

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_request_is_closed_first() {
        let activity = Activity::new();

        advance(10 * SECOND).await;
        assert!(!activity.is_overdue(&IDLENESS));
        advance(SECOND).await;
        assert!(activity.is_overdue(&IDLENESS));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_was_used_may_rest_longer() {
        let activity = Activity::new();
        activity.begin();
        activity.send();
        activity.end();

        advance(99 * SECOND).await;
        assert!(!activity.is_overdue(&IDLENESS));
        advance(2 * SECOND).await;
        assert!(activity.is_overdue(&IDLENESS));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_worked_on_is_never_overdue() {
        let activity = Activity::new();
        activity.begin();

        advance(100_000 * SECOND).await;

        assert!(!activity.is_overdue(&IDLENESS));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_is_given_up() {
        let activity = Activity::new();
        activity.begin();
        activity.send();

        advance(999 * SECOND).await;
        assert!(!activity.is_overdue(&IDLENESS));
        activity.touch();
        advance(1_001 * SECOND).await;
        assert!(activity.is_overdue(&IDLENESS));
    }
}
