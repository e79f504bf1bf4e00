//! Collecting what nothing uses any more, while everything goes on.
//!
//! The database keeps a list of what lost its last use, with dates (`reviews`), so nothing is scanned: the work is that of what changed.
//! A round chooses some of the list that nobody was promised, and asks for each in one transaction whether it is needed; what is not loses its row, its link in the tree goes behind it, and then its file (`release.rs`).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use boxyard_meta::{Collected, Condemned, Position, Review, ReviewKind};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::Registry;
use crate::courtesy::Courtesy;
use crate::error::{During, Internal};
use crate::pace::Pace;

/// Reviews decided in one transaction, for which pushes wait; a collection by rounds of 200 takes as long.
const ROUND: usize = 20;
/// How often the worker looks whether something is due, at most and at least.
const LOOKS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_mins(1));
/// Manifests go first, since they use blobs.
const ORDER: [ReviewKind; 3] = [ReviewKind::Manifest, ReviewKind::Blob, ReviewKind::File];

/// What is collected, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collecting {
    /// Whether the server collects by itself.
    pub enabled: bool,
    /// How long a blob stays that no manifest names.
    pub grace: Duration,
    /// How long a manifest stays that has no tag and that no index or subject keeps; they stay for ever without.
    pub untagged: Option<Duration>,
    /// For how long a client may rely on what it was told; no command goes below.
    pub window: Duration,
    /// How many objects the server itself removes a second.
    pub per_second: u32,
}

impl Default for Collecting {
    fn default() -> Self {
        Self {
            enabled: true,
            grace: Duration::from_hours(24),
            untagged: None,
            window: Duration::from_hours(1),
            per_second: 100,
        }
    }
}

impl Collecting {
    pub(crate) fn grace_of(&self, kind: ReviewKind) -> Option<Duration> {
        match kind {
            ReviewKind::Blob | ReviewKind::File => Some(self.grace),
            ReviewKind::Manifest => self.untagged,
        }
    }
}

/// Why nothing is collected.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// Nobody may change anything.
    #[error("the registry is read-only: set `storage.maintenance.readonly.enabled` to false first")]
    ReadOnly,
    /// The tree may hold links that the database does not know.
    #[error(
        "the folder has not been read whole yet, so nobody knows what is needed: try again when it is"
    )]
    Unread,
    /// A backup copies files.
    #[error("a backup is being made, which keeps every file: try again when it is done")]
    BackingUp,
    /// The registry failed.
    #[error(transparent)]
    Internal(#[from] Internal),
}

/// What a command wants collected at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct CollectOptions {
    /// Whether manifests go that have no tag and that no index or subject keeps.
    pub untagged: bool,
    /// Whether it is only said what would go.
    pub dry_run: bool,
}

/// What a collection came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CollectReport {
    /// Manifests that went.
    pub manifests: u64,
    /// Blobs that a repository does not hold any more.
    pub links: u64,
    /// Blobs whose files went.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What stays because a client relies on it.
    pub promised: u64,
    /// What stays because its repository has a manifest that cannot be read.
    pub doubtful: u64,
}

