//! A crash after every single step of what changes the registry.
//!
//! Each test runs a story again and again, dies one step later each time, opens the folder anew and asks what the story had been told.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use boxyard_auth::{Delete, Gate, Identity, Permit, Pull, Push};
use boxyard_blobs::{Faults, Step};
use boxyard_meta::CommitFaults;
use boxyard_oci::{Algorithm, Digest, Reference, RepoName, Tag, media_type};
use boxyard_registry::{Body, MountSource, Options, Registry};
use bytes::Bytes;
use futures_util::{StreamExt, stream};

/// From one step on, neither the disk nor the database changes any more.
#[derive(Debug)]
struct Crash {
    after: usize,
    taken: AtomicUsize,
}

impl Crash {
    fn after(steps: usize) -> Arc<Self> {
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

    fn happened(&self) -> bool {
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

/// What the story was told to be stored, and what it was told to be gone.
#[derive(Debug, Default)]
struct Told {
    blobs: BTreeSet<(RepoName, Digest)>,
    tags: BTreeSet<(RepoName, Tag, Digest)>,
    gone: BTreeSet<(RepoName, Tag)>,
}

fn name(text: &str) -> RepoName {
    text.parse().unwrap()
}

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

fn push(repo: &RepoName) -> Permit<Push> {
    Gate::open().permit(&Identity::Anonymous, repo).unwrap()
}

fn pull(repo: &RepoName) -> Permit<Pull> {
    Gate::open().permit(&Identity::Anonymous, repo).unwrap()
}

fn delete(repo: &RepoName) -> Permit<Delete> {
    Gate::open().permit(&Identity::Anonymous, repo).unwrap()
}

fn body(bytes: &[u8]) -> Body {
    Box::pin(stream::iter([Ok(Bytes::copy_from_slice(bytes))]))
}

fn manifest(config: &[u8], layer: &[u8]) -> Bytes {
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

async fn open(root: &Path, crash: &Arc<Crash>) -> Option<Arc<Registry>> {
    let mut options = Options::at(root);
    options.faults = Arc::<Crash>::clone(crash);
    options.commit_faults = Arc::<Crash>::clone(crash);
    Registry::open(options).await.ok()
}

async fn push_blob(registry: &Arc<Registry>, repo: &RepoName, bytes: &[u8], told: &mut Told) {
    let digest = Algorithm::Sha256.digest(bytes);
    let pushed = registry.push_blob(&push(repo), &digest, body(bytes)).await;
    if pushed.is_ok() {
        told.blobs.insert((repo.clone(), digest));
    }
}

/// Pushes an image of one layer under a tag.
async fn push_image(
    registry: &Arc<Registry>,
    repo: &RepoName,
    layer: &[u8],
    tag: &Tag,
    told: &mut Told,
) {
    push_blob(registry, repo, b"{}", told).await;
    push_blob(registry, repo, layer, told).await;
    let reference = Reference::Tag(tag.clone());
    let payload = manifest(b"{}", layer);
    let permit = push(repo);
    let pushed = registry
        .push_manifest(&permit, &reference, None, payload, Vec::new())
        .await;
    if let Ok(pushed) = pushed {
        told.tags
            .retain(|(in_repo, named, _)| in_repo != repo || named != tag);
        told.tags.insert((repo.clone(), tag.clone(), pushed.digest));
    }
}

/// Mounts, moves a tag, deletes one, and lets the tree catch up.
async fn story(registry: &Arc<Registry>, told: &mut Told) {
    let (first, second) = (name("first"), name("team/second"));
    push_image(registry, &first, b"one", &tag("v1"), told).await;
    let mounted = Algorithm::Sha256.digest(b"one");
    let source = MountSource::<fn(&RepoName) -> Option<Permit<Pull>>>::From(pull(&first));
    if let Ok(true) = registry.mount(&push(&second), &mounted, source).await {
        told.blobs.insert((second.clone(), mounted));
    }
    push_image(registry, &second, b"two", &tag("v1"), told).await;
    push_image(registry, &second, b"three", &tag("v1"), told).await;
    let _ = registry.settle().await;
    // A delete that fails may have happened without its answer getting out.
    told.tags.retain(|(repo, _, _)| *repo != first);
    let deleted = registry.delete_tag(&delete(&first), &tag("v1")).await;
    if deleted.is_ok() {
        told.gone.insert((first, tag("v1")));
    }
    let _ = registry.settle().await;
}

async fn read_blob(registry: &Registry, repo: &RepoName, digest: &Digest) -> Option<Vec<u8>> {
    let blob = registry.blob(&pull(repo), digest).await.ok()?;
    let size = blob.size();
    let mut pieces = Box::pin(blob.read(0, size));
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        bytes.extend_from_slice(&piece.ok()?);
    }
    Some(bytes)
}

/// Everything that was told is there, whole, and nothing half-done is served.
async fn check(registry: &Arc<Registry>, told: &Told, at: usize, line: u32) {
    let at = format!("{at} at line {line}");
    for (repo, digest) in &told.blobs {
        let bytes = read_blob(registry, repo, digest).await;
        let bytes = bytes.unwrap_or_else(|| panic!("step {at}: {digest} of {repo} is lost"));
        assert_eq!(Algorithm::Sha256.digest(&bytes), *digest, "step {at}");
    }
    for (repo, tag, digest) in &told.tags {
        let found = registry
            .manifest(&pull(repo), &Reference::Tag(tag.clone()))
            .await;
        let found = found.unwrap_or_else(|error| panic!("step {at}: {repo}:{tag}: {error}"));
        // A later push of the tag may have happened without its answer getting out.
        assert!(
            found.digest == *digest || *tag.as_str() == *"v1",
            "step {at}"
        );
        for layer in [b"{}".as_slice(), layer_of(&found.payload)] {
            let digest = Algorithm::Sha256.digest(layer);
            assert!(
                read_blob(registry, repo, &digest).await.is_some(),
                "step {at}: {repo}"
            );
        }
    }
    for (repo, tag) in &told.gone {
        let found = registry
            .manifest(&pull(repo), &Reference::Tag(tag.clone()))
            .await;
        assert!(found.is_err(), "step {at}: deleted {repo}:{tag} came back");
    }
}

fn layer_of(payload: &[u8]) -> &'static [u8] {
    let layers = [b"one".as_slice(), b"two", b"three"];
    let names = |layer: &&[u8]| payload == manifest(b"{}", layer);
    layers.into_iter().find(names).unwrap()
}

#[tokio::test]
async fn a_crash_after_any_step_loses_nothing_that_was_acknowledged() {
    let mut at = 0;
    loop {
        // In memory: what a crash leaves does not depend on what a disk has synced.
        let root = tempfile::tempdir_in("/dev/shm").unwrap();
        let mut told = Told::default();
        let crash = Crash::after(at);
        if let Some(registry) = open(root.path(), &crash).await {
            story(&registry, &mut told).await;
        }

        let registry = open(root.path(), &Crash::after(usize::MAX)).await.unwrap();
        check(&registry, &told, at, line!()).await;
        told.gone.clear();
        story(&registry, &mut told).await;
        check(&registry, &told, at, line!()).await;
        registry.stop().await.unwrap();
        drop(registry);

        let registry = open(root.path(), &Crash::after(usize::MAX)).await.unwrap();
        registry.adopt(|_| {}).await.unwrap();
        check(&registry, &told, at, line!()).await;
        if !crash.happened() {
            break;
        }
        at += 1;
    }
    assert!(at > 100, "the story has only {at} steps");
}
