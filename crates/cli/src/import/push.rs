//! Sending what a plan has: blobs first, then manifests, and tags when all of that is there.

use std::io;

use anyhow::{Context, bail};
use boxyard_client::{Client, Content};
use boxyard_oci::{Digest, Hasher, RepoName};
use bytes::Bytes;
use indicatif::ProgressBar;
use tokio::sync::mpsc;

use super::plan::{Bundle, Plan};
use crate::archive::Piece;
use crate::progress::{self, Unit};

/// How many bytes are read in one go, and how many of such pieces wait.
const PIECE: usize = 256 << 10;
const WAITING: usize = 4;

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done {
    pub(super) manifests: usize,
    /// Blobs that were sent, and how many bytes they have.
    pub(super) sent: usize,
    pub(super) bytes: u64,
    /// Blobs that were there already, perhaps in another repository.
    pub(super) kept: usize,
}

/// Sends everything.
pub(super) async fn push(client: &Client, plan: &Plan) -> anyhow::Result<Done> {
    let mut done = Done::default();
    let blobs = plan.bundles.iter().flat_map(|bundle| &bundle.blobs);
    let bar = progress::bar(blobs.map(|(_, piece)| piece.size()).sum(), Unit::Bytes)?;
    for bundle in &plan.bundles {
        bar.set_message(bundle.repo.to_string());
        for (digest, piece) in &bundle.blobs {
            let before = bar.position();
            send_blob(client, &bundle.repo, digest, piece, &bar, &mut done).await?;
            bar.set_position(before + piece.size());
        }
    }
    bar.set_message("manifests");
    for bundle in &plan.bundles {
        done.manifests += send_manifests(client, plan, bundle).await?;
    }
    for bundle in &plan.bundles {
        send_tags(client, plan, bundle).await?;
    }
    bar.finish_and_clear();
    Ok(done)
}

async fn send_blob(
    client: &Client,
    repo: &RepoName,
    digest: &Digest,
    piece: &Piece,
    bar: &ProgressBar,
    done: &mut Done,
) -> anyhow::Result<()> {
    let is_there = client.blob_size(repo, digest).await?.is_some();
    if is_there || client.mount(repo, digest, None).await? {
        done.kept += 1;
        return Ok(());
    }
    let (sender, receiver) = mpsc::channel(WAITING);
    let (read, name, moved) = (piece.clone(), *digest, bar.clone());
    let reading = tokio::task::spawn_blocking(move || pieces(&read, &name, &sender, &moved));
    let content = Content::pieces(receiver);
    let sent = client.upload(repo, digest, piece.size(), content).await;
    // What was wrong with the archive says more than that the request broke off.
    reading.await.context("read the archive")??;
    sent.with_context(|| format!("send {}", piece.place()))?;
    done.sent += 1;
    done.bytes += piece.size();
    Ok(())
}

/// Reads a blob to whoever sends it; one that is not what its digest says breaks the request off.
fn pieces(
    piece: &Piece,
    digest: &Digest,
    sender: &mpsc::Sender<io::Result<Bytes>>,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let mut reader = piece.reader();
    let mut hasher = Some(digest.algorithm().hasher());
    let mut left = piece.size();
    while left > 0 {
        let mut buffer = vec![0; PIECE];
        let length = crate::archive::fill(&mut reader, &mut buffer);
        let length = length.with_context(|| format!("read {}", piece.place()))?;
        buffer.truncate(length);
        left -= length as u64;
        let verified = verify(piece, digest, &mut hasher, &buffer, left);
        if let Err(error) = verified {
            let _ = sender.blocking_send(Err(io::Error::from(io::ErrorKind::InvalidData)));
            return Err(error);
        }
        if sender.blocking_send(Ok(Bytes::from(buffer))).is_err() {
            // The registry has answered before it had all; its answer says why.
            return Ok(());
        }
        bar.inc(length as u64);
    }
    Ok(())
}

/// Compares the digest before the last piece goes out.
fn verify(
    piece: &Piece,
    digest: &Digest,
    hasher: &mut Option<Hasher>,
    read: &[u8],
    left: u64,
) -> anyhow::Result<()> {
    if read.is_empty() {
        bail!("{} is cut short", piece.place());
    }
    let Some(mut now) = hasher.take() else {
        return Ok(());
    };
    now.update(read);
    if left > 0 {
        *hasher = Some(now);
        return Ok(());
    }
    let actual = now.finish();
    if actual != *digest {
        bail!(
            "{} has the digest {actual}: it is damaged; no tag was set",
            piece.place()
        );
    }
    Ok(())
}

async fn send_manifests(client: &Client, plan: &Plan, bundle: &Bundle) -> anyhow::Result<usize> {
    for (digest, media_type) in &bundle.manifests {
        let payload = plan.manifest(digest)?;
        let reference = (*digest).into();
        let put = client.put_manifest(&bundle.repo, &reference, media_type, payload);
        put.await
            .with_context(|| format!("store the manifest {digest} in `{}`", bundle.repo))?;
    }
    Ok(bundle.manifests.len())
}

async fn send_tags(client: &Client, plan: &Plan, bundle: &Bundle) -> anyhow::Result<()> {
    for (tag, digest) in &bundle.tags {
        let payload = plan.manifest(digest)?;
        let mut manifests = bundle.manifests.iter();
        let stored = manifests.find(|(stored, _)| stored == digest);
        let (_, media_type) = stored.context("find the manifest of a tag")?;
        let reference = tag.clone().into();
        let put = client.put_manifest(&bundle.repo, &reference, media_type, payload);
        put.await
            .with_context(|| format!("set the tag `{}:{tag}`", bundle.repo))?;
    }
    Ok(())
}
