//! `GET /v2/_catalog`, which the specification leaves to registries.

use std::sync::Arc;

use boxyard_auth::List as ListRight;
use http::Response;
use http::request::Parts;

use super::listing::{List, Most};
use crate::app::App;
use crate::error::ApiError;
use crate::query::Query;
use crate::response::ResponseBody;

/// Lists the repositories.
pub(super) async fn get(
    app: &App,
    right: ListRight,
    request: &Parts,
) -> Result<Response<ResponseBody>, ApiError> {
    let registry = Arc::clone(&app.registry);
    let list = List {
        app,
        path: "/v2/_catalog".to_owned(),
        most: Most::Refuse(app.limits.pages.catalog),
        head: r#"{"repositories":["#.to_owned(),
        read: move |after: Option<String>, limit| {
            let (registry, right) = (Arc::clone(&registry), right.clone());
            async move {
                let after = after.as_deref();
                registry.repository_names(&right, after, limit).await
            }
        },
    };
    list.answer(&request.method, Query::of(&request.uri)).await
}
