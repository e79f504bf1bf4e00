//! The tree as it is, one object at a time.
//!
//! Until a repository is known to be what the database says, another registry may have changed its folder since we last looked.
//! So each object that a request names is read from the tree first, and the database follows it.
//! What the database has not projected yet is newer than the tree, and is left alone.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use boxyard_oci::{Digest, RepoName, Tag};

use crate::Registry;
use crate::compare::ComparedTag;
use crate::error::{During, Internal};

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
            let compared = self.look_at_tags(repo, std::slice::from_ref(tag)).await?;
            // Before the tag, so that nobody meets a tag of a manifest that is still to come.
            for digest in compared.iter().filter_map(ComparedTag::target) {
                self.refresh_manifest(repo, &digest).await?;
            }
            if self.follow_tags(repo, compared).await? {
                break;
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
            let only = std::slice::from_ref(digest);
            if self.compare_manifests(repo, only).await? {
                break;
            }
        }
        let found = self.meta.has_manifest(repo, digest).await;
        if found.during("look up a manifest")? {
            return Ok(());
        }
        // Old registries have left manifests among the layers.
        self.refresh_layer(repo, digest).await
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
            if self
                .compare_layers(repo, std::slice::from_ref(digest))
                .await?
            {
                break;
            }
        }
        Ok(())
    }
}
