//! What is counted of notifications, under distribution's names.

use http::StatusCode;
use prometheus::{IntCounterVec, IntGaugeVec};

use crate::metrics::Metrics;

/// The numbers of all endpoints.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    events: IntCounterVec,
    pending: IntGaugeVec,
    status: IntCounterVec,
}

/// What became of events.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// They came to wait.
    Events,
    /// They were taken.
    Successes,
    /// They were refused.
    Failures,
    /// There was no answer.
    Errors,
    /// They went unsent because too many waited, which distribution does not know.
    Dropped,
}

impl Tally {
    pub(super) fn of(metrics: &Metrics) -> Self {
        Self {
            events: metrics.counters(
                "registry_notifications_events_total",
                "The number of total events",
                &["type", "endpoint"],
            ),
            pending: metrics.gauges(
                "registry_notifications_pending_total",
                "The gauge of pending events in queue",
                &["endpoint"],
            ),
            status: metrics.counters(
                "registry_notifications_status_total",
                "The number of status code",
                &["code", "endpoint"],
            ),
        }
    }

    pub(super) fn count(&self, endpoint: &str, fate: Fate, events: u64) {
        let fate = match fate {
            Fate::Events => "Events",
            Fate::Successes => "Successes",
            Fate::Failures => "Failures",
            Fate::Errors => "Errors",
            Fate::Dropped => "Dropped",
        };
        self.events
            .with_label_values(&[fate, endpoint])
            .inc_by(events);
    }

    pub(super) fn wait(&self, endpoint: &str, events: u64) {
        let events = i64::try_from(events).unwrap_or(i64::MAX);
        self.pending.with_label_values(&[endpoint]).set(events);
    }

    pub(super) fn answer(&self, endpoint: &str, status: StatusCode) {
        let reason = status.canonical_reason().unwrap_or_default();
        let code = format!("{} {reason}", status.as_str());
        self.status.with_label_values(&[&code, endpoint]).inc();
    }
}