impl Registry {
    /// The worker.
    pub(crate) async fn collect(self: Arc<Self>) {
        let collecting = self.settings.collecting;
        if !collecting.enabled || self.settings.read_only {
            return;
        }
        let pause = (collecting.window / 4).clamp(LOOKS.0, LOOKS.1);
        let mut ticks = interval(pause);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.stopping.cancelled() => return,
            }
            match self.collect_due(SystemTime::now()).await {
                Ok(report) if report.removed() == 0 => {}
                Ok(report) => tracing::info!(
                    manifests = report.manifests,
                    links = report.links,
                    blobs = report.blobs,
                    bytes = report.bytes,
                    "collected what nothing uses"
                ),
                Err(error) => {
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(%error, source, "nothing could be collected");
                }
            }
        }
    }

    /// Collects what is due at `now`, no faster than the settings say.
    pub async fn collect_due(self: &Arc<Self>, now: SystemTime) -> Result<CollectReport, Internal> {
        let collecting = self.settings.collecting;
        let mut report = CollectReport::default();
        for kind in ORDER {
            let due = collecting
                .grace_of(kind)
                .and_then(|grace| now.checked_sub(grace));
            let Some(until) = due else { continue };
            let mut pass = Pass::new(kind, until, collecting.per_second);
            let mut pace = Pace::new(Some(collecting.per_second.into()));
            while !self.stopping.is_cancelled() {
                let Some(gone) = self.collect_round(&mut pass, &mut report).await? else {
                    break;
                };
                if !gone.is_empty() {
                    self.projector.hurry();
                    pace.spend(gone.len() as u64).await;
                }
            }
        }
        Ok(report)
    }

    /// Collects at once whatever nothing uses and nobody was promised, and says what goes.
    ///
    /// Cut short, it may be repeated.
    pub async fn collect_now(
        self: &Arc<Self>,
        options: CollectOptions,
        gone: mpsc::Sender<Condemned>,
    ) -> Result<CollectReport, CollectError> {
        if self.settings.read_only {
            return Err(CollectError::ReadOnly);
        }
        if !self.known.covers_all() {
            return Err(CollectError::Unread);
        }
        if self.holds.any() {
            return Err(CollectError::BackingUp);
        }
        if options.dry_run {
            return Ok(self.plan(options, gone).await?);
        }
        let mut report = CollectReport::default();
        let mut courtesy = self.projector.courtesy();
        for kind in ORDER {
            if kind == ReviewKind::Manifest && !options.untagged {
                continue;
            }
            self.collect_all(kind, &mut report, &mut courtesy, &gone)
                .await?;
        }
        while self.round().await? > 0 {
            courtesy.rest().await;
        }
        Ok(report)
    }

    /// Collects all of a kind, and lets clients go first.
    async fn collect_all(
        self: &Arc<Self>,
        kind: ReviewKind,
        report: &mut CollectReport,
        courtesy: &mut Courtesy<'_>,
        gone: &mpsc::Sender<Condemned>,
    ) -> Result<(), Internal> {
        loop {
            // What goes may have been the last use of more: until nothing does.
            let mut pass = Pass::new(kind, SystemTime::now(), u32::MAX);
            let before = *report;
            while let Some(condemned) = self.collect_round(&mut pass, report).await? {
                for one in condemned {
                    // Who has left does not hear it.
                    let _ = gone.send(one).await;
                }
                // The tree follows step by step: all at once at the end it would be in the way of clients.
                if self.round().await.is_err() {
                    // It is tried again by its worker, and at the end, which says what is wrong.
                    self.projector.hurry();
                }
                courtesy.rest().await;
            }
            if report.removed() == before.removed() {
                return Ok(());
            }
            // What stays is counted on the last way through.
            report.promised = before.promised;
            report.doubtful = before.doubtful;
        }
    }

    /// Decides some reviews and answers what goes; none when there are no more.
    async fn collect_round(
        self: &Arc<Self>,
        pass: &mut Pass,
        report: &mut CollectReport,
    ) -> Result<Option<Vec<Condemned>>, Internal> {
        if self.settings.read_only || !self.known.covers_all() || self.holds.any() {
            return Ok(None);
        }
        let page = self
            .meta
            .reviews(pass.kind, pass.until, pass.after, pass.size);
        let page = page.await.during("read what may be collected")?;
        let Some(last) = page.last() else {
            return Ok(None);
        };
        pass.after = Some(last.position);
        let found = page.len();
        let registry = Arc::clone(self);
        // It goes on when whoever asked has left: until its end, nobody may be promised what it removes.
        let decided = self.change(async move {
            let (_round, chosen) = registry.promises.begin(page, named).await;
            let decided = registry.meta.collect(chosen.clone()).await;
            decided.map(|decided| (chosen, decided))
        });
        let (chosen, decided) = decided.await.during("collect what nothing uses")?;
        report.promised += (found - chosen.len()) as u64;
        let mut doubtful = Vec::new();
        let mut gone = Vec::new();
        for (review, outcome) in chosen.into_iter().zip(decided) {
            match outcome {
                Collected::Needed => {}
                Collected::Doubtful => doubtful.push(review),
                Collected::Gone(condemned) => gone.push(condemned),
            }
        }
        let mut this = CollectReport::default();
        this.add(&gone);
        self.collected.add(&this);
        report.add(&gone);
        report.doubtful += doubtful.len() as u64;
        let postponed = self.meta.postpone_reviews(&doubtful).await;
        postponed.during("postpone what may be needed")?;
        Ok(Some(gone))
    }
}

impl Registry {
    /// What a collection would take now.
    async fn plan(
        &self,
        options: CollectOptions,
        gone: mpsc::Sender<Condemned>,
    ) -> Result<CollectReport, Internal> {
        let kinds = ORDER
            .into_iter()
            .filter(|kind| options.untagged || *kind != ReviewKind::Manifest);
        let kept = Arc::clone(&self.promises);
        let stays = move |review: &Review| kept.holds(review.repo.as_ref(), &review.digest);
        let plan = self.meta.plan_collection(kinds.collect(), stays).await;
        let plan = plan.during("plan a collection")?;
        let mut report = CollectReport {
            promised: plan.promised,
            doubtful: plan.doubtful,
            ..CollectReport::default()
        };
        report.add(&plan.gone);
        for one in plan.gone {
            let _ = gone.send(one).await;
        }
        Ok(report)
    }
}

impl CollectReport {
    fn add(&mut self, gone: &[Condemned]) {
        for one in gone {
            match one.kind {
                ReviewKind::Manifest => self.manifests += 1,
                ReviewKind::Blob => self.links += 1,
                ReviewKind::File => {}
            }
            if let Some(bytes) = one.freed {
                self.blobs += 1;
                self.bytes += bytes;
            }
        }
    }

    fn removed(&self) -> u64 {
        self.manifests + self.links + self.blobs
    }
}

/// One way through the list.
struct Pass {
    kind: ReviewKind,
    until: SystemTime,
    after: Option<Position>,
    /// A slow collector takes small pieces, so that it never removes more than a second's worth at once.
    size: usize,
}

impl Pass {
    fn new(kind: ReviewKind, until: SystemTime, per_second: u32) -> Self {
        Self {
            kind,
            until,
            after: None,
            size: usize::try_from(per_second).map_or(ROUND, |most| most.clamp(1, ROUND)),
        }
    }
}

fn named(review: &Review) -> Option<(&boxyard_oci::RepoName, &boxyard_oci::Digest)> {
    review.repo.as_ref().map(|repo| (repo, &review.digest))
}
