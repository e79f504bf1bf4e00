//! Takes what waits for one endpoint to it, in order and until it arrives.

use std::sync::Arc;
use std::time::Duration;

use boxyard_registry::{Internal, PendingEvent, Registry};
use http::StatusCode;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::breaker::{Breaker, Failure};
use super::send::Sender;
use super::tally::{Fate, Tally};
use crate::error::chain;

/// How many events are told before that is written down: so many may be told twice after a crash.
const PAGE: usize = 16;
/// How long to wait when the database has failed.
const RECOVER: Duration = Duration::from_secs(5);

/// Brings events to one endpoint.
#[derive(Debug)]
pub(super) struct Courier {
    pub(super) name: String,
    pub(super) sender: Sender,
    pub(super) breaker: Breaker,
    pub(super) registry: Arc<Registry>,
    pub(super) tally: Tally,
    /// How many events waited when this was last looked at, less what was told since.
    pub(super) known: Option<u64>,
    pub(super) stop: CancellationToken,
}

impl Courier {
    /// Runs until it is time to stop; an attempt that has begun is ended first.
    pub(super) async fn run(mut self) {
        let mut changed = self.registry.watch_events();
        while !self.stop.is_cancelled() {
            changed.mark_unchanged();
            if let Err(error) = self.empty().await {
                tracing::error!(endpoint = self.name, error = %chain(&error), "the outbox of notifications failed");
                self.pause(RECOVER).await;
                continue;
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                _ = changed.changed() => {}
            }
        }
    }

    /// Tells until nothing waits or it is time to stop.
    async fn empty(&mut self) -> Result<(), Internal> {
        while !self.stop.is_cancelled() {
            self.look().await?;
            // What is read after the pause was not dropped during it.
            self.pause(self.breaker.wait(Instant::now())).await;
            let pending = self.registry.pending_events(&self.name, PAGE).await?;
            if pending.is_empty() {
                break;
            }
            let told = self.tell(&pending).await;
            self.registry.end_events(&self.name, &told).await?;
            let left = self.known.unwrap_or(0).saturating_sub(told.len() as u64);
            self.known = Some(left);
        }
        Ok(())
    }

    /// Tells of `pending` up to the first failure; answers what was told.
    async fn tell(&mut self, pending: &[PendingEvent]) -> Vec<i64> {
        let mut told = Vec::new();
        for event in pending {
            if self.stop.is_cancelled() || !self.attempt(event).await {
                break;
            }
            told.push(event.sequence);
        }
        told
    }

    /// Whether the endpoint has taken the event.
    async fn attempt(&mut self, event: &PendingEvent) -> bool {
        let answer = self.sender.send(&event.payload).await;
        match &answer {
            Ok(status) if status.is_success() || status.is_redirection() => {
                self.tally.answer(&self.name, *status);
                self.tally.count(&self.name, Fate::Successes, 1);
                self.succeed(*status);
                true
            }
            Ok(status) => {
                self.tally.answer(&self.name, *status);
                self.tally.count(&self.name, Fate::Failures, 1);
                self.fail(&format!("it answers {status}"));
                false
            }
            Err(error) => {
                self.tally.count(&self.name, Fate::Errors, 1);
                self.fail(&chain(error));
                false
            }
        }
    }

    fn succeed(&mut self, status: StatusCode) {
        let failures = self.breaker.succeed();
        if failures > 0 {
            tracing::info!(
                endpoint = self.name,
                failures,
                "the endpoint takes notifications again"
            );
        }
        if status.is_redirection() {
            tracing::warn!(endpoint = self.name, %status, "the endpoint redirects notifications without asking for the same request again: that counts as delivered, as it does for distribution");
        }
    }

    fn fail(&mut self, why: &str) {
        match self.breaker.fail(Instant::now()) {
            Failure::First => {
                tracing::warn!(
                    endpoint = self.name,
                    why,
                    "the endpoint does not take a notification; it is tried again"
                );
            }
            Failure::Opens => {
                tracing::warn!(
                    endpoint = self.name,
                    why,
                    "the endpoint takes no notifications; they wait, and one is tried now and then"
                );
            }
            Failure::Another => {}
        }
    }

    /// Counts what waits, what has come since the last look, and what went unsent because too many waited.
    async fn look(&mut self) -> Result<(), Internal> {
        let dropped = self.registry.take_dropped_events(&self.name).await?;
        let waiting = self.registry.event_backlog(&self.name).await?.events;
        let before = self.known.replace(waiting).unwrap_or(waiting);
        let come = (waiting + dropped).saturating_sub(before);
        self.tally.wait(&self.name, waiting);
        self.tally.count(&self.name, Fate::Events, come);
        self.tally.count(&self.name, Fate::Dropped, dropped);
        if dropped > 0 {
            tracing::warn!(
                endpoint = self.name,
                dropped,
                "too many notifications waited for the endpoint: the oldest were dropped"
            );
        }
        Ok(())
    }

    /// Waits so long, or until it is time to stop.
    async fn pause(&self, duration: Duration) {
        if !duration.is_zero() {
            let _stopped = timeout(duration, self.stop.cancelled()).await;
        }
    }
}
