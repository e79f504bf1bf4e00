//! Makes the tree follow the database.
//!
//! A queue row, written in the transaction of a change, names the owner of a path.
//! One worker makes that path what the database says now, syncs it, and only then removes the row.

mod writing;

use std::sync::Arc;
use std::time::Duration;

use boxyard_meta::{Wanted, WantedState};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncMutexGuard, watch};

use crate::Registry;
use crate::changes::Changes;
use crate::courtesy::{Courtesy, Traffic};
use crate::error::{During, Internal, blocking};
use crate::gently::gently;

use self::writing::{Pieces, Written};

/// Paths brought up to date in one go, which share the cost of being synced.
///
/// Everything that waits, within bounds on memory and on how long clients of the writer wait for the end of a round.
const ROUND: usize = 8_192;
/// Fewer than so many are written piece by piece, with a lower priority than what serves clients.
///
/// Where there are more, the tree has fallen behind, and whoever pushes must not keep it there.
const MUCH: usize = 1_024;
/// How long the worker waits after a failure before it tries again.
const PAUSE: Duration = Duration::from_secs(2);

/// How changes reach the worker, and how its backlog reaches them.
#[derive(Debug)]
pub(crate) struct Handle {
    changes: Changes,
    backlog: watch::Sender<u64>,
    /// What clients change.
    traffic: Traffic,
    /// One round at a time, so that no file is written from what was read before its blob was let go of.
    turn: AsyncMutex<()>,
}

impl Handle {
    pub(crate) fn new() -> Self {
        Self {
            changes: Changes::default(),
            backlog: watch::Sender::new(0),
            traffic: Traffic::default(),
            turn: AsyncMutex::default(),
        }
    }

    /// Waits for the round that goes on to end, and keeps the next one waiting.
    pub(crate) async fn turn(&self) -> AsyncMutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Tells the worker that there is something to do, which may wait a moment for more of its kind.
    pub(crate) fn wake(&self) {
        self.traffic.add();
        self.changes.add();
    }

    /// Tells the worker that there is something to do at once.
    pub(crate) fn hurry(&self) {
        self.changes.hurry();
    }

    /// For work that goes on beside what clients change.
    pub(crate) fn courtesy(&self) -> Courtesy<'_> {
        self.traffic.courtesy()
    }

    /// How many changes the tree has not followed yet, or a few more.
    pub(crate) fn behind(&self) -> u64 {
        *self.backlog.borrow() + self.changes.count()
    }

    /// Waits until fewer than `limit` paths are behind, so that the queue stays bounded.
    pub(crate) async fn room(&self, limit: u64) {
        if *self.backlog.borrow() < limit {
            return;
        }
        // The sender lives as long as the registry, so the wait cannot fail.
        let _ = self
            .backlog
            .subscribe()
            .wait_for(|backlog| *backlog < limit)
            .await;
    }
}

impl Registry {
    /// The worker: goes on until the registry stops and nothing is left to do.
    pub(crate) async fn project(self: Arc<Self>) {
        loop {
            let done = self.round().await;
            match done {
                Ok(0) if self.stopping.is_cancelled() => return,
                Ok(0) => tokio::select! {
                    () = self.projector.changes.gathered() => {}
                    () = self.stopping.cancelled() => {}
                },
                // There may be more than a round takes.
                Ok(_) => tokio::select! {
                    () = self.projector.changes.paused() => {}
                    () = self.stopping.cancelled() => {}
                },
                Err(error) => {
                    log_failure(&error);
                    if self.stopping.is_cancelled() {
                        return;
                    }
                    let _ = tokio::time::timeout(PAUSE, self.stopping.cancelled()).await;
                }
            }
        }
    }

    /// Makes the tree show everything that was changed before; answers how many paths it touched.
    ///
    /// What is changed meanwhile counts only as far as it happens to share a round: on a busy registry it has no end.
    pub async fn catch_up(self: &Arc<Self>) -> Result<u64, Internal> {
        let last = self.meta.last_queued().await;
        let last = last.during("read the queue of the tree")?;
        let mut settled = 0;
        loop {
            let waits = self.meta.waits_until(last).await;
            let waits = waits.during("read the queue of the tree")?;
            // The files of what was deleted go in the round after their links.
            let done = self.round().await?;
            settled += done as u64;
            if !waits || done == 0 {
                return Ok(settled);
            }
        }
    }

