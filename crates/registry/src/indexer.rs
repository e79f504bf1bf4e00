//! Reads whole repositories of the tree into the database, while it serves.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use boxyard_blobs::{Folder, Tree};
use boxyard_meta::Reconcile;
use boxyard_oci::{Digest, RepoName, Tag};
use tokio::sync::Mutex as AsyncMutex;

use crate::Registry;
use crate::error::{During, Internal, on_disk};
use crate::reading::{TagInTree, read_layer, read_revision, read_tag};

/// Objects compared in one go, between which requests get their turn.
const CHUNK: usize = 1_000;
/// Manifests read in one go; each may have megabytes.
const MANIFESTS: usize = 64;
/// Repositories listed in one go.
const PAGE: usize = 1_000;

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

/// One lock for each repository that is being read, so that it is read once.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    running: Mutex<HashMap<RepoName, Arc<AsyncMutex<()>>>>,
}

impl Turns {
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
    /// `tell` hears of each repository that is done.
    pub async fn adopt(
        &self,
        tell: impl Fn(IndexProgress) + Send + Sync,
    ) -> Result<IndexProgress, Internal> {
        let mut progress = IndexProgress::default();
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
                    self.adopt_one(&repo, &mut progress).await;
                    tell(progress);
                }
            }
        }
        if progress.failed == 0 {
            self.known.add_all();
        }
        Ok(progress)
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
        progress.layers += self.index_layers(repo).await?;
        progress.manifests += self.index_manifests(repo).await?;
        progress.tags += self.index_tags(repo).await?;
        let generation = self.generation;
        self.meta
            .mark_complete(repo, generation)
            .await
            .during("record a repository as read")?;
        self.known.add(repo.clone());
        self.turns.end(repo);
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

    async fn index_layers(&self, repo: &RepoName) -> Result<u64, Internal> {
        let (folder, name) = (self.folder.clone(), repo.clone());
        let in_tree = on_disk(move || folder.layers(&name))
            .await
            .during("list layer links")?;
        let mut names: BTreeSet<Digest> = in_tree.into_iter().collect();
        names.extend(self.rows_of_layers(repo).await?);
        let names: Vec<Digest> = names.into_iter().collect();
        for chunk in names.chunks(CHUNK) {
            self.index_layer_chunk(repo, chunk).await?;
        }
        Ok(names.len() as u64)
    }

    async fn index_layer_chunk(&self, repo: &RepoName, chunk: &[Digest]) -> Result<(), Internal> {
        let states = self
            .meta
            .layer_states(repo, chunk)
            .await
            .during("look up blobs")?;
        let (folder, name, digests) = (self.folder.clone(), repo.clone(), chunk.to_vec());
        let found = on_disk(move || {
            digests
                .iter()
                .map(|digest| read_layer(&folder, &name, digest))
                .collect::<Result<Vec<_>, _>>()
        })
        .await
        .during("read layer links")?;
        let mut changes = Vec::new();
        for ((digest, (seen, doubted)), tree) in chunk.iter().zip(states).zip(found) {
            if !doubted && seen != tree.map(|tree| tree.size) {
                let (repo, digest) = (repo.clone(), *digest);
                changes.push(Reconcile::Layer {
                    repo,
                    digest,
                    seen,
                    tree,
                });
            }
        }
        if self.reconciled(changes).await? {
            return Ok(());
        }
        for digest in chunk {
            self.refresh_layer(repo, digest).await?;
        }
        Ok(())
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
            self.index_manifest_chunk(repo, chunk).await?;
        }
        Ok(names.len() as u64)
    }

    async fn index_manifest_chunk(
        &self,
        repo: &RepoName,
        chunk: &[Digest],
    ) -> Result<(), Internal> {
        let states = self
            .meta
            .revision_states(repo, chunk)
            .await
            .during("look up manifests")?;
        let asked: Vec<_> = chunk
            .iter()
            .copied()
            .zip(states)
            .filter(|(_, (_, doubted))| !doubted)
            .collect();
        let (folder, name) = (self.folder.clone(), repo.clone());
        let found = on_disk(move || {
            asked
                .into_iter()
                .map(|(digest, (seen, _))| {
                    let found = read_revision(&folder, &name, &digest, seen)?;
                    Ok((digest, seen, found))
                })
                .collect::<Result<Vec<_>, std::io::Error>>()
        })
        .await
        .during("read the manifests of the tree")?;
        let mut changes = Vec::new();
        for (digest, seen, found) in found {
            if let Some(change) = self.revision_change(repo, digest, seen, found).await? {
                changes.push(change);
            }
        }
        if self.reconciled(changes).await? {
            return Ok(());
        }
        for digest in chunk {
            self.refresh_manifest(repo, digest).await?;
        }
        Ok(())
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
        let mut targets = BTreeSet::new();
        for chunk in names.chunks(CHUNK) {
            self.index_tag_chunk(repo, chunk, &mut targets).await?;
        }
        for digest in targets {
            if !self
                .meta
                .has_manifest(repo, &digest)
                .await
                .during("look up a manifest")?
            {
                self.refresh_manifest(repo, &digest).await?;
            }
        }
        Ok(names.len() as u64)
    }

    async fn index_tag_chunk(
        &self,
        repo: &RepoName,
        chunk: &[Tag],
        targets: &mut BTreeSet<Digest>,
    ) -> Result<(), Internal> {
        let states = self
            .meta
            .tag_states(repo, chunk)
            .await
            .during("look up tags")?;
        let found = read_tags(&self.folder, repo, chunk).await?;
        let mut changes = Vec::new();
        for ((tag, (seen, doubted)), found) in chunk.iter().zip(states).zip(found) {
            targets.extend(found.target);
            if let Some(finding) = found.finding.clone() {
                self.report(finding).await?;
            }
            if !doubted {
                changes.extend(found.change(repo, tag, seen));
            }
        }
        if self.reconciled(changes).await? {
            return Ok(());
        }
        for tag in chunk {
            self.refresh_tag(repo, tag).await?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Names {
    Tree(Tree),
    Database,
}

async fn read_tags(
    folder: &Folder,
    repo: &RepoName,
    tags: &[Tag],
) -> Result<Vec<TagInTree>, Internal> {
    let (folder, repo, tags) = (folder.clone(), repo.clone(), tags.to_vec());
    on_disk(move || {
        tags.iter()
            .map(|tag| read_tag(&folder, &repo, tag))
            .collect()
    })
    .await
    .during("read the tags of the tree")
}
