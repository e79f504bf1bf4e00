//! `GET /v2/<name>/tags/list`, end-8.

use std::sync::Arc;

use boxyard_auth::{Permit, Pull};
use http::Response;
use http::request::Parts;

use super::listing::{List, Most};
use crate::app::App;
use crate::error::ApiError;
use crate::query::Query;
use crate::response::ResponseBody;

/// Lists the tags of the repository.
pub(super) async fn get(
    app: &App,
    permit: Permit<Pull>,
    request: &Parts,
) -> Result<Response<ResponseBody>, ApiError> {
    let registry = Arc::clone(&app.registry);
    let repo = permit.repo().clone();
    let list = List {
        app,
        path: format!("/v2/{repo}/tags/list"),
        most: Most::Cut(app.limits.pages.tags),
        head: format!(r#"{{"name":"{repo}","tags":["#),
        read: move |after: Option<String>, limit| {
            let (registry, permit) = (Arc::clone(&registry), permit.clone());
            async move { registry.tag_names(&permit, after.as_deref(), limit).await }
        },
    };
    list.answer(&request.method, Query::of(&request.uri)).await
}
