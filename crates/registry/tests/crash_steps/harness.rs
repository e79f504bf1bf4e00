//! A registry that dies after a number of steps, and the verbs of the stories that it dies in.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use boxyard_auth::{Delete, Gate, Identity, Permit, Pull, Push};
use boxyard_blobs::{Faults, Step};
use boxyard_meta::CommitFaults;
use boxyard_oci::{Algorithm, Digest, RepoName, Tag, media_type};
use boxyard_registry::{Body, Options, Registry, Syncing, Way};
use bytes::{BufMut, Bytes};
use futures_util::{StreamExt, stream};

/// From one step on, neither the disk nor the database changes any more.
#[derive(Debug)]
pub(crate) struct Crash {
    after: usize,
    taken: AtomicUsize,
}

impl Crash {
    pub(crate) fn after(steps: usize) -> Arc<Self> {
        let taken = AtomicUsize::new(0);
        Arc::new(Self {
            after: steps,
            taken,
        })
    }

    fn step(&self) -> io::Result<()> {
        if self.taken.fetch_add(1, Ordering::SeqCst) < self.after {
            return Ok(());
        }
        Err(io::Error::other("the process has crashed"))
    }

    pub(crate) fn happened(&self) -> bool {
        self.taken.load(Ordering::SeqCst) > self.after
    }
}

impl Faults for Crash {
    fn before(&self, _step: Step, _path: &Path) -> io::Result<()> {
        self.step()
    }
}

impl CommitFaults for Crash {
    fn before_commit(&self) -> io::Result<()> {
        self.step()
    }

    fn after_commit(&self) -> io::Result<()> {
        self.step()
    }
}

pub(crate) fn name(text: &str) -> RepoName {
    text.parse().unwrap()
}

pub(crate) fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

pub(crate) fn push(repo: &RepoName) -> Permit<Push> {
    Gate::open().permit(&Identity::Anonymous, repo).unwrap()
}

pub(crate) fn pull(repo: &RepoName) -> Permit<Pull> {
    Gate::open().permit(&Identity::Anonymous, repo).unwrap()
}

pub(crate) fn delete(repo: &RepoName) -> Permit<Delete> {
    Gate::open().permit(&Identity::Anonymous, repo).unwrap()
}

pub(crate) fn body(bytes: &[u8]) -> Body {
    Box::pin(stream::iter([Ok(Bytes::copy_from_slice(bytes))]))
}

pub(crate) fn manifest(config: &[u8], layer: &[u8]) -> Bytes {
    let digest = |bytes| Algorithm::Sha256.digest(bytes);
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"{}","size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{}","size":{}}}]}}"#,
        media_type::OCI_MANIFEST,
        media_type::OCI_CONFIG,
        digest(config),
        config.len(),
        digest(layer),
        layer.len()
    );
    Bytes::from(text)
}

pub(crate) async fn open(root: &Path, crash: &Arc<Crash>) -> Option<Arc<Registry>> {
    open_syncing(root, crash, Syncing::Each).await
}

pub(crate) async fn open_syncing(
    root: &Path,
    crash: &Arc<Crash>,
    syncing: Syncing,
) -> Option<Arc<Registry>> {
    let mut options = Options::at(root);
    options.syncing = syncing;
    // What a story was promised would stay for an hour.
    options.settings.collecting.window = Duration::ZERO;
    options.faults = Arc::<Crash>::clone(crash);
    options.commit_faults = Arc::<Crash>::clone(crash);
    Registry::open(options).await.ok()
}

pub(crate) async fn read_blob(
    registry: &Registry,
    repo: &RepoName,
    digest: &Digest,
) -> Option<Vec<u8>> {
    let blob = registry.blob(&pull(repo), digest).await.ok()?;
    let size = blob.size();
    let mut pieces = Box::pin(blob.read(0, size, Way::Copied));
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        bytes.put(piece.ok()?);
    }
    Some(bytes)
}
