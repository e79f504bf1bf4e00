//! Small blobs whose bytes are only in the database: nothing works on the queue of the tree here but what a test asks for.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use boxyard_auth::{Permit, Pull};
use boxyard_oci::{Algorithm, Digest, Reference, RepoName};
use boxyard_registry::{CollectOptions, MountSource, Registry, ScrubOptions, Silent, Way};
use bytes::Buf;
use futures_util::StreamExt;
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::harness::{Crash, body, delete, manifest, name, open, pull, push, read_blob, tag};

const CONTENT: &[u8] = b"some small bytes";

struct Site {
    root: TempDir,
    registry: Arc<Registry>,
}

impl Site {
    async fn start() -> Self {
        let root = tempfile::tempdir_in("/dev/shm").unwrap();
        let registry = open(root.path(), &Crash::after(usize::MAX)).await.unwrap();
        registry.adopt(|_| {}).await.unwrap();
        Self { root, registry }
    }

    /// As most clients do: a session, a chunk, the end.
    async fn push(&self, repo: &str, content: &[u8]) -> Digest {
        let (permit, digest) = (push(&name(repo)), Algorithm::Sha256.digest(content));
        let id = self.registry.begin_upload(&permit, None).await.unwrap();
        let sent = self.registry.append(&permit, &id, None, body(content));
        assert_eq!(sent.await.unwrap(), content.len() as u64);
        let (end, teller) = (body(b""), Silent::teller());
        let finished = self
            .registry
            .finish(&permit, &id, &digest, None, end, &teller);
        finished.await.unwrap();
        digest
    }

    async fn read(&self, repo: &str, digest: &Digest) -> Option<Vec<u8>> {
        read_blob(&self.registry, &name(repo), digest).await
    }

    fn file(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        let blobs = self.root.path().join("docker/registry/v2/blobs/sha256");
        blobs.join(&hex[..2]).join(&hex).join("data")
    }

    async fn settle(&self) {
        self.registry.settle().await.unwrap();
    }
}

