//! How the registry is, as far as numbers say it.

use boxyard_registry::{FindingKind, Vitals};
use prometheus::{IntCounter, IntGauge, IntGaugeVec};

use super::Metrics;
use super::collecting::Collecting;

/// The numbers of the registry, of the last time that somebody asked.
#[derive(Debug)]
pub(super) struct State {
    uploads: IntGauge,
    backlog: IntGauge,
    waiting: IntGauge,
    commits: IntCounter,
    changes: IntCounter,
    database: IntGauge,
    log: IntGauge,
    findings: IntGaugeVec,
    free: IntGauge,
    reserve: IntGauge,
    collecting: Collecting,
    cache_hits: IntCounter,
    cache_misses: IntCounter,
    cache: IntGauge,
}

impl State {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let gauge = |name: &str, help: &str| {
            metrics.register(IntGauge::new(name, help).expect("the name is a valid one"))
        };
        let counter = |name: &str, help: &str| {
            metrics.register(IntCounter::new(name, help).expect("the name is a valid one"))
        };
        Self {
            uploads: gauge(
                "boxyard_uploads_in_progress",
                "Uploads that this process has in memory.",
            ),
            backlog: gauge(
                "boxyard_projection_backlog",
                "Changes that the link files in the folder do not show yet.",
            ),
            waiting: gauge(
                "boxyard_database_waiting_changes",
                "Changes that wait for the next commit or are in it.",
            ),
            commits: counter(
                "boxyard_database_commits_total",
                "Commits, each of which one sync makes durable.",
            ),
            changes: counter(
                "boxyard_database_changes_total",
                "Changes that were in commits.",
            ),
            database: gauge("boxyard_database_bytes", "Size of the database's file."),
            log: gauge(
                "boxyard_database_wal_bytes",
                "Size of the database's write-ahead log.",
            ),
            findings: metrics.gauges(
                "boxyard_findings",
                "Bad objects that were met and not healed.",
                &["kind"],
            ),
            free: gauge(
                "boxyard_storage_free_bytes",
                "Bytes that are left on the folder's filesystem.",
            ),
            reserve: gauge(
                "boxyard_storage_reserve_bytes",
                "Uploads are refused while less than this is free.",
            ),
            collecting: Collecting::new(metrics),
            cache_hits: counter(
                "boxyard_cache_hits_total",
                "Questions to the database that memory answered.",
            ),
            cache_misses: counter(
                "boxyard_cache_misses_total",
                "Questions that memory could have answered and the database did.",
            ),
            cache: gauge(
                "boxyard_cache_bytes",
                "Manifests, tags, lists and small blobs that are in memory.",
            ),
        }
    }

    pub(super) fn update(&self, vitals: &Vitals) {
        self.uploads.set(signed(vitals.uploads));
        self.backlog.set(signed(vitals.backlog));
        self.waiting.set(signed(vitals.database.waiting));
        let grow = |counter: &IntCounter, to: u64| counter.inc_by(to.saturating_sub(counter.get()));
        grow(&self.commits, vitals.database.commits);
        grow(&self.changes, vitals.database.changes);
        self.database.set(signed(vitals.database.bytes));
        self.log.set(signed(vitals.database.log_bytes));
        for kind in FindingKind::ALL {
            let count = vitals.database.findings.get(&kind).copied();
            self.findings
                .with_label_values(&[kind.as_str()])
                .set(signed(count.unwrap_or(0)));
        }
        self.free.set(signed(vitals.free_bytes));
        self.reserve.set(signed(vitals.reserve_bytes));
        self.collecting.update(&vitals.collecting);
        grow(&self.cache_hits, vitals.cache.hits);
        grow(&self.cache_misses, vitals.cache.misses);
        self.cache.set(signed(vitals.cache.bytes));
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
