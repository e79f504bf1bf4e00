//! Measures what the design asks of the database, on a file in the folder given as the first
//! argument: `cargo run --release --package boxyard_meta --example measure -- /var/tmp`.
#![expect(clippy::print_stdout, reason = "a program for a person at a terminal")]

use std::{error::Error, path::Path, sync::Arc, time::Instant};

use boxyard_meta::{CommitManifest, LayerInTree, Meta, NoFaults, Reconcile};
use boxyard_oci::{Algorithm, Digest, Manifest, RepoName, Tag};
use bytes::Bytes;
use tokio::task::JoinSet;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How many items of the tree one batch takes in.
const BATCH: usize = 1000;
const TAGS: usize = 200_000;
const LAYERS: usize = 200_000;
const REVISIONS: usize = 50_000;
/// How many clients push at once, and how often each.
const CLIENTS: usize = 16;
const PUSHES: usize = 500;

#[tokio::main]
async fn main() -> Result<()> {
    let folder = std::env::args().nth(1).ok_or("expected a folder")?;
    let folder = tempfile::tempdir_in(Path::new(&folder))?;
    let meta = Meta::open(&folder.path().join("boxyard.db"), Arc::new(NoFaults))?;
    let repo: RepoName = "library/measured".parse()?;
    take_in("layer links", &meta, layers(&repo)).await?;
    take_in("revisions of ten layers", &meta, revisions(&repo)?).await?;
    take_in("tags", &meta, tags(&repo)?).await?;
    push(&meta).await?;
    list(&meta, &repo).await?;
    meta.close();
    Ok(())
}

async fn take_in(what: &str, meta: &Meta, items: Vec<Reconcile>) -> Result<()> {
    let (count, start) = (items.len(), Instant::now());
    let mut items = items.into_iter().peekable();
    while items.peek().is_some() {
        let batch: Vec<_> = items.by_ref().take(BATCH).collect();
        let size = batch.len();
        let reconciled = meta.reconcile(batch).await?;
        assert_eq!(reconciled.applied, size as u64);
    }
    report(what, count, start);
    Ok(())
}

async fn push(meta: &Meta) -> Result<()> {
    let run = meta.begin_run().await?.generation;
    for client in 0..CLIENTS {
        meta.mark_complete(&client_repo(client)?, run).await?;
    }
    let start = Instant::now();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(push_images(meta.clone(), client));
    }
    while !clients.is_empty() {
        tokio::select! {
            pushed = clients.join_next() => pushed.ok_or("no client is left")???,
            drained = drain(meta) => drained?,
        }
    }
    let what = "images pushed by 16 clients (3 blobs of 4 KiB, manifest, tag)";
    report(what, CLIENTS * PUSHES, start);
    Ok(())
}

/// What the projector does, without the files.
async fn drain(meta: &Meta) -> Result<()> {
    loop {
        let wanted = meta.projections(BATCH).await?;
        let done: Vec<i64> = wanted.iter().map(|one| one.sequence).collect();
        meta.end_projections(&done).await?;
    }
}

fn client_repo(client: usize) -> Result<RepoName> {
    Ok(format!("client/{client}").parse()?)
}

async fn push_images(meta: Meta, client: usize) -> std::result::Result<(), String> {
    for push in 0..PUSHES {
        push_image(&meta, client, push)
            .await
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

async fn push_image(meta: &Meta, client: usize, push: usize) -> Result<()> {
    let repo = client_repo(client)?;
    let mut blobs = Vec::new();
    for blob in 0..3 {
        let content = format!("{client} {push} {blob} ").repeat(400);
        let digest = Algorithm::Sha256.digest(content.as_bytes());
        let size = content.len() as u64;
        meta.hold_blob(&repo, &digest, size, Some(Bytes::from(content)), Vec::new())
            .await?;
        blobs.push(digest);
    }
    let manifest = image(blobs[0], &blobs[1..])?;
    let tags = vec![format!("v{push}").parse()?];
    meta.commit_manifest(CommitManifest {
        may_lack: Vec::new(),
        repo,
        manifest,
        tags,
        sparse: false,
        events: Vec::new(),
    })
    .await?;
    Ok(())
}

async fn list(meta: &Meta, repo: &RepoName) -> Result<()> {
    let (pages, start) = (2000, Instant::now());
    for page in 0..pages {
        let after = format!("v{}", page * 97 % TAGS);
        assert!(meta.tags(repo, Some(&after), 100).await?.len() <= 100);
    }
    report("pages of 100 tags", pages, start);
    let (lookups, start) = (20_000, Instant::now());
    for lookup in 0..lookups {
        let tag: Tag = format!("v{}", lookup % TAGS).parse()?;
        meta.manifest_by_tag(repo, &tag).await?;
    }
    report("manifests by tag, one reader", lookups, start);
    Ok(())
}

fn layers(repo: &RepoName) -> Vec<Reconcile> {
    let one = |index| {
        let digest = layer(index);
        let tree = Some(LayerInTree {
            target: digest,
            size: 4096,
        });
        Reconcile::Layer {
            repo: repo.clone(),
            digest,
            seen: None,
            tree,
        }
    };
    (0..LAYERS).map(one).collect()
}

fn revisions(repo: &RepoName) -> Result<Vec<Reconcile>> {
    let one = |index: usize| {
        let names: Vec<_> = (0..10)
            .map(|name| layer((index * 7 + name) % LAYERS))
            .collect();
        let manifest = image(layer(index), &names)?;
        Ok(Reconcile::Revision {
            repo: repo.clone(),
            digest: manifest.digest(),
            seen: false,
            tree: Some(manifest),
            modified: None,
        })
    };
    (0..REVISIONS).map(one).collect()
}

fn tags(repo: &RepoName) -> Result<Vec<Reconcile>> {
    let one = |index| {
        Ok(Reconcile::Tag {
            repo: repo.clone(),
            tag: format!("v{index}").parse()?,
            seen: None,
            tree: Some(layer(index)),
            modified: None,
        })
    };
    (0..TAGS).map(one).collect()
}

fn layer(index: usize) -> Digest {
    Algorithm::Sha256.digest(&index.to_le_bytes())
}

fn image(config: Digest, layers: &[Digest]) -> Result<Manifest> {
    let descriptor =
        |digest| format!(r#"{{"mediaType":"application/x","digest":"{digest}","size":4096}}"#);
    let layers: Vec<_> = layers.iter().map(descriptor).collect();
    let json = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
            "config":{},"layers":[{}]}}"#,
        descriptor(&config),
        layers.join(",")
    );
    Ok(Manifest::parse(Bytes::from(json), None, Algorithm::Sha256)?)
}

#[expect(clippy::cast_precision_loss, reason = "a count of thousands")]
fn report(what: &str, count: usize, start: Instant) {
    let rate = count as f64 / start.elapsed().as_secs_f64();
    println!("{rate:>10.0} a second: {what}");
}
