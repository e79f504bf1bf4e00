//! The tree as it is, one object at a time.
//!
//! Until a repository is known to be what the database says, another registry may have changed its folder since we last looked.
//! So each object that a request names is read from the tree first, and the database follows it.
//! What the database has not projected yet is newer than the tree, and is left alone.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use boxyard_blobs::{Folder, Link, LinkText, Tree};
use boxyard_meta::{Finding, FindingKind, LayerInTree, Reconcile};
use boxyard_oci::{Digest, Manifest, MediaType, RepoName, Tag};
use bytes::Bytes;

use crate::Registry;
use crate::error::{During, Internal, on_disk};

/// The largest manifest that is taken over from a tree, in bytes; distribution takes no larger one.
pub(crate) const ADOPTED_MANIFEST_BYTES: u64 = 4 << 20;

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

pub(crate) fn bad_manifest(repo: &RepoName, digest: &Digest, detail: String) -> Finding {
    Finding {
        kind: FindingKind::ManifestUnreadable,
        repo: Some(repo.clone()),
        subject: digest.to_string(),
        detail,
    }
}

/// What the tree says of a tag.
pub(crate) struct TagInTree {
    pub(crate) target: Option<Digest>,
    pub(crate) modified: Option<SystemTime>,
    pub(crate) finding: Option<Finding>,
}

impl TagInTree {
    /// What the database must do about the tag, which named `seen` there before the tree was read.
    pub(crate) fn change(
        &self,
        repo: &RepoName,
        tag: &Tag,
        seen: Option<Digest>,
    ) -> Option<Reconcile> {
        (seen != self.target).then(|| Reconcile::Tag {
            repo: repo.clone(),
            tag: tag.clone(),
            seen,
            tree: self.target,
            modified: self.modified,
        })
    }

    /// Whether somebody wrote the link after our own change of it was queued, and so after our last run.
    pub(crate) fn is_newer_than(&self, queued_at: SystemTime) -> bool {
        self.modified.is_some_and(|modified| modified > queued_at)
    }
}

/// Reads the tag's link in either tree; an unreadable one recovers from a sole entry of the tag's index.
pub(crate) fn read_tag(folder: &Folder, repo: &RepoName, tag: &Tag) -> std::io::Result<TagInTree> {
    let link = Link::TagCurrent { repo, tag };
    for tree in [Tree::Distribution, Tree::Own] {
        let modified = folder.link_modified(tree, &link)?;
        let (target, finding) = match folder.read_link(tree, &link)? {
            LinkText::Absent => continue,
            LinkText::To(digest) => (Some(digest), None),
            LinkText::Garbled => {
                let target = sole_index_entry(folder, repo, tag)?;
                (target, Some(garbled_tag(repo, tag, target.as_ref())))
            }
        };
        return Ok(TagInTree {
            target,
            modified,
            finding,
        });
    }
    Ok(TagInTree {
        target: None,
        modified: None,
        finding: None,
    })
}

fn sole_index_entry(
    folder: &Folder,
    repo: &RepoName,
    tag: &Tag,
) -> std::io::Result<Option<Digest>> {
    match folder.tag_index(repo, tag)?.as_slice() {
        [sole] => Ok(Some(*sole)),
        _ => Ok(None),
    }
}

fn garbled_tag(repo: &RepoName, tag: &Tag, recovered: Option<&Digest>) -> Finding {
    let detail = match recovered {
        Some(digest) => {
            format!("its link is unreadable; its index names {digest} alone, which is served")
        }
        None => "its link is unreadable, and its index does not name one manifest alone".to_owned(),
    };
    Finding {
        kind: FindingKind::LinkGarbled,
        repo: Some(repo.clone()),
        subject: tag.to_string(),
        detail,
    }
}

/// What the tree says of a manifest.
pub(crate) enum RevisionInTree {
    /// It is linked, and the database has it; content of one digest does not change.
    Unchanged,
    Absent,
    /// It is linked, but cannot be served.
    Bad(String),
    Manifest(Box<Manifest>),
}

