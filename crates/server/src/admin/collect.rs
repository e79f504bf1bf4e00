//! Collecting at once what nothing uses any more.

use std::collections::HashSet;
use std::sync::Arc;

use boxyard_oci::{Digest, RepoName};
use boxyard_registry::{CollectOptions, Condemned, Internal, Registry, ReviewKind};
use http::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::arguments;
use super::events::{self, Events, Failure};
use super::serve::Attendant;
use crate::body::RequestBody;
use crate::error::ApiError;
use crate::response::ResponseBody;

/// Repositories and manifests listed in one go.
const PAGE: usize = 500;

/// What the collector is asked for.
#[derive(Debug, Deserialize)]
struct Arguments {
    untagged: bool,
    dry_run: bool,
    /// Whether to say also what stays.
    marks: bool,
}

/// Reads what was not read yet, and collects.
pub(super) async fn collect(
    attendant: &Attendant,
    body: RequestBody,
) -> Result<Response<ResponseBody>, ApiError> {
    let arguments: Arguments = arguments::read(body).await?;
    let registry = Arc::clone(&attendant.app.registry);
    Ok(events::answer(
        attendant.stop.clone(),
        |events| async move { run(&registry, &arguments, &events).await },
    ))
}

async fn run(
    registry: &Arc<Registry>,
    arguments: &Arguments,
    events: &Events,
) -> Result<Value, Failure> {
    registry
        .adopt(|progress| {
            let text = format!("{} tags", progress.tags);
            events.progress(progress.repositories, progress.repositories, &text);
        })
        .await?;
    let options = CollectOptions {
        untagged: arguments.untagged,
        dry_run: arguments.dry_run,
    };
    let (sender, mut said) = mpsc::channel(PAGE);
    let listen = async {
        let mut gone = Vec::new();
        while let Some(one) = said.recv().await {
            gone.push(one);
            events.progress(gone.len() as u64, gone.len() as u64, "collected");
        }
        gone
    };
    let (report, gone) = tokio::join!(registry.collect_now(options, sender), listen);
    let report = report?;
    let mut marked = 0;
    if arguments.marks {
        marked = marks(registry, &gone, events).await?;
    }
    for one in &gone {
        events.item(condemned(one)).await;
    }
    Ok(json!({
        "marked": marked,
        "manifests": report.manifests,
        "links": report.links,
        "blobs": report.blobs,
        "bytes": report.bytes,
        "promised": report.promised,
        "doubtful": report.doubtful,
    }))
}

fn condemned(one: &Condemned) -> Value {
    let kind = match one.kind {
        ReviewKind::Manifest => "manifest",
        ReviewKind::Blob => "link",
        ReviewKind::File => "file",
    };
    json!({
        "gone": kind,
        "repository": one.repo,
        "digest": one.digest,
        "bytes": one.freed,
    })
}

/// Says what stays, repository by repository; how many different blobs that are.
async fn marks(
    registry: &Arc<Registry>,
    gone: &[Condemned],
    events: &Events,
) -> Result<usize, Internal> {
    let gone: HashSet<(&RepoName, &Digest)> = gone
        .iter()
        .filter(|one| one.kind == ReviewKind::Manifest)
        .filter_map(|one| Some((one.repo.as_ref()?, &one.digest)))
        .collect();
    let mut marked = HashSet::new();
    let mut after = None;
    loop {
        let page = registry.every_repository(after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(marked.len());
        };
        after = Some(last.clone());
        for repo in &page {
            events.item(json!({"repository": repo})).await;
            let mut position = None;
            loop {
                let kept = registry.kept(repo, position.as_ref(), PAGE).await?;
                let Some(last) = kept.last() else { break };
                position = Some(last.manifest);
                for one in kept
                    .iter()
                    .filter(|one| !gone.contains(&(repo, &one.manifest)))
                {
                    marked.insert(short(&one.manifest));
                    marked.extend(one.names.iter().map(short));
                    let item =
                        json!({"marked": one.manifest, "repository": repo, "names": one.names});
                    events.item(item).await;
                }
            }
        }
    }
}

/// Enough of a digest to tell it from others, so that counting a million of them needs little memory.
fn short(digest: &Digest) -> u64 {
    let first = digest.as_bytes().first_chunk().copied();
    u64::from_le_bytes(first.unwrap_or_default())
}
