//! The tree as it is, one object at a time.
//!
//! Until a repository is known to be what the database says, another registry may have changed its folder since we last looked.
//! So each object that a request names is read from the tree first, and the database follows it.
//! What the database has not projected yet is newer than the tree, and is left alone.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use boxyard_meta::{Finding, Reconcile};
use boxyard_oci::{Digest, Manifest, RepoName, Tag};

use crate::Registry;
use crate::error::{During, Internal, on_disk};
use crate::reading::{
    RevisionInTree, bad_manifest, read_layer, read_revision, read_tag, wrong_sizes,
};

/// Which repositories the database is known to be right about in this run.
#[derive(Debug, Default)]
pub(crate) struct Known {
    all: AtomicBool,
    some: Mutex<HashSet<RepoName>>,
}

impl Known {
    /// Whether the database may be believed about `repo`, its gaps included.
    pub(crate) fn covers(&self, repo: &RepoName) -> bool {
        self.covers_all() || self.lock().contains(repo)
    }

    /// Whether the database may be believed about every repository.
    pub(crate) fn covers_all(&self) -> bool {
        self.all.load(Ordering::Acquire)
    }

    pub(crate) fn add(&self, repo: RepoName) {
        self.lock().insert(repo);
    }

    pub(crate) fn add_all(&self) {
        self.all.store(true, Ordering::Release);
        *self.lock() = HashSet::new();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<RepoName>> {
        self.some
            .lock()
            .expect("no code panics while it holds the known repositories")
    }
}

/// How often an object is read again because a client changed its repository meanwhile.
const ATTEMPTS: usize = 20;

impl Registry {
    /// Makes the database follow the tree about one tag and the manifest it names.
    pub(crate) async fn refresh_tag(&self, repo: &RepoName, tag: &Tag) -> Result<(), Internal> {
        if self.known.covers(repo) {
            return Ok(());
        }
        for _ in 0..ATTEMPTS {
            if self.follow_tag(repo, tag).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Makes the database follow the tree about one manifest.
    pub(crate) async fn refresh_manifest(
        &self,
        repo: &RepoName,
        digest: &Digest,
    ) -> Result<(), Internal> {
        if self.known.covers(repo) {
            return Ok(());
        }
        for _ in 0..ATTEMPTS {
            if self.follow_manifest(repo, digest).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Makes the database follow the tree about one layer link.
    pub(crate) async fn refresh_layer(
        &self,
        repo: &RepoName,
        digest: &Digest,
    ) -> Result<(), Internal> {
        if self.known.covers(repo) {
            return Ok(());
        }
        for _ in 0..ATTEMPTS {
            if self.follow_layer(repo, digest).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Answers whether the tag was compared without a client's change coming between.
    async fn follow_tag(&self, repo: &RepoName, tag: &Tag) -> Result<bool, Internal> {
        let states = self.meta.tag_states(repo, std::slice::from_ref(tag)).await;
        let (seen, doubted) = states.during("look up a tag")?.remove(0);
        if doubted {
            return Ok(true);
        }
        let (folder, repo_name, tag_name) = (self.folder.clone(), repo.clone(), tag.clone());
        let found = on_disk(move || read_tag(&folder, &repo_name, &tag_name))
            .await
            .during("read a tag's link")?;
        if let Some(digest) = found.target {
            self.refresh_manifest(repo, &digest).await?;
        }
        if let Some(finding) = found.finding.clone() {
            self.report(finding).await?;
        }
        match found.change(repo, tag, seen) {
            Some(change) => self.reconciled(vec![change]).await,
            None => Ok(true),
        }
    }

    async fn follow_manifest(&self, repo: &RepoName, digest: &Digest) -> Result<bool, Internal> {
        let states = self
            .meta
            .revision_states(repo, std::slice::from_ref(digest))
            .await;
        let (seen, doubted) = states.during("look up a manifest")?.remove(0);
        if doubted {
            return Ok(true);
        }
        let (folder, repo_name, digest_name) = (self.folder.clone(), repo.clone(), *digest);
        let found = on_disk(move || read_revision(&folder, &repo_name, &digest_name, seen))
            .await
            .during("read a manifest of the tree")?;
        match self.revision_change(repo, *digest, seen, found).await? {
            Some(change) => self.reconciled(vec![change]).await,
            None => Ok(true),
        }
    }

    async fn follow_layer(&self, repo: &RepoName, digest: &Digest) -> Result<bool, Internal> {
        let states = self
            .meta
            .layer_states(repo, std::slice::from_ref(digest))
            .await;
        let (seen, doubted) = states.during("look up a blob")?.remove(0);
        if doubted {
            return Ok(true);
        }
        let (folder, repo_name, digest_name) = (self.folder.clone(), repo.clone(), *digest);
        let tree = on_disk(move || read_layer(&folder, &repo_name, &digest_name))
            .await
            .during("read a layer link")?;
        if seen == tree.map(|tree| tree.size) {
            return Ok(true);
        }
        let (repo, digest) = (repo.clone(), *digest);
        let change = Reconcile::Layer {
            repo,
            digest,
            seen,
            tree,
        };
        self.reconciled(vec![change]).await
    }

    /// What the database must do about one manifest of the tree.
    pub(crate) async fn revision_change(
        &self,
        repo: &RepoName,
        digest: Digest,
        seen: bool,
        found: RevisionInTree,
    ) -> Result<Option<Reconcile>, Internal> {
        let tree = match found {
            RevisionInTree::Unchanged => return Ok(None),
            RevisionInTree::Manifest(manifest) => {
                self.check_sizes(repo, &manifest).await?;
                Some(manifest)
            }
            RevisionInTree::Bad(detail) => {
                self.report(bad_manifest(repo, &digest, detail)).await?;
                None
            }
            RevisionInTree::Absent => None,
        };
        if tree.is_none() && !seen {
            return Ok(None);
        }
        Ok(Some(Reconcile::Revision {
            repo: repo.clone(),
            digest,
            seen,
            tree: tree.map(|manifest| *manifest),
            modified: None,
        }))
    }

    /// Applies `changes`; answers whether none of them met a change made meanwhile.
    pub(crate) async fn reconciled(&self, changes: Vec<Reconcile>) -> Result<bool, Internal> {
        if changes.is_empty() {
            return Ok(true);
        }
        let outcome = self
            .meta
            .reconcile(changes)
            .await
            .during("follow the tree")?;
        Ok(outcome.skipped == 0)
    }

    /// Compares what an adopted manifest says of its blobs with their files.
    ///
    /// Where they differ, the bytes decide who is wrong: a descriptor that lies is only reported.
    pub(crate) async fn check_sizes(
        &self,
        repo: &RepoName,
        manifest: &Manifest,
    ) -> Result<(), Internal> {
        let (folder, manifest_clone) = (self.folder.clone(), manifest.clone());
        let wrong = on_disk(move || wrong_sizes(&folder, &manifest_clone))
            .await
            .during("compare the sizes of blobs")?;
        for (digest, declared, actual, intact) in wrong {
            if intact {
                let detail = format!(
                    "it says that {digest} has {declared} bytes, but the blob has {actual}"
                );
                self.report(bad_manifest(repo, &manifest.digest(), detail))
                    .await?;
            } else {
                self.meta
                    .note_blob(&digest, declared)
                    .await
                    .during("record a blob")?;
                self.mark_bad(&digest, declared, Some(actual)).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn report(&self, finding: Finding) -> Result<(), Internal> {
        tracing::warn!(
            finding.kind = ?finding.kind,
            finding.subject = %finding.subject,
            "the tree holds a bad object: {}",
            finding.detail
        );
        self.meta
            .record_finding(&finding)
            .await
            .during("record a finding")
    }
}
