//! Removing whole repositories, as an administrator does.

use std::sync::Arc;

use boxyard_auth::{Delete, Permit};
use boxyard_blobs::Tree;
use boxyard_meta::{DeleteBlob, RepositorySummary, TagSummary};
use boxyard_oci::RepoName;
use futures_util::future::try_join_all;

use crate::Registry;
use crate::delete::telling;
use crate::error::{During, Internal, on_disk};
use crate::events::{Happening, Teller};

/// Rows removed in one go, which share the cost of their commits.
const PAGE: usize = 500;

/// How many rounds of the projector are waited for, before the folders are looked at.
const ROUNDS: usize = 10_000;

/// What was removed with a repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Tags.
    pub tags: u64,
    /// Manifests.
    pub manifests: u64,
    /// Blobs that the repository held; the bytes of those that nobody else needs go.
    pub blobs: u64,
}

impl Registry {
    /// Removes everything that the repository has; repositories below it stay as they are.
    ///
    /// What is pushed meanwhile may stay. Cut short, it may be repeated.
    pub async fn remove_repository(
        self: &Arc<Self>,
        permit: &Permit<Delete>,
        teller: &Arc<dyn Teller>,
    ) -> Result<Removed, Internal> {
        let repo = permit.repo();
        self.index_now(repo).await?;
        let mut removed = Removed::default();
        loop {
            let page = self.meta.all_tags(repo, None, PAGE).await;
            let page = page.during("list tags")?;
            if page.is_empty() {
                break;
            }
            let waiting = page.iter().map(|(tag, _)| {
                let events = teller.tell(repo, Happening::TagDeleted(tag));
                self.meta.delete_tag(repo, tag, events)
            });
            let deleted = try_join_all(waiting).await.during("delete tags")?;
            removed.tags += count(&deleted);
            self.projector.hurry();
        }
        loop {
            let page = self.meta.all_revisions(repo, None, PAGE).await;
            let page = page.during("list manifests")?;
            if page.is_empty() {
                break;
            }
            let waiting = page.iter().map(|digest| {
                let tell = telling(teller, repo, *digest);
                self.meta.delete_manifest(repo, digest, tell)
            });
            let deleted = try_join_all(waiting).await.during("delete manifests")?;
            removed.manifests += deleted.iter().flatten().count() as u64;
            self.projector.hurry();
        }
        removed.blobs = self.remove_blobs(repo, teller).await?;
        self.projector.hurry();
        self.told.wake();
        for _ in 0..ROUNDS {
            // Others may push all the time.
            if self.round().await? == 0 {
                break;
            }
        }
        self.remove_folders(repo).await?;
        Ok(removed)
    }

    /// One that a manifest names stays: it was pushed meanwhile.
    async fn remove_blobs(
        &self,
        repo: &RepoName,
        teller: &Arc<dyn Teller>,
    ) -> Result<u64, Internal> {
        let mut removed = 0;
        for page in self.rows_of_layers(repo).await?.chunks(PAGE) {
            let waiting = page.iter().map(|digest| {
                let events = teller.tell(repo, Happening::BlobDeleted(digest));
                self.meta.delete_blob(repo, digest, events)
            });
            let deleted = try_join_all(waiting).await.during("delete blobs")?;
            let gone = deleted.iter().filter(|one| **one == DeleteBlob::Deleted);
            removed += gone.count() as u64;
        }
        Ok(removed)
    }

    async fn remove_folders(&self, repo: &RepoName) -> Result<(), Internal> {
        let (folder, repo) = (self.folder.clone(), repo.clone());
        let removed = on_disk(move || {
            let mut batch = folder.batch();
            for tree in [Tree::Distribution, Tree::Own] {
                batch.remove_repository_if_empty(tree, &repo);
            }
            batch.finish()
        });
        removed.await.during("remove a repository's folders")
    }

    /// What a person wants to know of a repository; none if there is no such one.
    pub async fn repository_summary(
        &self,
        repo: &RepoName,
    ) -> Result<Option<RepositorySummary>, Internal> {
        self.index_now(repo).await?;
        let summary = self.meta.repository_summary(repo).await;
        summary.during("look up a repository")
    }

    /// A page of tags with what a person wants to know of them.
    pub async fn tag_summaries(
        &self,
        repo: &RepoName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<TagSummary>, Internal> {
        self.index_now(repo).await?;
        let page = self.meta.tag_summaries(repo, after, limit).await;
        page.during("list tags")
    }
}

fn count(deleted: &[bool]) -> u64 {
    deleted.iter().filter(|deleted| **deleted).count() as u64
}
