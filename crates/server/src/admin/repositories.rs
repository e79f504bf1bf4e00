//! Removing repositories, and summing them up.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use boxyard_auth::Identity;
use boxyard_oci::RepoName;
use boxyard_registry::TagSummary;
use http::Response;
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};

use super::arguments;
use super::events::{self, Failure};
use super::serve::Attendant;
use crate::body::RequestBody;
use crate::error::ApiError;
use crate::response::ResponseBody;

/// How many tags a page has.
const PAGE: usize = 1_000;

/// What commands about one repository are asked for.
#[derive(Debug, Deserialize)]
struct Arguments {
    repository: RepoName,
    after: Option<String>,
}

/// Removes one repository.
pub(super) async fn remove(
    attendant: &Attendant,
    request: &Parts,
    body: RequestBody,
) -> Result<Response<ResponseBody>, ApiError> {
    let Arguments { repository, .. } = arguments::read(body).await?;
    let permit = attendant
        .app
        .access
        .gate
        .permit(&Identity::Anonymous, &repository)?;
    let teller = attendant.app.teller(request);
    let registry = Arc::clone(&attendant.app.registry);
    Ok(events::answer(attendant.stop.clone(), |_| async move {
        let removed = registry.remove_repository(&permit, &teller).await?;
        Ok(json!({
            "tags": removed.tags,
            "manifests": removed.manifests,
            "blobs": removed.blobs,
        }))
    }))
}

/// Sums one repository up.
pub(super) async fn summary(
    attendant: &Attendant,
    body: RequestBody,
) -> Result<Response<ResponseBody>, ApiError> {
    let Arguments { repository, .. } = arguments::read(body).await?;
    let summary = attendant.app.registry.repository_summary(&repository).await;
    events::at_once(summary.map_err(Failure::from).map(|summary| {
        summary.map_or(Value::Null, |summary| {
            json!({
                "tags": summary.tags,
                "manifests": summary.manifests,
                "bytes": summary.bytes,
                "updated": summary.updated_at.map(seconds),
            })
        })
    }))
}

/// Sums up a page of tags.
pub(super) async fn tags(
    attendant: &Attendant,
    body: RequestBody,
) -> Result<Response<ResponseBody>, ApiError> {
    let Arguments { repository, after } = arguments::read(body).await?;
    let registry = &attendant.app.registry;
    let page = registry.tag_summaries(&repository, after.as_deref(), PAGE);
    let page = page.await.map_err(Failure::from);
    events::at_once(page.map(|page| page.iter().map(tag).collect()))
}

fn tag(summary: &TagSummary) -> Value {
    json!({
        "tag": summary.tag,
        "digest": summary.digest,
        "media_type": summary.media_type,
        "bytes": summary.bytes,
        "updated": seconds(summary.updated_at),
    })
}

/// A time as seconds since 1970.
pub(super) fn seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_secs()
}
