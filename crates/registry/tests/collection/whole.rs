//! Whether what is tagged can be pulled whole, and whether the folder holds nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use boxyard_oci::{Algorithm, Digest, EdgeKind, Manifest, Reference, RepoName};
use boxyard_registry::{CollectOptions, CollectReport, PullError, Registry};
use tokio::sync::mpsc;

use crate::harness::{pull, read_blob};

/// Collects once, untagged manifests included.
pub(crate) async fn collect(registry: &Arc<Registry>) -> Option<CollectReport> {
    let options = CollectOptions {
        untagged: true,
        dry_run: false,
    };
    let (sender, mut said) = mpsc::channel(64);
    let hear = async { while said.recv().await.is_some() {} };
    let (report, ()) = tokio::join!(registry.collect_now(options, sender), hear);
    report.ok()
}

/// Everything that the tags of `repo` lead to must be there; what that is.
async fn reachable(registry: &Arc<Registry>, repo: &RepoName) -> BTreeSet<Digest> {
    let manifests = manifests(registry, repo).await;
    let mut kept: BTreeSet<Digest> = tags(registry, repo).await;
    loop {
        let before = kept.len();
        for (digest, manifest) in &manifests {
            if manifest
                .subject()
                .is_some_and(|subject| kept.contains(&subject))
            {
                kept.insert(*digest);
            }
            if kept.contains(digest) {
                let named = manifest.edges().iter();
                let named = named.filter(|edge| edge.kind == EdgeKind::Child);
                kept.extend(named.map(|edge| edge.digest));
            }
        }
        if kept.len() == before {
            break;
        }
    }
    let listed: BTreeSet<Digest> = manifests.keys().copied().collect();
    assert_eq!(listed, kept, "manifests of {repo}");
    for manifest in manifests.values() {
        for edge in manifest.edges() {
            if matches!(edge.kind, EdgeKind::Config | EdgeKind::Layer) {
                let bytes = read_blob(registry, repo, &edge.digest).await;
                let actual = bytes.map(|bytes| Algorithm::Sha256.digest(&bytes));
                assert_eq!(actual, Some(edge.digest), "blob of {repo}");
                kept.insert(edge.digest);
            }
        }
    }
    kept
}

async fn manifests(registry: &Arc<Registry>, repo: &RepoName) -> BTreeMap<Digest, Manifest> {
    let mut found = BTreeMap::new();
    for kept in registry.kept(repo, None, usize::MAX).await.unwrap() {
        let reference = Reference::Digest(kept.manifest);
        let stored = registry.manifest(&pull(repo), &reference).await.unwrap();
        let manifest = Manifest::parse(stored.payload, None, Algorithm::Sha256);
        found.insert(kept.manifest, manifest.unwrap());
    }
    found
}

async fn tags(registry: &Arc<Registry>, repo: &RepoName) -> BTreeSet<Digest> {
    let listing = match registry.tags(&pull(repo), None, 10_000).await {
        Err(PullError::NameUnknown) => return BTreeSet::new(),
        listing => listing.unwrap(),
    };
    let mut named = BTreeSet::new();
    for tag in listing.items {
        let reference = Reference::Tag(tag);
        let stored = registry.manifest(&pull(repo), &reference).await;
        named.insert(stored.unwrap().digest);
    }
    named
}

/// What is tagged is whole, and the folder holds the files of that and no others.
pub(crate) async fn check(registry: &Arc<Registry>, root: &Path, at: &str) {
    let mut needed = BTreeSet::new();
    for repo in registry.every_repository(None, 10_000).await.unwrap() {
        needed.extend(reachable(registry, &repo).await);
    }
    let needed: BTreeSet<String> = needed.iter().map(Digest::hex).collect();
    assert_eq!(files(root), needed, "{at}: the files of blobs");
}

fn files(root: &Path) -> BTreeSet<String> {
    let blobs = root.join("docker/registry/v2/blobs/sha256");
    let names = |folder: &Path| -> Vec<std::fs::DirEntry> {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries.map(Result::unwrap).collect()
    };
    names(&blobs)
        .iter()
        .flat_map(|prefix| names(&prefix.path()))
        .filter(|blob| blob.path().join("data").exists())
        .map(|blob| blob.file_name().into_string().unwrap())
        .collect()
}
