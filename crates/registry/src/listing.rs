//! Pages of tags and of repositories.

use std::collections::{BTreeSet, HashMap};

use boxyard_auth::{List, Permit, Pull};
use boxyard_blobs::Tree;
use boxyard_meta::Names;
use boxyard_oci::{RepoName, Tag};

use crate::Registry;
use crate::error::{During, Internal, on_disk};
use crate::pull::PullError;
use crate::reading::TagsInTree;

/// How many manifests of a repository without tags are read to see whether it has any.
const TRIED: usize = 16;

/// One page of a listing, in the bytewise order of its items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<T> {
    /// The items of the page.
    pub items: Vec<T>,
    /// Whether another page follows.
    pub more: bool,
}

impl<T: AsRef<str>> From<Listing<T>> for NameListing {
    fn from(listing: Listing<T>) -> Self {
        Self {
            shown: listing.items.len(),
            names: Names::of(&listing.items),
            more: listing.more,
        }
    }
}

impl<T> Listing<T> {
    /// Cuts `items`, which were asked for with one more than `limit`, to the page.
    fn cut(mut items: Vec<T>, limit: usize) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        Self { items, more }
    }
}

/// One page of a listing as it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameListing {
    names: Names,
    /// How many of the names are on the page.
    shown: usize,
    /// Whether another page follows.
    pub more: bool,
}

impl NameListing {
    /// Cuts `names`, which were asked for with one more than `limit`, to the page.
    pub fn cut(names: Names, limit: usize) -> Self {
        Self {
            shown: names.len().min(limit),
            more: names.len() > limit,
            names,
        }
    }

    /// The names of the page.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().take(self.shown)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.shown
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.shown == 0
    }
}

impl Registry {
    /// The tags of the repository after `after` as they are sent, end-8a and end-8b.
    pub async fn tag_names(
        &self,
        permit: &Permit<Pull>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<NameListing, PullError> {
        let repo = permit.repo();
        if !self.known.covers(repo) {
            return Ok(self.tags(permit, after, limit).await?.into());
        }
        let names = self.meta.tag_names(repo, after, limit.saturating_add(1));
        let names = names.await.during("list tags")?;
        if names.is_empty() && !self.is_listed(repo).await? {
            return Err(PullError::NameUnknown);
        }
        Ok(NameListing::cut(names, limit))
    }

    /// The repositories after `after` as they are sent; see [`Registry::catalog`].
    pub async fn repository_names(
        &self,
        permit: &List,
        after: Option<&str>,
        limit: usize,
    ) -> Result<NameListing, PullError> {
        if !permit.shows_all() || !self.known.covers_all() {
            return Ok(self.catalog(permit, after, limit).await?.into());
        }
        let names = self.meta.repository_names(after, limit.saturating_add(1));
        Ok(NameListing::cut(
            names.await.during("list repositories")?,
            limit,
        ))
    }

    /// The tags of the repository after `after`, end-8a and end-8b.
    pub async fn tags(
        &self,
        permit: &Permit<Pull>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Listing<Tag>, PullError> {
        let repo = permit.repo();
        let asked = limit.saturating_add(1);
        let items = if self.known.covers(repo) {
            let page = self.meta.tags(repo, after, asked).await;
            page.during("list tags")?
        } else {
            let page = self.tags_with_tree(repo, after, asked).await?;
            if page.len() > limit {
                // Each page costs all names of the folder, so the next ones had better come from the database.
                self.turns.ask(repo);
            }
            page
        };
        if items.is_empty() && !self.is_listed(repo).await? {
            return Err(PullError::NameUnknown);
        }
        Ok(Listing::cut(items, limit))
    }

    /// The repositories after `after` that have a manifest or a tag, and that the caller may know of.
    ///
    /// What the caller may not know of is skipped where that is a whole stretch of names, and otherwise read and left out.
    pub async fn catalog(
        &self,
        permit: &List,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Listing<RepoName>, PullError> {
        let asked = limit.saturating_add(1);
        let mut items = Vec::new();
        let mut last = after.unwrap_or_default().to_owned();
        while items.len() < asked {
            let Some(from) = permit.resume(&last) else {
                break;
            };
            let from = Some(from.as_str()).filter(|from| !from.is_empty());
            let (page, more) = self.listed(permit, from, asked).await?;
            items.extend(page);
            match more {
                Some(end) => last = end,
                None => break,
            }
        }
        Ok(Listing::cut(items, limit))
    }

    /// What is listed of at most `limit` names after `after`, and the last of these names unless they are all there are.
    async fn listed(
        &self,
        permit: &List,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<RepoName>, Option<String>), Internal> {
        let is_known = self.known.covers_all();
        let mut page = if is_known {
            let page = self.meta.repositories(after, limit).await;
            page.during("list repositories")?
        } else {
            self.candidates(after, limit).await?
        };
        let is_full = !is_known || page.len() >= limit;
        let end = page.last().filter(|_| is_full).map(ToString::to_string);
        page.retain(|repo| permit.shows(repo));
        if is_known {
            return Ok((page, end));
        }
        let mut items = Vec::new();
        for repo in page {
            if self.is_listed(&repo).await? {
                items.push(repo);
            }
        }
        Ok((items, end))
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
        if !self.known.covers(repo) {
            let tags = self.tags_with_tree(repo, None, 1).await?;
            if !tags.is_empty() || self.has_manifest_with_tree(repo).await? {
                return Ok(true);
            }
            // Nothing that can be read was met, so all there is decides; mostly there is nothing.
            self.index_now(repo).await?;
        }
        let listed = self.meta.is_listed(repo).await;
        listed.during("look up a repository")
    }

    /// At most `limit` tags after `after` of a repository that the database is not known to be right about.
    ///
    /// The tree decides, except about what the database has not projected yet.
    async fn tags_with_tree(
        &self,
        repo: &RepoName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Tag>, Internal> {
        let pending = self.meta.pending_tags(repo).await.during("list tags")?;
        let pending: HashMap<Tag, bool> = pending.into_iter().collect();
        let (folder, repo) = (self.folder.clone(), repo.clone());
        let after = after.map(ToOwned::to_owned);
        on_disk(move || {
            let mut names: BTreeSet<Tag> = pending.keys().cloned().collect();
            names.extend(folder.tags(Tree::Distribution, &repo)?);
            names.extend(folder.tags(Tree::Own, &repo)?);
            let (tree, mut tags) = (TagsInTree::open(&folder, &repo)?, Vec::new());
            for tag in names {
                if tags.len() == limit {
                    break;
                }
                if after.as_deref().is_some_and(|after| tag.as_str() <= after) {
                    continue;
                }
                let is_there = match pending.get(&tag) {
                    Some(is_there) => *is_there,
                    None => tree.read(&tag)?.target.is_some(),
                };
                if is_there {
                    tags.push(tag);
                }
            }
            Ok(tags)
        })
        .await
        .during("list the tags of the tree")
    }

    /// Whether one of the first manifests of a repository can be read; a no means little.
    async fn has_manifest_with_tree(&self, repo: &RepoName) -> Result<bool, Internal> {
        let (folder, repo_name) = (self.folder.clone(), repo.clone());
        let names = on_disk(move || {
            let mut names = folder.revisions(Tree::Distribution, &repo_name)?;
            names.extend(folder.revisions(Tree::Own, &repo_name)?);
            Ok(names)
        })
        .await
        .during("list the manifests of the tree")?;
        for digest in names.iter().take(TRIED) {
            self.refresh_manifest(repo, digest).await?;
            let found = self.meta.has_manifest(repo, digest).await;
            if found.during("look up a manifest")? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
