//! Reads whole repositories of the tree into the database, while it serves.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use boxyard_blobs::{Tree, Which};
use boxyard_oci::{Digest, RepoName, Tag};
use tokio::sync::Mutex as AsyncMutex;

use crate::Registry;
use crate::compare::ComparedTag;
use crate::error::{During, Internal, on_disk};

/// Objects compared in one go, between which requests get their turn.
const CHUNK: usize = 1_000;
/// Manifests read in one go; each may have megabytes.
const MANIFESTS: usize = 64;
/// Repositories listed in one go.
const PAGE: usize = 1_000;
/// How many repositories may wait to be read before the others.
const ASKED: usize = 100;

/// What has been compared so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexProgress {
    /// Repositories that are done.
    pub repositories: u64,
    /// Tags that are done.
    pub tags: u64,
    /// Manifests that are done.
    pub manifests: u64,
    /// Layer links that are done.
    pub layers: u64,
    /// Repositories that could not be read, and are read object by object instead.
    pub failed: u64,
}

/// One lock for each repository that is being read, so that it is read once, and who is read next.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    running: Mutex<HashMap<RepoName, Arc<AsyncMutex<()>>>>,
    asked: Mutex<VecDeque<RepoName>>,
}

impl Turns {
    /// Asks the worker to read a repository before the others, because a client goes through it.
    pub(crate) fn ask(&self, repo: &RepoName) {
        let mut asked = self.lock_asked();
        if asked.len() < ASKED && !asked.contains(repo) {
            asked.push_back(repo.clone());
        }
    }

    fn next_asked(&self) -> Option<RepoName> {
        self.lock_asked().pop_front()
    }

    fn lock_asked(&self) -> std::sync::MutexGuard<'_, VecDeque<RepoName>> {
        self.asked
            .lock()
            .expect("no code panics while it holds the asked repositories")
    }

    fn of(&self, repo: &RepoName) -> Arc<AsyncMutex<()>> {
        Arc::clone(self.lock().entry(repo.clone()).or_default())
    }

    fn end(&self, repo: &RepoName) {
        self.lock().remove(repo);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RepoName, Arc<AsyncMutex<()>>>> {
        self.running
            .lock()
            .expect("no code panics while it holds the running readings")
    }
}

