//! What is kept, and what waits to go.

use std::sync::Arc;

use boxyard_oci::RepoName;
use boxyard_registry::{Condemnable, Internal, Registry, ReviewKind};
use http::Response;
use serde_json::{Value, json};

use super::events::{self, Events};
use super::repositories::seconds;
use super::serve::Attendant;
use crate::response::ResponseBody;

/// Repositories listed in one go.
const PAGE: usize = 500;

/// Sums up every repository.
pub(super) fn usage(attendant: &Attendant) -> Response<ResponseBody> {
    let registry = Arc::clone(&attendant.app.registry);
    events::answer(attendant.stop.clone(), |events| async move {
        let mut after: Option<RepoName> = None;
        loop {
            let page = registry.every_repository(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            for repo in &page {
                tell(&registry, repo, &events).await?;
            }
        }
        let files = registry.condemnable(None).await?;
        let files: Vec<Value> = files.iter().map(waiting).collect();
        Ok(json!({"bytes": registry.bytes_held().await?, "waiting": files}))
    })
}

async fn tell(registry: &Arc<Registry>, repo: &RepoName, events: &Events) -> Result<(), Internal> {
    let Some(summary) = registry.repository_summary(repo).await? else {
        return Ok(());
    };
    let waits = registry.condemnable(Some(repo)).await?;
    let waits: Vec<Value> = waits.iter().map(waiting).collect();
    events
        .item(json!({
            "repository": repo,
            "tags": summary.tags,
            "manifests": summary.manifests,
            "bytes": summary.bytes,
            "alone": registry.bytes_held_alone(repo).await?,
            "waiting": waits,
        }))
        .await;
    Ok(())
}

fn waiting(one: &Condemnable) -> Value {
    let kind = match one.kind {
        ReviewKind::Manifest => "manifests",
        ReviewKind::Blob => "blobs",
        ReviewKind::File => "files",
    };
    json!({
        "kind": kind,
        "count": one.count,
        "bytes": one.bytes,
        "first": one.first.map(seconds),
        "last": one.last.map(seconds),
    })
}
