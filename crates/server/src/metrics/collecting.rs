//! What is kept, what nothing uses any more, and what was collected.

use std::time::{Duration, SystemTime};

use boxyard_registry::{CollectVitals, ReviewKind};
use prometheus::{IntCounterVec, IntGaugeVec};

use super::Metrics;

/// The numbers of collecting, of the last time that somebody asked.
#[derive(Debug)]
pub(super) struct Collecting {
    held: IntGaugeVec,
    collected: IntCounterVec,
    collected_bytes: IntCounterVec,
    waiting: IntGaugeVec,
    goes_at: IntGaugeVec,
}

impl Collecting {
    pub(super) fn new(metrics: &Metrics) -> Self {
        Self {
            held: metrics.gauges(
                "boxyard_storage_blob_bytes",
                "Bytes of all blobs, of some minutes ago.",
                &[],
            ),
            collected: metrics.counters(
                "boxyard_collected_total",
                "What nothing used any more and was removed.",
                &["kind"],
            ),
            collected_bytes: metrics.counters(
                "boxyard_collected_bytes_total",
                "Bytes that were freed by that.",
                &[],
            ),
            waiting: metrics.gauges(
                "boxyard_collect_waiting",
                "What nothing uses and is still there.",
                &["kind"],
            ),
            goes_at: metrics.gauges(
                "boxyard_collect_next_timestamp_seconds",
                "When the first of that goes; 0 where nothing does.",
                &["kind"],
            ),
        }
    }

    pub(super) fn update(&self, vitals: &CollectVitals) {
        self.held
            .with_label_values(&[] as &[&str])
            .set(signed(vitals.held_bytes));
        for (kind, count) in [("manifest", vitals.manifests), ("blob", vitals.blobs)] {
            let counter = self.collected.with_label_values(&[kind]);
            counter.inc_by(count.saturating_sub(counter.get()));
        }
        let bytes = self.collected_bytes.with_label_values(&[] as &[&str]);
        bytes.inc_by(vitals.bytes.saturating_sub(bytes.get()));
        for (kind, count, goes) in &vitals.waiting {
            let kind = name(*kind);
            let waiting = self.waiting.with_label_values(&[kind]);
            waiting.set(signed(*count));
            let since = goes.and_then(|goes| goes.duration_since(SystemTime::UNIX_EPOCH).ok());
            let goes = since.unwrap_or(Duration::ZERO).as_secs();
            self.goes_at.with_label_values(&[kind]).set(signed(goes));
        }
    }
}

fn name(kind: ReviewKind) -> &'static str {
    match kind {
        ReviewKind::Manifest => "manifest",
        ReviewKind::Blob => "blob",
        ReviewKind::File => "file",
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
