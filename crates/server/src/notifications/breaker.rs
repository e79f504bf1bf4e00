//! How often somebody is tried who does not answer.

use std::time::Duration;

use tokio::time::Instant;

/// Counts failures; after `threshold` of them in a row there is a pause of `backoff` after each.
#[derive(Debug)]
pub(super) struct Breaker {
    threshold: usize,
    backoff: Duration,
    failures: usize,
    last: Option<Instant>,
}

/// What a failure has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It is the first after a success.
    First,
    /// It opens the breaker.
    Opens,
    /// It is one of many.
    Another,
}

impl Breaker {
    pub(super) fn new(threshold: usize, backoff: Duration) -> Self {
        Self {
            threshold,
            backoff,
            failures: 0,
            last: None,
        }
    }

    /// How long to wait before the next attempt.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        match self.last {
            Some(last) if self.failures >= self.threshold => {
                (last + self.backoff).saturating_duration_since(now)
            }
            _ => Duration::ZERO,
        }
    }

    /// Notes a success; answers how many failures were before it.
    pub(super) fn succeed(&mut self) -> usize {
        self.last = None;
        std::mem::take(&mut self.failures)
    }

    pub(super) fn fail(&mut self, now: Instant) -> Failure {
        self.failures += 1;
        self.last = Some(now);
        if self.failures == self.threshold {
            Failure::Opens
        } else if self.failures == 1 {
            Failure::First
        } else {
            Failure::Another
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_pause_only_after_as_many_failures_as_the_threshold() {
        let now = Instant::now();
        let mut breaker = Breaker::new(3, Duration::from_secs(5));

        let told: Vec<_> = (0..4)
            .map(|_| (breaker.wait(now), breaker.fail(now)))
            .collect();
        let later = breaker.wait(now + Duration::from_secs(3));
        let failures = breaker.succeed();

        let (none, pause) = (Duration::ZERO, Duration::from_secs(5));
        assert_eq!(
            told,
            [
                (none, Failure::First),
                (none, Failure::Another),
                (none, Failure::Opens),
                (pause, Failure::Another),
            ]
        );
        assert_eq!((later, failures), (Duration::from_secs(2), 4));
        assert_eq!(breaker.wait(now), none);
    }
}
