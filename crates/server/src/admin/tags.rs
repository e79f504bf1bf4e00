//! Removing tags, many at once.

use boxyard_auth::Identity;
use boxyard_oci::{RepoName, Tag};
use futures_util::future::try_join_all;
use http::Response;
use http::request::Parts;
use serde::Deserialize;
use serde_json::json;

use super::arguments;
use super::events::{self, Failure};
use super::serve::Attendant;
use crate::body::RequestBody;
use crate::error::ApiError;
use crate::response::ResponseBody;

/// What `tags/remove` is asked for.
#[derive(Debug, Deserialize)]
struct Arguments {
    repository: RepoName,
    tags: Vec<Tag>,
}

/// Removes some tags of one repository; answers how many there were.
pub(super) async fn remove(
    attendant: &Attendant,
    request: &Parts,
    body: RequestBody,
) -> Result<Response<ResponseBody>, ApiError> {
    let Arguments { repository, tags } = arguments::read(body).await?;
    let app = &attendant.app;
    let permit = app.access.gate.permit(&Identity::Anonymous, &repository)?;
    // Together, so that they share the cost of a commit.
    let teller = app.teller(request);
    let remove = |tag| app.registry.remove_tag(&permit, tag, &teller);
    let removed = try_join_all(tags.iter().map(remove))
        .await
        .map(|removed| json!({"removed": removed.iter().filter(|removed| **removed).count()}));
    events::at_once(removed.map_err(Failure::from))
}
