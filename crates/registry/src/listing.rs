//! Pages of tags and of repositories.

use std::collections::BTreeSet;

use boxyard_auth::{List, Permit, Pull};
use boxyard_blobs::Tree;
use boxyard_oci::{RepoName, Tag};

use crate::Registry;
use crate::error::{During, Internal, on_disk};
use crate::pull::PullError;

/// One page of a listing, in the bytewise order of its items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<T> {
    /// The items of the page.
    pub items: Vec<T>,
    /// Whether another page follows.
    pub more: bool,
}

impl<T> Listing<T> {
    /// Cuts `items`, which were asked for with one more than `limit`, to the page.
    fn cut(mut items: Vec<T>, limit: usize) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        Self { items, more }
    }
}

impl Registry {
    /// The tags of the repository after `after`, end-8a and end-8b.
    pub async fn tags(
        &self,
        permit: &Permit<Pull>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Listing<Tag>, PullError> {
        let repo = permit.repo();
        if !self.is_listed(repo).await? {
            return Err(PullError::NameUnknown);
        }
        let asked = limit.saturating_add(1);
        let items = if self.known.covers(repo) {
            let page = self.meta.tags(repo, after, asked).await;
            page.during("list tags")?
        } else {
            let mut tags = self.tags_with_tree(repo).await?;
            tags.retain(|tag| after.is_none_or(|after| tag.as_str() > after));
            tags
        };
        Ok(Listing::cut(items, limit))
    }

    /// The repositories after `after` that have a manifest or a tag.
    pub async fn catalog(
        &self,
        _permit: &List,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Listing<RepoName>, PullError> {
        let asked = limit.saturating_add(1);
        if self.known.covers_all() {
            let page = self.meta.repositories(after, asked).await;
            return Ok(Listing::cut(page.during("list repositories")?, limit));
        }
        let mut items = Vec::new();
        let mut last = after.map(ToOwned::to_owned);
        while items.len() < asked {
            let page = self.candidates(last.as_deref(), asked).await?;
            let Some(end) = page.last() else { break };
            last = Some(end.to_string());
            for repo in page {
                if self.is_listed(&repo).await? {
                    items.push(repo);
                }
            }
        }
        Ok(Listing::cut(items, limit))
    }

    /// Names from the tree and from the database, each of which may turn out to be gone from the other.
    async fn candidates(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<RepoName>, Internal> {
        let rows = self.meta.repositories(after, limit).await;
        let mut names: BTreeSet<RepoName> = rows.during("list repositories")?.into_iter().collect();
        for tree in [Tree::Distribution, Tree::Own] {
            let (folder, after) = (self.folder.clone(), after.map(ToOwned::to_owned));
            let page = on_disk(move || folder.repositories(tree, after.as_deref(), limit))
                .await
                .during("list the repositories of the tree")?;
            names.extend(page);
        }
        Ok(names.into_iter().take(limit).collect())
    }

    /// Whether the repository has a manifest or a tag.
    pub(crate) async fn is_listed(&self, repo: &RepoName) -> Result<bool, Internal> {
        let in_database = self.meta.is_listed(repo).await;
        let in_database = in_database.during("look up a repository")?;
        if self.known.covers(repo) {
            return Ok(in_database);
        }
        if in_database
            && self
                .meta
                .has_pending(repo)
                .await
                .during("look up a repository")?
        {
            return Ok(true);
        }
        let (folder, repo) = (self.folder.clone(), repo.clone());
        on_disk(move || {
            Ok(folder.has_repository(Tree::Distribution, &repo)?
                || folder.has_repository(Tree::Own, &repo)?)
        })
        .await
        .during("look for a repository")
    }

    /// All tags of a repository that the database is not known to be right about.
    ///
    /// The tree decides, except about what the database has not projected yet.
    async fn tags_with_tree(&self, repo: &RepoName) -> Result<Vec<Tag>, Internal> {
        let (folder, repo_name) = (self.folder.clone(), repo.clone());
        let in_tree: BTreeSet<Tag> = on_disk(move || {
            let mut tags = folder.tags(Tree::Distribution, &repo_name)?;
            tags.extend(folder.tags(Tree::Own, &repo_name)?);
            Ok(tags)
        })
        .await
        .during("list the tags of the tree")?
        .into_iter()
        .collect();
        let mut tags = in_tree;
        for (tag, present) in self.meta.pending_tags(repo).await.during("list tags")? {
            if present {
                tags.insert(tag);
            } else {
                tags.remove(&tag);
            }
        }
        Ok(tags.into_iter().collect())
    }
}
