//! Writing what a plan has, and comparing it with its digests on the way.

use anyhow::{Context, bail, ensure};
use boxyard_client::Client;
use indicatif::ProgressBar;

use super::Names;
use super::docker::{Legacy, path};
use super::index;
use super::output::Output;
use super::plan::{Entry, Plan};
use crate::progress::{self, Unit};

/// Writes everything; how many bytes of content that were.
pub(super) async fn write(
    client: &Client,
    plan: &Plan,
    names: &Names,
    legacy: Option<Legacy>,
    output: &mut Output,
) -> anyhow::Result<u64> {
    output.list(index::entries(plan, names)).await?;
    if let Some(legacy) = legacy {
        output.file("manifest.json", &legacy.manifest).await?;
        output.file("repositories", &legacy.repositories).await?;
    }
    let bar = progress::bar(plan.bytes(), Unit::Bytes)?;
    let mut written = 0;
    for entry in &plan.entries {
        bar.set_message(entry.repo.to_string());
        let place = path(&entry.digest);
        if output.has(&place, entry.size) {
            bar.inc(entry.size);
            continue;
        }
        if entry.is_manifest {
            write_manifest(client, entry, &place, output).await?;
            bar.inc(entry.size);
        } else {
            write_blob(client, entry, &place, output, &bar).await?;
        }
        written += entry.size;
    }
    bar.finish_and_clear();
    Ok(written)
}

async fn write_manifest(
    client: &Client,
    entry: &Entry,
    place: &str,
    output: &mut Output,
) -> anyhow::Result<()> {
    let digest = entry.digest;
    let found = client.manifest(&entry.repo, &digest.into()).await?;
    let payload = found.with_context(|| gone(entry))?.payload;
    ensure!(
        digest.algorithm().digest(&payload) == digest,
        "the manifest {digest} is damaged: `boxyard scrub` finds all that is"
    );
    output.file(place, &payload).await
}

async fn write_blob(
    client: &Client,
    entry: &Entry,
    place: &str,
    output: &mut Output,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let digest = entry.digest;
    let found = client.blob(&entry.repo, &digest).await?;
    let mut content = found.with_context(|| gone(entry))?;
    ensure!(content.size() == entry.size, "{}", gone(entry));
    output.begin(place, entry.size).await?;
    let mut hasher = digest.algorithm().hasher();
    let mut left = entry.size;
    while let Some(piece) = content.next().await? {
        hasher.update(&piece);
        let length = piece.len() as u64;
        left = left.checked_sub(length).with_context(|| gone(entry))?;
        bar.inc(length);
        output.piece(piece).await?;
    }
    let actual = hasher.finish();
    if left > 0 || actual != digest {
        bail!("the blob {digest} is damaged: `boxyard scrub` finds all that is");
    }
    output.end().await
}

fn gone(entry: &Entry) -> String {
    format!(
        "`{}` no longer holds {}: it was removed meanwhile",
        entry.repo, entry.digest
    )
}
