//! The story of deletes: what nobody needs any more loses its file, and nothing else does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use boxyard_auth::{Permit, Pull};
use boxyard_oci::{Algorithm, Digest, Reference, RepoName};
use boxyard_registry::{MountSource, Registry, Silent};
use bytes::Bytes;

use crate::harness::{Crash, body, delete, manifest, name, open, pull, push, read_blob, tag};

/// What each repository was told of each blob: held, or deleted. What was not answered is not known.
type Told = BTreeMap<(RepoName, Digest), bool>;

const CONTENTS: [&[u8]; 4] = [b"{}", b"alone", b"shared", b"layer"];

fn digest(content: &[u8]) -> Digest {
    Algorithm::Sha256.digest(content)
}

fn image() -> Bytes {
    manifest(b"{}", b"layer")
}

async fn push_blob(registry: &Arc<Registry>, repo: &str, content: &[u8], told: &mut Told) {
    let (repo, digest) = (name(repo), digest(content));
    told.remove(&(repo.clone(), digest));
    let pushed = registry
        .push_blob(&push(&repo), &digest, body(content), &Silent::teller())
        .await;
    if pushed.is_ok() {
        told.insert((repo, digest), true);
    }
}

async fn delete_blob(registry: &Arc<Registry>, repo: &str, content: &[u8], told: &mut Told) {
    let (repo, digest) = (name(repo), digest(content));
    told.remove(&(repo.clone(), digest));
    if registry
        .delete_blob(&delete(&repo), &digest, &Silent::teller())
        .await
        .is_ok()
    {
        told.insert((repo, digest), false);
    }
}

async fn mount(registry: &Arc<Registry>, from: &str, to: &str, content: &[u8], told: &mut Told) {
    let (from, to, digest) = (name(from), name(to), digest(content));
    let source = MountSource::<fn(&RepoName) -> Option<Permit<Pull>>>::From(pull(&from));
    if let Ok(true) = registry
        .mount(&push(&to), &digest, source, &Silent::teller())
        .await
    {
        told.insert((to, digest), true);
    }
}

/// Fills two repositories and deletes what one of them holds; some of it comes back at once.
async fn story(registry: &Arc<Registry>, told: &mut Told) {
    // Nothing goes before the whole tree is known.
    let _ = registry.adopt(|_| {}).await;
    for content in CONTENTS {
        push_blob(registry, "first", content, told).await;
    }
    mount(registry, "first", "second", b"shared", told).await;
    let (first, latest) = (name("first"), Reference::Tag(tag("latest")));
    let pushed = registry
        .push_manifest(
            &push(&first),
            &latest,
            None,
            image(),
            Vec::new(),
            &Silent::teller(),
        )
        .await;
    let _ = registry.settle().await;

    if pushed.is_ok() {
        let (permit, digest) = (delete(&first), digest(&image()));
        let _ = registry
            .delete_manifest(&permit, &digest, &Silent::teller())
            .await;
    }
    for content in CONTENTS {
        delete_blob(registry, "first", content, told).await;
    }
    push_blob(registry, "second", b"layer", told).await;
    let _ = registry.settle().await;
    push_blob(registry, "second", b"alone", told).await;
    let _ = registry.settle().await;
}

/// What was told is true, and the folder holds the files of what is held and no others.
async fn check(registry: &Arc<Registry>, root: &Path, told: &Told, at: usize) {
    for ((repo, digest), held) in told {
        let served = read_blob(registry, repo, digest).await;
        let served = served.map(|bytes| Algorithm::Sha256.digest(&bytes));
        assert_eq!(served, held.then_some(*digest), "step {at}: {repo}");
    }
    let mut held = BTreeSet::new();
    for repo in ["first", "second"].map(name) {
        for content in CONTENTS {
            if read_blob(registry, &repo, &digest(content)).await.is_some() {
                held.insert(digest(content));
            }
        }
        let image = digest(&image());
        let (permit, reference) = (pull(&repo), Reference::Digest(image));
        if registry.manifest(&permit, &reference).await.is_ok() {
            held.insert(image);
        }
    }
    assert_eq!(files(root), held, "step {at}");
}

/// The blobs that have files.
fn files(root: &Path) -> BTreeSet<Digest> {
    let all = CONTENTS.map(digest).into_iter().chain([digest(&image())]);
    let blobs = root.join("docker/registry/v2/blobs/sha256");
    all.filter(|digest| {
        let hex = digest.hex();
        blobs.join(&hex[..2]).join(&hex).join("data").exists()
    })
    .collect()
}

#[tokio::test]
async fn a_crash_after_any_step_leaves_neither_a_lost_blob_nor_a_file_that_nobody_needs() {
    let mut at = 0;
    loop {
        let root = tempfile::tempdir_in("/dev/shm").unwrap();
        let mut told = Told::default();
        let crash = Crash::after(at);
        if let Some(registry) = open(root.path(), &crash).await {
            story(&registry, &mut told).await;
        }

        let registry = open(root.path(), &Crash::after(usize::MAX)).await.unwrap();
        registry.adopt(|_| {}).await.unwrap();
        registry.settle().await.unwrap();
        check(&registry, root.path(), &told, at).await;
        story(&registry, &mut told).await;
        check(&registry, root.path(), &told, at).await;
        assert_eq!(files(root.path()).len(), 3, "shared, layer and alone");
        registry.stop().await.unwrap();
        if !crash.happened() {
            break;
        }
        at += 1;
    }
    assert!(at > 100, "the story has only {at} steps");
}
