//! Many clients that push, mount, tag, ask and delete at random while a collector that grants no grace runs.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use boxyard_auth::{Permit, Pull};
use boxyard_oci::{Algorithm, Digest, Reference, RepoName, media_type};
use boxyard_registry::{MountSource, Options, PushManifestError, Registry, Silent};
use bytes::Bytes;

use crate::harness::{body, delete, manifest, name, pull, push, tag};
use crate::whole::{check, collect};

/// For how long a client may rely on what it was told.
const WINDOW: Duration = Duration::from_secs(1);
const CLIENTS: u64 = 8;
const STEPS: usize = 150;

/// Numbers that look random and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

struct Client {
    registry: Arc<Registry>,
    chance: Chance,
}

fn digest(content: &[u8]) -> Digest {
    Algorithm::Sha256.digest(content)
}

impl Client {
    fn repo(&mut self) -> RepoName {
        name(["team/one", "team/two"][usize::try_from(self.chance.below(2)).unwrap()])
    }

    fn layer(&mut self) -> Vec<u8> {
        let number = self.chance.below(10);
        format!("layer {number}")
            .repeat(1 + usize::try_from(number).unwrap() * 300)
            .into_bytes()
    }

    fn config(&mut self) -> Vec<u8> {
        format!(r#"{{"number":{}}}"#, self.chance.below(4)).into_bytes()
    }

    async fn step(&mut self) {
        match self.chance.below(10) {
            0..=2 => self.push_image().await,
            3 => self.push_index().await,
            4 => self.mount().await,
            5 => self.refer().await,
            6 => self.abort().await,
            7 => self.untag().await,
            8 => self.delete_own().await,
            _ => self.ask().await,
        }
    }

    /// Whether the blob is there, as a client asks that is about to push.
    async fn has_blob(&self, repo: &RepoName, digest: &Digest) -> bool {
        let (pull, push) = (pull(repo), push(repo));
        let size = self.registry.blob_size(&pull, Some(&push), digest);
        size.await.is_ok()
    }

    async fn has_manifest(&self, repo: &RepoName, digest: Digest) -> bool {
        let (pull, push) = (pull(repo), push(repo));
        let reference = Reference::Digest(digest);
        let found = self
            .registry
            .manifest_relied_upon(&pull, Some(&push), &reference);
        found.await.is_ok()
    }

    async fn ensure_blob(&self, repo: &RepoName, content: &[u8]) {
        let digest = digest(content);
        if !self.has_blob(repo, &digest).await {
            let (push, teller) = (push(repo), Silent::teller());
            let pushed = self
                .registry
                .push_blob(&push, &digest, body(content), &teller);
            pushed.await.unwrap();
        }
    }

    /// Pushes a manifest after what it names was promised at `since`; only a client that was too slow may be refused.
    async fn put(
        &self,
        repo: &RepoName,
        tag_number: Option<u64>,
        payload: Bytes,
        since: Instant,
    ) -> Digest {
        let digest = digest(&payload);
        let reference = match tag_number {
            Some(number) => Reference::Tag(tag(&format!("tag-{number}"))),
            None => Reference::Digest(digest),
        };
        let (push, teller) = (push(repo), Silent::teller());
        let pushed =
            self.registry
                .push_manifest(&push, &reference, None, payload, Vec::new(), &teller);
        match pushed.await {
            Ok(_) => {}
            Err(PushManifestError::UnknownBlobs { .. }) if since.elapsed() >= WINDOW => {}
            Err(error) => panic!("{error} {:?} after the promise", since.elapsed()),
        }
        digest
    }

    async fn push_image(&mut self) {
        let (repo, config, layer) = (self.repo(), self.config(), self.layer());
        let since = Instant::now();
        self.ensure_blob(&repo, &config).await;
        self.ensure_blob(&repo, &layer).await;
        let number = self.chance.below(8);
        self.put(&repo, Some(number), manifest(&config, &layer), since)
            .await;
    }

    async fn push_index(&mut self) {
        let (repo, config, layer) = (self.repo(), self.config(), self.layer());
        let since = Instant::now();
        self.ensure_blob(&repo, &config).await;
        self.ensure_blob(&repo, &layer).await;
        let child = manifest(&config, &layer);
        if !self.has_manifest(&repo, digest(&child)).await {
            self.put(&repo, None, child.clone(), since).await;
        }
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{}","size":{}}}]}}"#,
            media_type::OCI_INDEX,
            media_type::OCI_MANIFEST,
            digest(&child),
            child.len()
        );
        let number = self.chance.below(8);
        self.put(&repo, Some(number), Bytes::from(text), since)
            .await;
    }