/// Reads a manifest by its revision link, by our own tree, or by the layer link that distribution 2.1.0 left instead.
pub(crate) fn read_revision(
    folder: &Folder,
    repo: &RepoName,
    digest: &Digest,
    seen: bool,
) -> std::io::Result<RevisionInTree> {
    let revision = Link::Revision { repo, digest };
    let mut media_type = None;
    let mut linked = folder.read_link(Tree::Distribution, &revision)?;
    let mut only_layer = false;
    if linked == LinkText::Absent {
        linked = folder.read_link(Tree::Own, &revision)?;
        media_type = folder.read_media_type(repo, digest)?;
    }
    if linked == LinkText::Absent {
        linked = folder.read_link(Tree::Distribution, &Link::Layer { repo, digest })?;
        only_layer = true;
    }
    match linked {
        LinkText::Absent => Ok(RevisionInTree::Absent),
        LinkText::To(target) if target == *digest && seen => Ok(RevisionInTree::Unchanged),
        LinkText::To(target) if target == *digest => {
            read_manifest(folder, digest, media_type.as_deref(), only_layer)
        }
        _ if only_layer => Ok(RevisionInTree::Absent),
        LinkText::To(target) => Ok(RevisionInTree::Bad(format!("its link names {target}"))),
        LinkText::Garbled => Ok(RevisionInTree::Bad("its link is unreadable".to_owned())),
    }
}

fn read_manifest(
    folder: &Folder,
    digest: &Digest,
    media_type: Option<&str>,
    only_layer: bool,
) -> std::io::Result<RevisionInTree> {
    let payload = match folder.blob_size(digest)? {
        Some(size) if size <= ADOPTED_MANIFEST_BYTES => folder.read_blob(digest, size)?,
        Some(_) if only_layer => return Ok(RevisionInTree::Absent),
        Some(size) => return Ok(RevisionInTree::Bad(format!("it has {size} bytes"))),
        None => None,
    };
    let Some(payload) = payload else {
        return Ok(if only_layer {
            RevisionInTree::Absent
        } else {
            RevisionInTree::Bad("its file is missing".to_owned())
        });
    };
    let media_type = media_type.and_then(|text| text.parse::<MediaType>().ok());
    match Manifest::adopt(Bytes::from(payload), media_type.as_ref(), *digest) {
        Ok(manifest) if only_layer && !manifest.distribution_expresses() => {
            Ok(RevisionInTree::Absent)
        }
        Ok(manifest) => Ok(RevisionInTree::Manifest(Box::new(manifest))),
        Err(_) if only_layer => Ok(RevisionInTree::Absent),
        Err(error) => Ok(RevisionInTree::Bad(error.to_string())),
    }
}

/// Reads a layer link; a link whose bytes are not there counts as absent, so that a push heals it.
pub(crate) fn read_layer(
    folder: &Folder,
    repo: &RepoName,
    digest: &Digest,
) -> std::io::Result<Option<LayerInTree>> {
    let LinkText::To(target) =
        folder.read_link(Tree::Distribution, &Link::Layer { repo, digest })?
    else {
        return Ok(None);
    };
    let size = folder.blob_size(&target)?;
    Ok(size.map(|size| LayerInTree { target, size }))
}

type WrongSize = (Digest, u64, u64, bool);

fn wrong_sizes(folder: &Folder, manifest: &Manifest) -> std::io::Result<Vec<WrongSize>> {
    let mut wrong = Vec::new();
    for edge in manifest.edges() {
        let (Some(declared), Some(actual)) = (edge.size, folder.blob_size(&edge.digest)?) else {
            continue;
        };
        if declared != actual {
            let intact = folder.hash_blob(&edge.digest)? == Some(edge.digest);
            wrong.push((edge.digest, declared, actual, intact));
        }
    }
    Ok(wrong)
}
