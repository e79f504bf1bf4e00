//! What happens, and who is told of it.
//!
//! Whoever calls a change of the registry brings a [`Teller`], which renders what receivers will read; the events commit together with the change.

use std::fmt::Debug;
use std::sync::Arc;

use boxyard_meta::{Backlog, Event, PendingEvent, Receiver};
use boxyard_oci::{Digest, Manifest, RepoName, Tag};
use tokio::sync::watch;

use crate::error::{During, Internal};
use crate::{Registry, StoredManifest};

/// Something that happens in a repository.
#[derive(Clone, Copy, Debug)]
pub enum Happening<'a> {
    /// A manifest is pushed, with a tag that will name it.
    ManifestPushed(&'a Manifest, Option<&'a Tag>),
    /// A blob is pushed, of so many bytes.
    BlobPushed(&'a Digest, u64),
    /// A blob of so many bytes is mounted from another repository.
    BlobMounted(&'a Digest, u64, &'a RepoName),
    /// A manifest is pulled, by a tag if there is one.
    ManifestPulled(&'a StoredManifest, Option<&'a Tag>),
    /// A blob is pulled, of so many bytes.
    BlobPulled(&'a Digest, u64),
    /// A manifest is deleted.
    ManifestDeleted(&'a Digest),
    /// A blob is deleted.
    BlobDeleted(&'a Digest),
    /// A tag is deleted, by itself or with its manifest.
    TagDeleted(&'a Tag),
}

/// Renders events, knowing who does what it tells.
pub trait Teller: Send + Sync + Debug {
    /// The events by which receivers learn that this happens in `repo`.
    fn tell(&self, repo: &RepoName, happening: Happening<'_>) -> Vec<Event>;
}

/// Tells nobody anything.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Silent {
    /// The same as callers want it.
    pub fn teller() -> Arc<dyn Teller> {
        Arc::new(Self)
    }
}

impl Teller for Silent {
    fn tell(&self, _repo: &RepoName, _happening: Happening<'_>) -> Vec<Event> {
        Vec::new()
    }
}

/// Says that events may have come.
#[derive(Debug)]
pub(crate) struct Told(watch::Sender<()>);

impl Default for Told {
    fn default() -> Self {
        Self(watch::Sender::new(()))
    }
}

impl Told {
    pub(crate) fn wake(&self) {
        self.0.send_replace(());
    }
}

impl Registry {
    /// From now on events are kept for `receivers`, and for nobody else; answers who is none any more, and how many events went with it.
    pub async fn keep_receivers(
        &self,
        receivers: Vec<Receiver>,
    ) -> Result<Vec<(String, u64)>, Internal> {
        let gone = self.meta.keep_receivers(receivers).await;
        gone.during("keep the receivers of events")
    }

    /// Changes whenever events may have come.
    pub fn watch_events(&self) -> watch::Receiver<()> {
        self.told.0.subscribe()
    }

    /// Records events that belong to no change, such as those of pulls.
    pub async fn record_events(&self, events: Vec<Event>) -> Result<(), Internal> {
        let recorded = self.meta.record_events(events).await;
        self.told.wake();
        recorded.during("record events")
    }

    /// The oldest events that wait for `receiver`.
    pub async fn pending_events(
        &self,
        receiver: &str,
        limit: usize,
    ) -> Result<Vec<PendingEvent>, Internal> {
        let pending = self.meta.pending_events(receiver, limit).await;
        pending.during("read the events that wait")
    }

    /// Forgets events that `receiver` has been told.
    pub async fn end_events(&self, receiver: &str, sequences: &[i64]) -> Result<(), Internal> {
        let ended = self.meta.end_events(receiver, sequences).await;
        ended.during("end events that were told")
    }

    /// How much waits for `receiver`.
    pub async fn event_backlog(&self, receiver: &str) -> Result<Backlog, Internal> {
        let backlog = self.meta.backlog(receiver).await;
        backlog.during("count the events that wait")
    }

    /// How many events of `receiver` went unsent since this was last asked, because too many waited.
    pub async fn take_dropped_events(&self, receiver: &str) -> Result<u64, Internal> {
        let dropped = self.meta.take_dropped(receiver).await;
        dropped.during("count the events that were dropped")
    }
}