fn plant(path: &Path, content: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

#[tokio::test]
async fn a_blob_that_waits_for_its_file_is_a_blob_like_any_other() {
    let site = Site::start().await;
    let (first, second) = (name("first"), name("second"));

    let digest = site.push("first", CONTENT).await;

    assert!(!site.file(&digest).exists());
    assert_eq!(site.read("first", &digest).await.unwrap(), CONTENT);
    let blob = site.registry.blob(&pull(&first), &digest).await.unwrap();
    let mut part = Box::pin(blob.read(5, 10, Way::Copied));
    let piece = part.next().await.unwrap().unwrap();
    assert_eq!(piece.chunk(), b"small");
    assert!(part.next().await.is_none());
    let found = site.registry.blob_size(&pull(&first), None, &digest).await;
    assert_eq!(found.unwrap(), CONTENT.len() as u64);
    let source = MountSource::<fn(&RepoName) -> Option<Permit<Pull>>>::From(pull(&first));
    let teller = Silent::teller();
    let permit = push(&second);
    let mounted = site.registry.mount(&permit, &digest, source, &teller);
    assert!(mounted.await.unwrap());
    let config = site.push("second", b"{}").await;
    let image = manifest(b"{}", CONTENT);
    let reference = Reference::Tag(tag("v1"));
    let pushed = site
        .registry
        .push_manifest(&permit, &reference, None, image, Vec::new(), &teller);
    pushed.await.unwrap();
    let (events, mut heard) = mpsc::channel(1000);
    let scrubbed = site.registry.scrub(ScrubOptions::default(), events);
    let report = scrubbed.await.unwrap();
    assert_eq!((report.blobs, report.damaged, report.mended), (2, 0, 0));
    assert_eq!(report.bytes, report.total_bytes);
    while heard.recv().await.is_some() {}
    assert!(!site.file(&digest).exists() && !site.file(&config).exists());

    site.settle().await;
    for repo in ["first", "second"] {
        assert_eq!(std::fs::read(site.file(&digest)).unwrap(), CONTENT);
        assert_eq!(site.read(repo, &digest).await.unwrap(), CONTENT);
    }
}

#[tokio::test]
async fn a_blob_that_is_deleted_before_it_has_a_file_gets_none() {
    let site = Site::start().await;
    let digest = site.push("app", CONTENT).await;
    let (permit, teller) = (delete(&name("app")), Silent::teller());

    let deleted = site.registry.delete_blob(&permit, &digest, &teller);
    deleted.await.unwrap();

    assert_eq!(site.read("app", &digest).await, None);
    site.settle().await;
    assert!(!site.file(&digest).exists());
    site.push("app", CONTENT).await;
    assert_eq!(site.read("app", &digest).await.unwrap(), CONTENT);
    site.settle().await;
    assert_eq!(std::fs::read(site.file(&digest)).unwrap(), CONTENT);
}

#[tokio::test]
async fn a_collection_takes_what_waits_for_its_file_and_nobody_needs() {
    let site = Site::start().await;
    let digest = site.push("app", CONTENT).await;

    let (gone, _heard) = mpsc::channel(10);
    let collected = site.registry.collect_now(CollectOptions::default(), gone);
    collected.await.unwrap();
    site.settle().await;

    assert_eq!(site.read("app", &digest).await, None);
    assert!(!site.file(&digest).exists());
}

#[tokio::test]
async fn half_a_file_is_not_read_while_the_bytes_are_in_the_database() {
    let site = Site::start().await;
    let digest = site.push("app", CONTENT).await;

    plant(&site.file(&digest), &CONTENT[..4]);

    assert_eq!(site.read("app", &digest).await.unwrap(), CONTENT);
    site.settle().await;
    assert_eq!(std::fs::read(site.file(&digest)).unwrap(), CONTENT);
    assert_eq!(site.read("app", &digest).await.unwrap(), CONTENT);
}

#[tokio::test]
async fn a_push_of_what_was_stored_costs_no_file_and_heals_one_that_is_not_there_any_more() {
    let site = Site::start().await;
    let digest = site.push("app", CONTENT).await;
    site.settle().await;
    let written = || std::fs::metadata(site.file(&digest)).unwrap().modified();
    let before = written().unwrap();

    site.push("other", CONTENT).await;
    site.settle().await;
    assert_eq!(written().unwrap(), before);

    for damage in [Some(&CONTENT[..4]), None] {
        match damage {
            Some(damage) => std::fs::write(site.file(&digest), damage).unwrap(),
            None => std::fs::remove_file(site.file(&digest)).unwrap(),
        }
        site.push("third", CONTENT).await;
        for repo in ["app", "other", "third"] {
            assert_eq!(site.read(repo, &digest).await.unwrap(), CONTENT);
        }
        site.settle().await;
        assert_eq!(std::fs::read(site.file(&digest)).unwrap(), CONTENT);
    }
}

/// As much as the bound on what waits for files, in blobs of the largest size that waits there.
const FULL: u32 = 1024;

fn large(seed: u32) -> Vec<u8> {
    seed.to_le_bytes().repeat(8 << 10)
}

#[tokio::test]
async fn what_is_pushed_again_and_again_waits_for_its_file_once() {
    let site = Site::start().await;

    for _ in 0..=FULL {
        site.push("app", &large(1)).await;
    }
}

#[tokio::test]
async fn a_push_waits_while_too_much_has_no_file_also_after_a_restart() {
    let site = Site::start().await;
    for seed in 0..FULL {
        site.push("app", &large(seed)).await;
    }

    let Site { root, registry } = site;
    drop(registry);
    let registry = open(root.path(), &Crash::after(usize::MAX)).await.unwrap();
    let site = Site { root, registry };
    let content = large(FULL);
    let mut late = Box::pin(site.push("app", &content));
    let waited = tokio::time::timeout(Duration::from_millis(200), late.as_mut()).await;
    assert!(waited.is_err(), "there is no bound");

    let (digest, ()) = tokio::join!(late, site.settle());
    assert_eq!(site.read("app", &digest).await.unwrap(), content);
}

#[tokio::test]
async fn what_was_deleted_before_it_had_a_file_keeps_no_push_waiting_for_long() {
    let site = Site::start().await;
    let (permit, teller) = (delete(&name("app")), Silent::teller());
    for seed in 0..FULL {
        let digest = site.push("app", &large(seed)).await;
        let deleted = site.registry.delete_blob(&permit, &digest, &teller);
        deleted.await.unwrap();
    }

    let content = large(FULL);
    let (digest, ()) = tokio::join!(site.push("app", &content), site.settle());
    assert_eq!(site.read("app", &digest).await.unwrap(), content);
}