    /// Makes the tree show everything, once nobody changes anything any more; answers how many paths it touched.
    pub async fn settle(&self) -> Result<u64, Internal> {
        let mut settled = 0;
        loop {
            match self.whole_round().await? {
                0 => return Ok(settled),
                done => settled += done as u64,
            }
        }
    }

    /// First what the tree lacks or has too much, then the files that nobody needs any more.
    ///
    /// The second must not wait for the success of the first: where the disk is full, it makes the room that the first needs.
    /// It goes on when whoever asked has left: until the end, nobody else may write or push what it removes.
    pub(crate) async fn round(self: &Arc<Self>) -> Result<usize, Internal> {
        let registry = Arc::clone(self);
        self.change(async move { registry.whole_round().await })
            .await
    }

    async fn whole_round(&self) -> Result<usize, Internal> {
        let _alone = self.projector.turn().await;
        self.projector.changes.taken();
        let wanted = self
            .meta
            .projections(ROUND)
            .await
            .during("read the queue of the tree")?;
        let tried = wanted.last().map_or(i64::MAX, |last| last.sequence);
        let followed = self.follow(wanted).await;
        let released = self.release_round(tried).await;
        Ok(followed? + released?)
    }

    async fn follow(&self, wanted: Vec<Wanted>) -> Result<usize, Internal> {
        let backlog = if wanted.len() < ROUND {
            wanted.len() as u64
        } else {
            self.meta
                .projection_backlog()
                .await
                .during("count the queue of the tree")?
        };
        self.projector.backlog.send_replace(backlog);
        let round = self.waiting.round(&wanted);
        if wanted.is_empty() {
            return Ok(0);
        }
        let folder = self.folder.clone();
        let (can_wait, pieces) = (may_wait(&wanted), pieces(&wanted));
        let write = move || Written::of(&folder, wanted, pieces);
        let Written { done, failure, .. } = if can_wait {
            gently(write).await
        } else {
            blocking(write).await
        };
        let finished = done.len();
        self.meta
            .end_projections(&done)
            .await
            .during("end what the tree has followed")?;
        self.waiting.done(&round, &done);
        if self.waiting.is_full() {
            self.count_waiting().await?;
        }
        match failure {
            Some(error) if finished == 0 => Err(error).during("make the tree follow the database"),
            Some(error) => {
                tracing::error!(error = %error, "a path of the tree could not be written; it stays queued");
                Ok(finished)
            }
            None => Ok(finished),
        }
    }
}

impl Registry {
    /// Asks the database how much content waits for files.
    pub(crate) async fn count_waiting(&self) -> Result<(), Internal> {
        let bytes = self.meta.waiting_bytes().await;
        let bytes = bytes.during("count what waits for files")?;
        self.waiting.correct(bytes);
        Ok(())
    }
}

fn log_failure(error: &Internal) {
    let source = std::error::Error::source(error).map(ToString::to_string);
    tracing::error!(error = %error, source, "the tree cannot follow the database now; trying again");
}

/// How a round is synced: what only removes has little to sync, however much it is.
fn pieces(wanted: &[Wanted]) -> Pieces {
    if wanted.len() < MUCH {
        Pieces::Small
    } else {
        Pieces::One
    }
}

/// Whether whoever serves clients goes before these.
fn may_wait(wanted: &[Wanted]) -> bool {
    wanted.len() < MUCH || wanted.iter().all(|one| removes(&one.state))
}

/// Whether nothing is to be there any more.
fn removes(state: &WantedState) -> bool {
    match state {
        WantedState::Blob(bytes) => bytes.is_none(),
        WantedState::Layer(target) => target.is_none(),
        WantedState::Revision(stored) => stored.is_none(),
        WantedState::Tag(target) => target.is_none(),
    }
}

#[cfg(test)]
mod tests;