impl Registry {
    /// The worker: reads every repository once after the start.
    pub(crate) async fn index(self: Arc<Self>) {
        let reading = self.adopt(|_| {});
        let result = tokio::select! {
            result = reading => result,
            () = self.stopping.cancelled() => return,
        };
        match result {
            Ok(progress) if progress.failed == 0 => {
                tracing::info!(
                    repositories = progress.repositories,
                    tags = progress.tags,
                    "the database and the folder agree"
                );
            }
            Ok(progress) => tracing::error!(
                failed = progress.failed,
                "some repositories could not be read; they are served object by object"
            ),
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(error = %error, source, "the folder could not be read");
            }
        }
    }

    /// Reads every repository of the tree that the database is not known to be right about.
    ///
    /// `tell` hears of each repository that is done; there is none when all are known.
    pub async fn adopt(
        &self,
        tell: impl Fn(IndexProgress) + Send + Sync,
    ) -> Result<IndexProgress, Internal> {
        let mut progress = IndexProgress::default();
        // Every collection asks for this, and must not cost what there is.
        if self.known.covers_all() {
            return Ok(progress);
        }
        for source in [
            Names::Tree(Tree::Distribution),
            Names::Tree(Tree::Own),
            Names::Database,
        ] {
            let mut after: Option<RepoName> = None;
            loop {
                let page = self.names(source, after.take()).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.clone());
                for repo in page {
                    while let Some(asked) = self.turns.next_asked() {
                        self.adopt_one(&asked, &mut progress).await;
                        tell(progress);
                    }
                    self.adopt_one(&repo, &mut progress).await;
                    tell(progress);
                }
            }
        }
        if progress.failed == 0 {
            self.review_files().await;
            self.begin_adopted_reviews().await?;
            let marked = self.meta.mark_all_complete().await;
            marked.during("record the folder as read")?;
            self.known.add_all();
            // What was deleted meanwhile could not go before.
            self.projector.wake();
        }
        Ok(progress)
    }

    /// How many repositories the tree has: what [`Registry::adopt`] goes through.
    pub async fn repositories_in_tree(&self) -> Result<u64, Internal> {
        let mut count = 0;
        for tree in [Tree::Distribution, Tree::Own] {
            let folder = self.folder.clone();
            let found = on_disk(move || {
                let walk = folder.walk_repositories(tree, Which::Any, None)?;
                Ok(walk.count() as u64)
            });
            count += found.await.during("count the repositories of the tree")?;
        }
        Ok(count)
    }

    async fn adopt_one(&self, repo: &RepoName, progress: &mut IndexProgress) {
        if self.known.covers(repo) {
            return;
        }
        match self.index_counting(repo, progress).await {
            Ok(()) => progress.repositories += 1,
            Err(error) => {
                progress.failed += 1;
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(repo.name = %repo, error = %error, source, "repository could not be read");
            }
        }
    }

    /// Reads one repository now, because an answer depends on all of it.
    pub(crate) async fn index_now(&self, repo: &RepoName) -> Result<(), Internal> {
        self.index_counting(repo, &mut IndexProgress::default())
            .await
    }

    async fn index_counting(
        &self,
        repo: &RepoName,
        progress: &mut IndexProgress,
    ) -> Result<(), Internal> {
        if self.known.covers(repo) {
            return Ok(());
        }
        let turn = self.turns.of(repo);
        let _turn = turn.lock().await;
        if self.known.covers(repo) {
            return Ok(());
        }
        let indexed = self.index_whole(repo, progress).await;
        self.turns.end(repo);
        indexed
    }

    async fn index_whole(
        &self,
        repo: &RepoName,
        progress: &mut IndexProgress,
    ) -> Result<(), Internal> {
        let (layers, loose) = self.index_layers(repo).await?;
        let manifests = self.index_manifests(repo).await?;
        self.report_missing(repo, &loose).await?;
        // Two chunks are under way in it, which is much to carry for whoever waits.
        let tags = Box::pin(self.index_tags(repo)).await?;
        progress.layers += layers;
        progress.manifests += manifests;
        progress.tags += tags;
        // A stranger who asks for names at random leaves nothing behind.
        if layers + manifests + tags == 0 {
            return Ok(());
        }
        self.review_adopted(repo).await?;
        self.meta
            .mark_complete(repo, self.generation)
            .await
            .during("record a repository as read")?;
        self.known.add(repo.clone());
        Ok(())
    }

    async fn names(
        &self,
        source: Names,
        after: Option<RepoName>,
    ) -> Result<Vec<RepoName>, Internal> {
        match source {
            Names::Database => self
                .meta
                .every_repository(after.as_ref(), PAGE)
                .await
                .during("list repositories"),
            Names::Tree(tree) => {
                let folder = self.folder.clone();
                on_disk(move || {
                    folder.repository_folders(tree, after.as_ref().map(RepoName::as_str), PAGE)
                })
                .await
                .during("list the repositories of the tree")
            }
        }
    }

    /// Answers how many links there are, and those of them that lead to nothing.
    async fn index_layers(&self, repo: &RepoName) -> Result<(u64, Vec<Digest>), Internal> {
        let (folder, name) = (self.folder.clone(), repo.clone());
        let mut in_tree = on_disk(move || folder.layers(&name))
            .await
            .during("list layer links")?;
        let mut names: BTreeSet<Digest> = in_tree.iter().copied().collect();
        names.extend(self.rows_of_layers(repo).await?);
        let names: Vec<Digest> = names.into_iter().collect();
        for chunk in names.chunks(CHUNK) {
            if !self.compare_layers(repo, chunk).await? {
                for digest in chunk {
                    self.refresh_layer(repo, digest).await?;
                }
            }
        }
        let held: BTreeSet<Digest> = self.rows_of_layers(repo).await?.into_iter().collect();
        in_tree.retain(|digest| !held.contains(digest));
        Ok((names.len() as u64, in_tree))
    }

    async fn index_manifests(&self, repo: &RepoName) -> Result<u64, Internal> {
        let (folder, name) = (self.folder.clone(), repo.clone());
        let in_tree = on_disk(move || {
            let mut names = folder.revisions(Tree::Distribution, &name)?;
            names.extend(folder.revisions(Tree::Own, &name)?);
            Ok(names)
        })
        .await
        .during("list the manifests of the tree")?;
        let mut names: BTreeSet<Digest> = in_tree.into_iter().collect();
        names.extend(self.rows_of_manifests(repo).await?);
        let names: Vec<Digest> = names.into_iter().collect();
        for chunk in names.chunks(MANIFESTS) {
            if !self.compare_manifests(repo, chunk).await? {
                for digest in chunk {
                    self.refresh_manifest(repo, digest).await?;
                }
            }
        }
        Ok(names.len() as u64)
    }

    async fn index_tags(&self, repo: &RepoName) -> Result<u64, Internal> {
        let (folder, name) = (self.folder.clone(), repo.clone());
        let in_tree = on_disk(move || {
            let mut names = folder.tags(Tree::Distribution, &name)?;
            names.extend(folder.tags(Tree::Own, &name)?);
            Ok(names)
        })
        .await
        .during("list the tags of the tree")?;
        let mut names: BTreeSet<Tag> = in_tree.into_iter().collect();
        names.extend(self.rows_of_tags(repo).await?);
        let names: Vec<Tag> = names.into_iter().collect();
        let mut chunks = names.chunks(CHUNK);
        let mut looking = chunks.next();
        let mut looked: Option<(&[Tag], Vec<ComparedTag>)> = None;
        // While some are written, the next ones are read.
        while looking.is_some() || looked.is_some() {
            let (followed, next) = tokio::join!(
                self.follow_chunk(repo, looked.take()),
                self.look_at_chunk(repo, looking),
            );
            followed?;
            looked = next?;
            looking = chunks.next();
        }
        Ok(names.len() as u64)
    }

    async fn look_at_chunk<'a>(
        &self,
        repo: &RepoName,
        chunk: Option<&'a [Tag]>,
    ) -> Result<Option<(&'a [Tag], Vec<ComparedTag>)>, Internal> {
        match chunk {
            Some(chunk) => Ok(Some((chunk, self.look_at_tags(repo, chunk).await?))),
            None => Ok(None),
        }
    }

    async fn follow_chunk(
        &self,
        repo: &RepoName,
        looked: Option<(&[Tag], Vec<ComparedTag>)>,
    ) -> Result<(), Internal> {
        let Some((chunk, compared)) = looked else {
            return Ok(());
        };
        if !self.follow_tags(repo, compared).await? {
            for tag in chunk {
                self.refresh_tag(repo, tag).await?;
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Names {
    Tree(Tree),
    Database,
}
