//! Comparing some objects of a repository in the tree with their rows, and making the rows follow.
//!
//! What the rows say is read first, then the tree, and then both are handed in together: a change that a client makes in between is never undone.

use std::io;

use boxyard_blobs::Folder;
use boxyard_meta::{Finding, FindingKind, LayerInTree, Reconcile};
use boxyard_oci::{Digest, Manifest, RepoName, Tag};

use crate::Registry;
use crate::error::{During, Internal, blocking, on_disk};
use crate::reading::{
    LinkInTree, RevisionInTree, TagInTree, TagsInTree, WrongSize, bad_manifest, lying_size,
    read_layer, read_revision, wrong_sizes,
};

/// A tag as its row and the tree have it.
pub(crate) struct ComparedTag {
    tag: Tag,
    seen: Option<Digest>,
    doubted: bool,
    found: TagInTree,
}

impl ComparedTag {
    /// The manifest that the tree's tag names.
    pub(crate) fn target(&self) -> Option<Digest> {
        self.found.target
    }
}

impl Registry {
    /// Looks at some tags in the database and then in the tree.
    pub(crate) async fn look_at_tags(
        &self,
        repo: &RepoName,
        tags: &[Tag],
    ) -> Result<Vec<ComparedTag>, Internal> {
        let states = self.meta.tag_states(repo, tags).await;
        let states = states.during("look up tags")?;
        let (folder, name, names) = (self.folder.clone(), repo.clone(), tags.to_vec());
        let found: Vec<TagInTree> = on_disk(move || {
            let tree = TagsInTree::open(&folder, &name)?;
            names.iter().map(|tag| tree.read(tag)).collect()
        })
        .await
        .during("read the tags of the tree")?;
        let both = tags.iter().cloned().zip(states).zip(found);
        Ok(both
            .map(|((tag, (seen, doubted)), found)| ComparedTag {
                tag,
                seen,
                doubted,
                found,
            })
            .collect())
    }

    /// Makes the tags follow the tree; answers whether no change of a client came between.
    pub(crate) async fn follow_tags(
        &self,
        repo: &RepoName,
        tags: Vec<ComparedTag>,
    ) -> Result<bool, Internal> {
        let mut changes = Vec::new();
        let mut hiding = Vec::new();
        for ComparedTag {
            tag, seen, found, ..
        } in tags.into_iter().filter(|tag| !tag.doubted)
        {
            changes.extend(found.change(repo, &tag, seen));
            if let Some(finding) = found.finding {
                self.report(finding).await?;
            }
            if found.hides_ours {
                hiding.push(tag);
            }
        }
        let undisturbed = self.reconciled(changes).await?;
        if undisturbed && !hiding.is_empty() {
            // Else ours would come back where the other registry deletes its own.
            let queued = self.meta.queue_tags(repo, &hiding).await;
            queued.during("queue tags for the tree")?;
            self.projector.wake();
        }
        Ok(undisturbed)
    }

    /// Makes some manifests follow the tree; answers whether no change of a client came between.
    pub(crate) async fn compare_manifests(
        &self,
        repo: &RepoName,
        digests: &[Digest],
    ) -> Result<bool, Internal> {
        let states = self.meta.revision_states(repo, digests).await;
        let asked = digests
            .iter()
            .copied()
            .zip(states.during("look up manifests")?);
        let asked = asked.filter(|(_, (_, doubted))| !doubted);
        let asked = asked.map(|(digest, (seen, _))| (digest, seen)).collect();
        let found = self
            .read_each(repo, asked, |folder, repo, &(digest, seen)| {
                let found = read_revision(folder, repo, &digest, seen)?;
                Ok((digest, seen, found))
            })
            .await
            .during("read the manifests of the tree")?;
        let mut changes = Vec::new();
        for (digest, seen, found) in found {
            changes.extend(self.manifest_change(repo, digest, seen, found).await?);
        }
        self.reconciled(changes).await
    }

    /// What the database must do about one manifest of the tree.
    async fn manifest_change(
        &self,
        repo: &RepoName,
        digest: Digest,
        seen: bool,
        found: RevisionInTree,
    ) -> Result<Option<Reconcile>, Internal> {
        let (tree, modified) = match found {
            RevisionInTree::Unchanged => return Ok(None),
            RevisionInTree::Manifest(manifest, modified) => {
                self.check_sizes(repo, &manifest).await?;
                (Some(*manifest), modified)
            }
            RevisionInTree::Bad(detail) => {
                self.report(bad_manifest(repo, &digest, detail)).await?;
                (None, None)
            }
            RevisionInTree::Absent => (None, None),
        };
        if tree.is_none() && !seen {
            return Ok(None);
        }
        Ok(Some(Reconcile::Revision {
            repo: repo.clone(),
            digest,
            seen,
            tree,
            modified,
        }))
    }

    /// Makes some layer links follow the tree; answers whether no change of a client came between.
    pub(crate) async fn compare_layers(
        &self,
        repo: &RepoName,
        digests: &[Digest],
    ) -> Result<bool, Internal> {
        let states = self.meta.layer_states(repo, digests).await;
        let asked = digests.iter().copied().zip(states.during("look up blobs")?);
        let asked = asked.filter(|(_, (_, doubted))| !doubted);
        let asked = asked.map(|(digest, (seen, _))| (digest, seen)).collect();
        let found = self
            .read_each(repo, asked, |folder, repo, &(digest, seen)| {
                let found = read_layer(folder, repo, &digest, seen.is_some())?;
                Ok((digest, seen, found))
            })
            .await
            .during("read layer links")?;
        let mut changes = Vec::new();
        for (digest, seen, found) in found {
            changes.extend(self.layer_changes(repo, digest, seen, found).await?);
        }
        self.reconciled(changes).await
    }

