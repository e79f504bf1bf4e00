//! A database in a folder of its own, and what to put into it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use boxyard_oci::{Algorithm, Digest, Manifest, RepoName, Tag};
use bytes::Bytes;
use tempfile::TempDir;

use crate::{Commit, CommitFaults, CommitManifest, Meta, NoFaults, OpenError, Owner, Wanted};

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
        let meta = Meta::open(&path, Arc::new(NoFaults)).unwrap();
        Self {
            meta,
            folder: self.folder,
        }
    }

    /// What opening the file says, after `change` was made to it while it was closed.
    pub(crate) fn open_after(self, change: impl FnOnce(&Path)) -> OpenError {
        let path = self.path();
        self.meta.close();
        change(&path);
        Meta::open(&path, Arc::new(NoFaults)).unwrap_err()
    }

    /// Holds a blob with this content in `to`.
    pub(crate) async fn blob(&self, to: &str, content: &str) -> Digest {
        let digest = digest(content);
        let size = content.len() as u64;
        self.meta
            .hold_blob(&repo(to), &digest, size, None, Vec::new())
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
            may_lack: Vec::new(),
            repo: repo(to),
            manifest: manifest.clone(),
            tags: tags.iter().map(|name| tag(name)).collect(),
            sparse: false,
            events: Vec::new(),
        };
        self.meta.commit_manifest(push).await.unwrap()
    }

    /// Pushes an image of one layer, whose config and layer are made of `content`.
    pub(crate) async fn image(&self, to: &str, content: &str, tags: &[&str]) -> Digest {
        let config = self.blob(to, &format!("config of {content}")).await;
        let layer = self.blob(to, &format!("layer of {content}")).await;
        self.push(to, &image(&config, &[layer]), tags).await
    }

    /// What waits in the projection queue.
    pub(crate) async fn waiting(&self) -> Vec<Wanted> {
        self.meta.projections(usize::MAX).await.unwrap()
    }

    /// Who waits in the projection queue.
    pub(crate) async fn owners(&self) -> Vec<Owner> {
        self.waiting()
            .await
            .into_iter()
            .map(|wanted| wanted.owner)
            .collect()
    }

    /// Ends whatever waits in the projection queue.
    pub(crate) async fn settle(&self) {
        let wanted = self.waiting().await;
        let done: Vec<i64> = wanted.iter().map(|one| one.sequence).collect();
        self.meta.end_projections(&done).await.unwrap();
    }

    pub(crate) async fn tag(&self, of: &str, name: &str) -> Option<Digest> {
        self.meta.tag(&repo(of), &tag(name)).await.unwrap()
    }

    pub(crate) async fn tags(&self, of: &str) -> Vec<String> {
        names(&self.meta.tags(&repo(of), None, 100).await.unwrap())
    }

    pub(crate) async fn repositories(&self) -> Vec<String> {
        names(&self.meta.repositories(None, 100).await.unwrap())
    }

    pub(crate) async fn holds(&self, to: &str, digest: &Digest) -> bool {
        self.meta.blob(&repo(to), digest).await.unwrap().is_some()
    }
}

/// Commits that a test counts, holds up and breaks.
#[derive(Debug, Default)]
pub(crate) struct Script {
    commits: AtomicUsize,
    held: Mutex<bool>,
    freed: Condvar,
    is_waiting: AtomicBool,
    fail_before: AtomicBool,
    fail_after: AtomicBool,
}

impl Script {
    pub(crate) fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }

    /// From now on the writer stops before each commit.
    pub(crate) fn hold(&self) {
        *self.held.lock().unwrap() = true;
    }

    /// Lets the writer go on.
    pub(crate) fn free(&self) {
        *self.held.lock().unwrap() = false;
        self.freed.notify_all();
    }

    /// Whether the writer stands before a commit.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting.load(Ordering::SeqCst)
    }

    /// Loses the next group.
    pub(crate) fn fail_before(&self) {
        self.fail_before.store(true, Ordering::SeqCst);
    }

    /// Loses the answers of the next group.
    pub(crate) fn fail_after(&self) {
        self.fail_after.store(true, Ordering::SeqCst);
    }
}

impl CommitFaults for Script {
    fn before_commit(&self) -> io::Result<()> {
        self.is_waiting.store(true, Ordering::SeqCst);
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.freed.wait_while(held, |held| *held).unwrap());
        self.is_waiting.store(false, Ordering::SeqCst);
        fail_if(&self.fail_before)?;
        self.commits.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn after_commit(&self) -> io::Result<()> {
        fail_if(&self.fail_after)
    }
}

fn fail_if(asked: &AtomicBool) -> io::Result<()> {
    if asked.swap(false, Ordering::SeqCst) {
        return Err(io::Error::other("the power is gone"));
    }
    Ok(())
}

/// Lets other tasks run until `condition` holds.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

pub(crate) fn repo(name: &str) -> RepoName {
    name.parse().unwrap()
}

pub(crate) fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

pub(crate) fn names<T: ToString>(things: &[T]) -> Vec<String> {
    things.iter().map(ToString::to_string).collect()
}

pub(crate) fn digest(content: &str) -> Digest {
    Algorithm::Sha256.digest(content.as_bytes())
}

pub(crate) fn long_digest(content: &str) -> Digest {
    Algorithm::Sha512.digest(content.as_bytes())
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

pub(crate) fn index(children: &[Digest]) -> Manifest {
    let child = |digest| {
        format!(
            r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json",
                "digest":"{digest}","size":7}}"#
        )
    };
    let children: Vec<_> = children.iter().map(child).collect();
    manifest(&format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json",
            "manifests":[{}]}}"#,
        children.join(",")
    ))
}

/// An index without children that refers to `subject`.
pub(crate) fn referrer(subject: &Digest, artifact_type: &str, note: &str) -> Manifest {
    manifest(&format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json",
            "manifests":[],"subject":{},"artifactType":"{artifact_type}",
            "annotations":{{"note":"{note}"}}}}"#,
        descriptor(subject)
    ))
}

/// A manifest of a type that nobody knows, which names `digest`.
pub(crate) fn unknown_type(digest: &Digest) -> Manifest {
    manifest(&format!(
        r#"{{"mediaType":"application/x-unknown","thing":{{"digest":"{digest}"}}}}"#
    ))
}

pub(crate) fn manifest(json: &str) -> Manifest {
    Manifest::parse(Bytes::from(json.to_owned()), None, Algorithm::Sha256).unwrap()
}

fn descriptor(digest: &Digest) -> String {
    format!(r#"{{"mediaType":"application/octet-stream","digest":"{digest}","size":7}}"#)
}