    async fn mount(&mut self) {
        let (from, config, layer) = (self.repo(), self.config(), self.layer());
        let to = name("team/mounted");
        let since = Instant::now();
        self.ensure_blob(&to, &config).await;
        let source = MountSource::<fn(&RepoName) -> Option<Permit<Pull>>>::From(pull(&from));
        let teller = Silent::teller();
        let mounted = self
            .registry
            .mount(&push(&to), &digest(&layer), source, &teller)
            .await;
        if !mounted.unwrap() {
            self.ensure_blob(&to, &layer).await;
        }
        let number = self.chance.below(4);
        self.put(&to, Some(number), manifest(&config, &layer), since)
            .await;
    }

    /// Pushes a referrer of an image that is there.
    async fn refer(&mut self) {
        let (repo, config, layer) = (self.repo(), self.config(), self.layer());
        let subject = manifest(&config, &layer);
        let since = Instant::now();
        self.ensure_blob(&repo, b"{}").await;
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","artifactType":"application/x-signature","config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{}","size":2}},"layers":[],"subject":{{"mediaType":"{}","digest":"{}","size":{}}}}}"#,
            media_type::OCI_MANIFEST,
            digest(b"{}"),
            media_type::OCI_MANIFEST,
            digest(&subject),
            subject.len()
        );
        self.put(&repo, None, Bytes::from(text), since).await;
    }

    async fn abort(&mut self) {
        let (repo, layer) = (self.repo(), self.layer());
        let id = self
            .registry
            .begin_upload(&push(&repo), None)
            .await
            .unwrap();
        let push = push(&repo);
        let appended = self.registry.append(&push, &id, None, body(&layer));
        appended.await.unwrap();
        let cancelled = self.registry.cancel_upload(&push, &id);
        cancelled.await.unwrap();
    }

    async fn untag(&mut self) {
        let repo = self.repo();
        let tag = tag(&format!("tag-{}", self.chance.below(8)));
        let _ = self
            .registry
            .delete_tag(&delete(&repo), &tag, &Silent::teller())
            .await;
    }

    /// Deletes a manifest of a repository in which nobody relies on one.
    async fn delete_own(&mut self) {
        let (config, layer) = (self.config(), self.layer());
        let image = digest(&manifest(&config, &layer));
        let _ = self
            .registry
            .delete_manifest(&delete(&name("team/mounted")), &image, &Silent::teller())
            .await;
    }

    async fn ask(&mut self) {
        let (repo, layer) = (self.repo(), self.layer());
        self.has_blob(&repo, &digest(&layer)).await;
    }
}

async fn open(root: &Path) -> Arc<Registry> {
    let mut options = Options::at(root);
    let collecting = &mut options.settings.collecting;
    collecting.grace = Duration::ZERO;
    collecting.untagged = Some(Duration::ZERO);
    collecting.window = WINDOW;
    collecting.per_second = u32::MAX;
    Registry::open(options).await.unwrap()
}

/// Collects until nothing is promised any more and nothing goes.
async fn collect_all(registry: &Arc<Registry>) {
    let mut looks = tokio::time::interval(Duration::from_millis(50));
    loop {
        looks.tick().await;
        let report = collect(registry).await.unwrap();
        if report == boxyard_registry::CollectReport::default() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_tagged_stays_whole_and_the_rest_goes_while_clients_do_what_they_like() {
    let root = tempfile::tempdir_in("/dev/shm").unwrap();
    let registry = open(root.path()).await;
    registry.work();
    let done = tokio_util::sync::CancellationToken::new();
    let collector = tokio::spawn({
        let (registry, done) = (Arc::clone(&registry), done.clone());
        async move {
            let mut removed = 0;
            while !done.is_cancelled() {
                if let Some(report) = collect(&registry).await {
                    removed += report.blobs;
                }
                tokio::task::yield_now().await;
            }
            removed
        }
    });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|seed| {
            let mut client = Client {
                registry: Arc::clone(&registry),
                chance: Chance(0x9e37_79b9_7f4a_7c15 ^ (seed + 1)),
            };
            tokio::spawn(async move {
                for _ in 0..STEPS {
                    client.step().await;
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    done.cancel();
    collector.await.unwrap();

    collect_all(&registry).await;
    check(&registry, root.path(), "at the end").await;
    registry.stop().await.unwrap();
}
