//! What is kept, and what waits to go.

use std::time::SystemTime;

use boxyard_meta::{Kept, ReviewKind, Waiting};
use boxyard_oci::{Digest, RepoName};

use crate::Registry;
use crate::error::{During, Internal};

/// What waits to be collected, with when it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condemnable {
    /// What it is.
    pub kind: ReviewKind,
    /// How many there are.
    pub count: u64,
    /// The bytes of those whose sizes are known.
    pub bytes: u64,
    /// When the first of them goes; none where they stay until somebody asks.
    pub first: Option<SystemTime>,
    /// When the last of them goes.
    pub last: Option<SystemTime>,
}

impl Registry {
    /// What of `repo` waits to be collected; without a name, files that nobody holds.
    pub async fn condemnable(&self, repo: Option<&RepoName>) -> Result<Vec<Condemnable>, Internal> {
        let waiting = self.meta.waiting_reviews(repo).await;
        let waiting = waiting.during("look at what may be collected")?;
        Ok(waiting.into_iter().map(|one| self.dated(one)).collect())
    }

    fn dated(&self, waiting: Waiting) -> Condemnable {
        let goes = |since: Option<SystemTime>| self.goes(waiting.kind, since?);
        Condemnable {
            kind: waiting.kind,
            count: waiting.count,
            bytes: waiting.bytes,
            first: goes(waiting.first),
            last: goes(waiting.last),
        }
    }

    /// When the server itself removes what nothing uses since then, if it does.
    pub(crate) fn goes(&self, kind: ReviewKind, since: SystemTime) -> Option<SystemTime> {
        let collecting = self.settings.collecting;
        let grace = collecting.grace_of(kind);
        let grace = grace.filter(|_| collecting.enabled && !self.settings.read_only);
        since.checked_add(grace?)
    }

    /// How many bytes all blobs have.
    pub async fn bytes_held(&self) -> Result<u64, Internal> {
        let held = self.meta.present_bytes().await;
        held.during("count the bytes of all blobs")
    }

    /// How many bytes `repo` holds that no other repository holds.
    pub async fn bytes_held_alone(&self, repo: &RepoName) -> Result<u64, Internal> {
        let alone = self.meta.bytes_held_alone(repo).await;
        alone.during("count the bytes that a repository holds alone")
    }

    /// A page of the manifests of `repo` with what they keep.
    pub async fn kept(
        &self,
        repo: &RepoName,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Vec<Kept>, Internal> {
        let kept = self.meta.kept(repo, after, limit).await;
        kept.during("list what a repository keeps")
    }

    /// A page of all repositories, also of those that hold only blobs.
    pub async fn every_repository(
        &self,
        after: Option<&RepoName>,
        limit: usize,
    ) -> Result<Vec<RepoName>, Internal> {
        let page = self.meta.every_repository(after, limit).await;
        page.during("list repositories")
    }
}
