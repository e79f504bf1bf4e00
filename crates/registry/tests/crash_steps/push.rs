//! The story of pushes, a mount and a deleted tag.

use std::collections::BTreeSet;
use std::sync::Arc;

use boxyard_auth::{Permit, Pull};
use boxyard_oci::{Algorithm, Digest, Reference, RepoName, Tag};
use boxyard_registry::{MountSource, Registry, Silent, Syncing};

use crate::harness::{
    Crash, body, delete, manifest, name, open, open_syncing, pull, push, read_blob, tag,
};

/// What the story was told to be stored, and what it was told to be gone.
#[derive(Debug, Default)]
struct Told {
    blobs: BTreeSet<(RepoName, Digest)>,
    tags: BTreeSet<(RepoName, Tag, Digest)>,
    gone: BTreeSet<(RepoName, Tag)>,
}

async fn push_blob(registry: &Arc<Registry>, repo: &RepoName, bytes: &[u8], told: &mut Told) {
    let digest = Algorithm::Sha256.digest(bytes);
    let pushed = registry
        .push_blob(&push(repo), &digest, body(bytes), &Silent::teller())
        .await;
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
        .push_manifest(
            &permit,
            &reference,
            None,
            payload,
            Vec::new(),
            &Silent::teller(),
        )
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
    if let Ok(true) = registry
        .mount(&push(&second), &mounted, source, &Silent::teller())
        .await
    {
        told.blobs.insert((second.clone(), mounted));
    }
    push_image(registry, &second, b"two", &tag("v1"), told).await;
    push_image(registry, &second, b"three", &tag("v1"), told).await;
    let _ = registry.settle().await;
    // A delete that fails may have happened without its answer getting out.
    told.tags.retain(|(repo, _, _)| *repo != first);
    let deleted = registry
        .delete_tag(&delete(&first), &tag("v1"), &Silent::teller())
        .await;
    if deleted.is_ok() {
        told.gone.insert((first, tag("v1")));
    }
    let _ = registry.settle().await;
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
    crash_everywhere(Syncing::Each).await;
}

#[tokio::test]
async fn a_crash_after_any_step_loses_nothing_where_filesystems_are_synced_as_a_whole() {
    crash_everywhere(Syncing::Whole).await;
}

async fn crash_everywhere(syncing: Syncing) {
    let mut at = 0;
    loop {
        // In memory: what a crash leaves does not depend on what a disk has synced.
        let root = tempfile::tempdir_in("/dev/shm").unwrap();
        let mut told = Told::default();
        let crash = Crash::after(at);
        if let Some(registry) = open_syncing(root.path(), &crash, syncing).await {
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

/// The links of the last round may be cut short, and nothing but the tree is left.
#[tokio::test]
async fn a_database_that_is_lost_in_a_crash_leaves_nothing_that_is_served_cut_short() {
    let mut at = 0;
    loop {
        let root = tempfile::tempdir_in("/dev/shm").unwrap();
        let crash = Crash::after(at);
        if let Some(registry) = open_syncing(root.path(), &crash, Syncing::Whole).await {
            story(&registry, &mut Told::default()).await;
        }
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(root.path().join(format!("boxyard.db{suffix}")));
        }

        let registry = open(root.path(), &Crash::after(usize::MAX)).await.unwrap();
        registry.adopt(|_| {}).await.unwrap();

        for repo in [name("first"), name("team/second")] {
            for bytes in [b"{}".as_slice(), b"one", b"two", b"three"] {
                let digest = Algorithm::Sha256.digest(bytes);
                let found = read_blob(&registry, &repo, &digest).await;
                assert!(
                    found.is_none_or(|found| found == bytes),
                    "step {at}: {repo}"
                );
            }
            let reference = Reference::Tag(tag("v1"));
            if let Ok(found) = registry.manifest(&pull(&repo), &reference).await {
                let layer = Algorithm::Sha256.digest(layer_of(&found.payload));
                let layer = read_blob(&registry, &repo, &layer).await;
                assert!(layer.is_some(), "step {at}: {repo}");
            }
        }
        story(&registry, &mut Told::default()).await;
        registry.stop().await.unwrap();
        if !crash.happened() {
            break;
        }
        at += 1;
    }
    assert!(at > 100, "the story has only {at} steps");
}
