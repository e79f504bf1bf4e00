//! What the collector has done since the start, and what it will do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use boxyard_meta::ReviewKind;
use tokio::time::Instant;

use crate::Registry;
use crate::collector::CollectReport;
use crate::error::{During, Internal};

/// How old the size of all blobs may be: adding it up reads a row for each.
const SIZE_LASTS: Duration = Duration::from_mins(5);

/// What was collected since the start.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    manifests: AtomicU64,
    blobs: AtomicU64,
    bytes: AtomicU64,
    held: Mutex<Option<(Instant, u64)>>,
}

/// The numbers of collecting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectVitals {
    /// Manifests that were collected since the start.
    pub manifests: u64,
    /// Blobs whose files were collected since the start.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The bytes of all blobs, of some minutes ago.
    pub held_bytes: u64,
    /// What waits, with when the first of it goes; none where it stays until somebody asks.
    pub waiting: Vec<(ReviewKind, u64, Option<SystemTime>)>,
}

impl Tally {
    pub(crate) fn add(&self, report: &CollectReport) {
        self.manifests
            .fetch_add(report.manifests, Ordering::Relaxed);
        self.blobs.fetch_add(report.blobs, Ordering::Relaxed);
        self.bytes.fetch_add(report.bytes, Ordering::Relaxed);
    }
}

impl Registry {
    /// Counts what waits and adds up what was collected.
    pub(crate) async fn collect_vitals(&self) -> Result<CollectVitals, Internal> {
        let mut waiting = Vec::new();
        for kind in [ReviewKind::Manifest, ReviewKind::Blob, ReviewKind::File] {
            let backlog = self.meta.review_backlog(kind).await;
            let (count, since) = backlog.during("count what may be collected")?;
            let goes = since.and_then(|since| self.goes(kind, since));
            waiting.push((kind, count, goes));
        }
        let tally = &self.collected;
        Ok(CollectVitals {
            manifests: tally.manifests.load(Ordering::Relaxed),
            blobs: tally.blobs.load(Ordering::Relaxed),
            bytes: tally.bytes.load(Ordering::Relaxed),
            held_bytes: self.recent_bytes_held().await?,
            waiting,
        })
    }

    async fn recent_bytes_held(&self) -> Result<u64, Internal> {
        let held = || {
            self.collected
                .held
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let known = *held();
        if let Some((_, bytes)) = known.filter(|(at, _)| at.elapsed() < SIZE_LASTS) {
            return Ok(bytes);
        }
        let bytes = self.bytes_held().await?;
        *held() = Some((Instant::now(), bytes));
        Ok(bytes)
    }
}
