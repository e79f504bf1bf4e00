//! Removing uploads that were begun and never finished.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use boxyard_blobs::{Tree, UploadId};
use boxyard_oci::RepoName;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::Registry;
use crate::error::{During, Internal, on_disk};
use crate::sessions::Slot;

/// Repositories looked at in one go.
const PAGE: usize = 100;
/// An upload that got bytes within this time is not abandoned, however old it is.
const QUIET: Duration = Duration::from_hours(1);

/// When abandoned uploads are looked for, and which go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purging {
    /// How old an upload must be.
    pub age: Duration,
    /// How long to wait between two looks.
    pub interval: Duration,
    /// How long to wait before the first, so that registries of one storage do not look all at once.
    pub first: Duration,
    /// Whether they are only told.
    pub dry_run: bool,
}

/// What a look at the uploads came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Uploads that went, or would have.
    pub removed: u64,
    /// Uploads of the age that could not be removed.
    pub failed: u64,
}

impl Registry {
    /// The worker.
    pub(crate) async fn purge(self: Arc<Self>) {
        let Some(purging) = self.settings.purging.filter(|_| !self.settings.read_only) else {
            return;
        };
        let first = Instant::now() + purging.first;
        let mut ticks = interval_at(first, purging.interval.max(Duration::from_secs(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.stopping.cancelled() => return,
            }
            match self.purge_uploads(&purging, SystemTime::now()).await {
                Ok(Purged {
                    removed: 0,
                    failed: 0,
                }) => {}
                Ok(Purged { removed, failed }) => {
                    tracing::info!(
                        removed,
                        failed,
                        dry_run = purging.dry_run,
                        "looked for abandoned uploads"
                    );
                }
                Err(error) => {
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(%error, source, "abandoned uploads could not be looked for");
                }
            }
        }
    }

    /// Removes the uploads that were begun longer ago than the age, before `now`, and are not in use.
    pub async fn purge_uploads(
        self: &Arc<Self>,
        purging: &Purging,
        now: SystemTime,
    ) -> Result<Purged, Internal> {
        let mut purged = Purged::default();
        let mut after: Option<String> = None;
        loop {
            let (folder, last) = (self.folder.clone(), after.take());
            let page = on_disk(move || {
                folder.repository_folders(Tree::Distribution, last.as_deref(), PAGE)
            });
            let page = page.await.during("list the repositories of the tree")?;
            let Some(end) = page.last() else {
                return Ok(purged);
            };
            after = Some(end.to_string());
            for repo in page {
                if self.stopping.is_cancelled() {
                    return Ok(purged);
                }
                self.purge_repository(&repo, purging, now, &mut purged)
                    .await?;
            }
        }
    }

    async fn purge_repository(
        self: &Arc<Self>,
        repo: &RepoName,
        purging: &Purging,
        now: SystemTime,
        purged: &mut Purged,
    ) -> Result<(), Internal> {
        for id in self.abandoned(repo, *purging, now).await? {
            tracing::info!(repo.name = %repo, upload.id = %id, dry_run = purging.dry_run, "abandoned upload");
            let removed = purging.dry_run || self.drop_abandoned(repo, &id).await;
            purged.removed += u64::from(removed);
            purged.failed += u64::from(!removed);
        }
        Ok(())
    }

    /// The uploads of a repository that are old, and quiet.
    async fn abandoned(
        &self,
        repo: &RepoName,
        purging: Purging,
        now: SystemTime,
    ) -> Result<Vec<UploadId>, Internal> {
        let (folder, repo) = (self.folder.clone(), repo.clone());
        let is_past = move |time: Option<SystemTime>, age: Duration| {
            time.and_then(|time| now.duration_since(time).ok())
                .is_some_and(|since| since > age)
        };
        on_disk(move || {
            let mut old = Vec::new();
            for id in folder.uploads(&repo)? {
                let quiet = || folder.upload_written(&repo, &id);
                if is_past(folder.upload_started(&repo, &id)?, purging.age)
                    && is_past(quiet()?, purging.age.min(QUIET))
                {
                    old.push(id);
                }
            }
            Ok(old)
        })
        .await
        .during("list the uploads of a repository")
    }

    /// Drops an upload unless a request has it right now.
    async fn drop_abandoned(self: &Arc<Self>, repo: &RepoName, id: &UploadId) -> bool {
        let Some(session) = self.sessions.get(repo, id) else {
            return false;
        };
        let (registry, repo, id) = (Arc::clone(self), repo.clone(), id.clone());
        self.change(async move {
            let Some(mut slot) = session.if_idle() else {
                return false;
            };
            if !matches!(*slot, Slot::Finished(..)) {
                *slot = Slot::Gone;
            }
            let dropped = registry.discard(&repo, &id).await;
            if let Err(error) = &dropped {
                tracing::warn!(repo.name = %repo, upload.id = %id, %error, "abandoned upload could not be removed");
            }
            drop(slot);
            registry.sessions.forget(&id);
            dropped.is_ok()
        })
        .await
    }
}
