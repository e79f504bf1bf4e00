//! A database in a folder of its own, and what to put into it.

use std::{path::PathBuf, sync::Arc};

use boxyard_oci::{Algorithm, Digest, Manifest, RepoName, Tag};
use bytes::Bytes;
use tempfile::TempDir;

use crate::{Commit, CommitFaults, CommitManifest, Meta, NoFaults, OpenError};

/// A database that goes with its folder.
pub(crate) struct Database {
    pub(crate) meta: Meta,
    folder: TempDir,
}

impl Database {
    pub(crate) fn new() -> Self {
        Self::with(Arc::new(NoFaults))
    }

    pub(crate) fn with(faults: Arc<dyn CommitFaults>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let meta = Meta::open(&folder.path().join("boxyard.db"), faults).unwrap();
        Self { meta, folder }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("boxyard.db")
    }

    /// The same file after an orderly stop.
    pub(crate) fn reopen(self) -> Self {
        self.meta.close();
        let path = self.folder.path().join("boxyard.db");
        Self {
            meta: Meta::open(&path, Arc::new(NoFaults)).unwrap(),
            folder: self.folder,
        }
    }

    /// What opening the file says, after `change` was made to it while it was closed.
    pub(crate) fn open_after(self, change: impl FnOnce(&std::path::Path)) -> OpenError {
        let path = self.path();
        self.meta.close();
        change(&path);
        Meta::open(&path, Arc::new(NoFaults)).unwrap_err()
    }

    /// Holds a blob with this content in `to`.
    pub(crate) async fn blob(&self, to: &str, content: &str) -> Digest {
        let digest = digest(content);
        self.meta
            .hold_blob(&repo(to), &digest, content.len() as u64, None)
            .await
            .unwrap();
        digest
    }

    /// Pushes `manifest`, which must be accepted.
    pub(crate) async fn push(&self, to: &str, manifest: &Manifest, tags: &[&str]) -> Digest {
        let commit = self.try_push(to, manifest, tags).await;
        assert_eq!(commit, Commit::Done);
        manifest.digest()
    }

    pub(crate) async fn try_push(&self, to: &str, manifest: &Manifest, tags: &[&str]) -> Commit {
        let push = CommitManifest {
            repo: repo(to),
            manifest: manifest.clone(),
            tags: tags.iter().map(|name| tag(name)).collect(),
            sparse: false,
        };
        self.meta.commit_manifest(push).await.unwrap()
    }

    /// Pushes an image of one layer, whose config and layer are made of `content`.
    pub(crate) async fn image(&self, to: &str, content: &str, tags: &[&str]) -> Digest {
        let config = self.blob(to, &format!("config of {content}")).await;
        let layer = self.blob(to, &format!("layer of {content}")).await;
        self.push(to, &image(&config, &[layer]), tags).await
    }

    /// Ends whatever waits in the projection queue.
    pub(crate) async fn settle(&self) {
        let wanted = self.meta.projections(usize::MAX).await.unwrap();
        let done: Vec<_> = wanted
            .into_iter()
            .map(|one| (one.owner, one.sequence))
            .collect();
        self.meta.end_projections(&done).await.unwrap();
    }
}

pub(crate) fn repo(name: &str) -> RepoName {
    name.parse().unwrap()
}

pub(crate) fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

pub(crate) fn digest(content: &str) -> Digest {
    Algorithm::Sha256.digest(content.as_bytes())
}

pub(crate) fn image(config: &Digest, layers: &[Digest]) -> Manifest {
    let layers: Vec<_> = layers.iter().map(descriptor).collect();
    manifest(&format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
            "config":{},"layers":[{}]}}"#,
        descriptor(config),
        layers.join(",")
    ))
}

pub(crate) fn manifest(json: &str) -> Manifest {
    Manifest::parse(Bytes::from(json.to_owned()), None, Algorithm::Sha256).unwrap()
}

fn descriptor(digest: &Digest) -> String {
    format!(r#"{{"mediaType":"application/octet-stream","digest":"{digest}","size":7}}"#)
}