    /// What the database must do about one layer link, and about the manifest that it may lead to.
    async fn layer_changes(
        &self,
        repo: &RepoName,
        digest: Digest,
        seen: Option<u64>,
        found: LinkInTree,
    ) -> Result<Vec<Reconcile>, Internal> {
        let mut changes = Vec::new();
        if let Some(finding) = found.finding {
            self.report(finding).await?;
        }
        if let Some(manifest) = found.manifest {
            let states = self.meta.revision_states(repo, &[digest]).await;
            let (in_database, doubted) = states.during("look up a manifest")?.remove(0);
            if !in_database && !doubted {
                let found = RevisionInTree::Manifest(manifest, None);
                changes.extend(self.manifest_change(repo, digest, false, found).await?);
            }
        }
        let tree: Option<LayerInTree> = found.layer;
        if seen != tree.map(|tree| tree.size) {
            changes.push(Reconcile::Layer {
                repo: repo.clone(),
                digest,
                seen,
                tree,
            });
        }
        Ok(changes)
    }

    /// Reads some objects of the tree, off the async workers.
    async fn read_each<Asked, Found>(
        &self,
        repo: &RepoName,
        asked: Vec<Asked>,
        read: impl Fn(&Folder, &RepoName, &Asked) -> io::Result<Found> + Send + 'static,
    ) -> io::Result<Vec<Found>>
    where
        Asked: Send + 'static,
        Found: Send + 'static,
    {
        let (folder, repo) = (self.folder.clone(), repo.clone());
        on_disk(move || {
            let found = asked.iter().map(|one| read(&folder, &repo, one));
            found.collect()
        })
        .await
    }

    /// Applies `changes`; answers whether none of them met a change made meanwhile.
    async fn reconciled(&self, changes: Vec<Reconcile>) -> Result<bool, Internal> {
        if changes.is_empty() {
            return Ok(true);
        }
        let outcome = self
            .meta
            .reconcile(changes)
            .await
            .during("follow the tree")?;
        for digest in &outcome.damaged {
            self.report_damage(digest).await?;
        }
        for digest in &outcome.suspects {
            self.judge_again(digest).await?;
        }
        Ok(outcome.skipped == 0)
    }

    /// Records what is wrong with a blob that has just been marked.
    async fn report_damage(&self, digest: &Digest) -> Result<(), Internal> {
        let claim = self.claims.claim(digest).await;
        let row = self.meta.blob_anywhere(claim.digest()).await;
        let (folder, name) = (self.folder.clone(), *digest);
        let actual = on_disk(move || folder.blob_size(&name))
            .await
            .during("look for a blob's file")?;
        match row.during("look up a blob")? {
            Some(row) if actual != Some(row.size) => self.mark_bad(digest, row.size, actual).await,
            _ => Ok(()),
        }
    }

    /// Hashes a blob that was damaged and has changed since: somebody may have repaired it.
    async fn judge_again(&self, digest: &Digest) -> Result<(), Internal> {
        let claim = self.claims.claim(digest).await;
        let (folder, name) = (self.folder.clone(), *claim.digest());
        let (intact, size) = on_disk(move || {
            let intact = folder.hash_blob(&name)? == Some(name);
            Ok((intact, folder.blob_size(&name)?))
        })
        .await
        .during("hash a blob")?;
        let judged = self.meta.judge_suspect(digest, size.unwrap_or(0), intact);
        judged.await.during("judge a damaged blob again")
    }

    /// Compares what an adopted manifest says of its blobs with their files.
    ///
    /// Where they differ, the bytes decide who is wrong: a descriptor that lies is only reported.
    async fn check_sizes(&self, repo: &RepoName, manifest: &Manifest) -> Result<(), Internal> {
        let (folder, edges) = (self.folder.clone(), manifest.clone());
        let wrong = on_disk(move || wrong_sizes(&folder, &edges))
            .await
            .during("compare the sizes of blobs")?;
        for wrong in wrong {
            if wrong.intact {
                let finding = lying_size(repo, &manifest.digest(), &wrong);
                self.report(finding).await?;
            } else {
                self.mark_damaged(wrong).await?;
            }
        }
        Ok(())
    }

    /// Stops a blob from being served whose content was found wrong, unless somebody has just healed it.
    async fn mark_damaged(&self, wrong: WrongSize) -> Result<(), Internal> {
        let WrongSize {
            digest,
            declared,
            actual,
            ..
        } = wrong;
        let claim = self.claims.claim(&digest).await;
        let folder = self.folder.clone();
        let size = blocking(move || folder.blob_size(&digest))
            .await
            .during("look for a blob's file")?;
        if size != Some(actual) {
            return Ok(());
        }
        let noted = self.meta.note_blob(claim.digest(), actual).await;
        noted.during("record a blob")?;
        let finding = Finding {
            kind: FindingKind::BlobDamaged,
            repo: None,
            subject: digest.to_string(),
            detail: format!(
                "its file has {actual} bytes and another digest, and a manifest says {declared} bytes"
            ),
        };
        tracing::error!(blob.digest = %digest, "blob is damaged: {}; push it again to heal it", finding.detail);
        let marked = self.meta.mark_blob_bad(&digest, &finding).await;
        marked.during("record a damaged blob")
    }

    async fn report(&self, finding: Finding) -> Result<(), Internal> {
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
