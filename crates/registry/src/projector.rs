//! Makes the tree follow the database.
//!
//! A queue row, written in the transaction of a change, names the owner of a path.
//! One worker makes that path what the database says now, syncs it, and only then removes the row.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use boxyard_blobs::{Batch, Folder, Link, Tree};
use boxyard_meta::{Owner, StoredManifest, TagTarget, Wanted, WantedState};
use boxyard_oci::{Digest, RepoName, Tag};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncMutexGuard, watch};

use crate::Registry;
use crate::changes::Changes;
use crate::courtesy::{Courtesy, Traffic};
use crate::error::{During, Internal, blocking};
use crate::gently::gently;

/// Paths brought up to date in one go, which share the cost of being synced.
///
/// Everything that waits, within bounds on memory and on how long clients of the writer wait for the end of a round.
const ROUND: usize = 8_192;
/// Fewer than so many are written with a lower priority than what serves clients.
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
        let can_wait = may_wait(&wanted);
        let write = move || write_round(&folder, wanted);
        let (done, failure) = if can_wait {
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

/// The numbers of the queueings that have ended.
type Done = Vec<i64>;

/// Writes all in one batch; where that fails, one by one, so that one bad path stops no other.
fn write_round(folder: &Folder, mut wanted: Vec<Wanted>) -> (Done, Option<std::io::Error>) {
    wanted.sort_by_key(|wanted| order(&wanted.state));
    if write_together(folder, &wanted).is_ok() {
        return (wanted.iter().map(|one| one.sequence).collect(), None);
    }
    let mut done = Vec::new();
    let mut failure = None;
    let mut lacking = HashSet::new();
    for one in wanted {
        // A link to what could not be written waits for it.
        if leads_to(&one.state).is_some_and(|target| lacking.contains(target)) {
            continue;
        }
        match write_together(folder, std::slice::from_ref(&one)) {
            Ok(()) => done.push(one.sequence),
            Err(error) => {
                failure = Some(error);
                lacking.extend(content_of(&one.owner));
            }
        }
    }
    (done, failure)
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

/// What is read by way of this link.
fn leads_to(state: &WantedState) -> Option<&Digest> {
    match state {
        WantedState::Layer(target) => target.as_ref(),
        WantedState::Tag(target) => target.as_ref().map(|target| &target.digest),
        WantedState::Blob(_) | WantedState::Revision(_) => None,
    }
}

/// The content whose file is written for this owner.
fn content_of(owner: &Owner) -> Option<Digest> {
    match owner {
        Owner::Blob(digest) | Owner::Revision(_, digest) => Some(*digest),
        Owner::Layer(..) | Owner::Tag(..) => None,
    }
}

/// Deletes go from the tag down, and what is new is built from the blob up, so that distribution never meets a link to nothing.
fn order(state: &WantedState) -> u8 {
    match state {
        WantedState::Tag(None) => 0,
        WantedState::Revision(None) => 1,
        WantedState::Layer(None) => 2,
        WantedState::Blob(_) => 3,
        WantedState::Layer(Some(_)) => 4,
        WantedState::Revision(Some(_)) => 5,
        WantedState::Tag(Some(_)) => 6,
    }
}

fn write_together(folder: &Folder, wanted: &[Wanted]) -> std::io::Result<()> {
    let mut batch = folder.batch();
    for one in wanted {
        write_one(&mut batch, &one.owner, &one.state);
    }
    batch.finish()
}

fn write_one(batch: &mut Batch, owner: &Owner, state: &WantedState) {
    match (owner, state) {
        (Owner::Blob(digest), WantedState::Blob(Some(bytes))) => {
            batch.write_blob(digest, bytes.clone());
        }
        (Owner::Layer(repo, digest), WantedState::Layer(Some(target))) => {
            batch.write_link(Tree::Distribution, &Link::Layer { repo, digest }, target);
        }
        (Owner::Layer(repo, digest), WantedState::Layer(None)) => {
            batch.remove_layer(Tree::Distribution, repo, digest);
        }
        (Owner::Revision(repo, digest), WantedState::Revision(Some(stored))) => {
            write_revision(batch, repo, digest, stored);
        }
        (Owner::Revision(repo, digest), WantedState::Revision(None)) => {
            batch.remove_revision(Tree::Distribution, repo, digest);
            batch.remove_revision(Tree::Own, repo, digest);
        }
        (Owner::Tag(repo, tag), WantedState::Tag(Some(target))) => {
            write_tag(batch, repo, tag, target);
        }
        (Owner::Tag(repo, tag), WantedState::Tag(None)) => {
            batch.remove_tag(Tree::Distribution, repo, tag);
            batch.remove_tag(Tree::Own, repo, tag);
        }
        // The bytes of a blob are a file already, or the owner and its state do not belong together.
        _ => {}
    }
}

fn write_revision(batch: &mut Batch, repo: &RepoName, digest: &Digest, stored: &StoredManifest) {
    batch.write_blob(digest, stored.payload.clone());
    let link = Link::Revision { repo, digest };
    if stored.schema1 || stored.expressible {
        if batch.is_in_own_tree(repo) {
            batch.remove_revision(Tree::Own, repo, digest);
        }
        batch.make_repository(Tree::Distribution, repo);
        batch.write_link(Tree::Distribution, &link, digest);
        return;
    }
    batch.remove_revision(Tree::Distribution, repo, digest);
    batch.write_media_type(repo, digest, stored.media_type.as_str());
    batch.write_link(Tree::Own, &link, digest);
}

fn write_tag(batch: &mut Batch, repo: &RepoName, tag: &Tag, target: &TagTarget) {
    let digest = &target.digest;
    let (tree, other) = if target.expressible {
        (Tree::Distribution, Tree::Own)
    } else {
        (Tree::Own, Tree::Distribution)
    };
    if other == Tree::Distribution || batch.is_in_own_tree(repo) {
        batch.remove_tag(other, repo, tag);
    }
    batch.write_link(tree, &Link::TagIndex { repo, tag, digest }, digest);
    batch.write_link(tree, &Link::TagCurrent { repo, tag }, digest);
}

#[cfg(test)]
mod tests;
