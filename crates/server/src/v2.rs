//! The distribution API: a path and a method become a call of one handler, with the permit that it demands.

pub(crate) mod base;
mod blobs;
mod catalog;
pub(crate) mod headers;
mod listing;
mod manifests;
mod referrers;
pub mod route;
mod tags;
mod uploads;
mod watch;

use http::header::ALLOW;
use http::{HeaderValue, Method, Response, StatusCode};

use crate::app::App;
use crate::body::RequestBody;
use crate::error::ApiError;
use crate::host;
use crate::response::{Answer, ResponseBody};
use route::Route;

/// Serves one request.
pub(crate) async fn serve(
    app: &App,
    request: &http::request::Parts,
    body: RequestBody,
) -> Result<Response<ResponseBody>, ApiError> {
    if !host::is_clear(request) {
        return Err(ApiError::host());
    }
    let route = Route::parse(request.uri.path())?;
    if !app.health.is_well() && !route.is_for_watchers() {
        return Err(ApiError::unwell());
    }
    if request.method == Method::OPTIONS {
        return Ok(options(&route));
    }
    if route.access(&request.method).is_none() {
        return Err(ApiError::method(&route, &request.method));
    }
    if app.limits.read_only && !matches!(request.method, Method::GET | Method::HEAD) {
        return Err(ApiError::read_only(&route));
    }
    dispatch(app, &route, request, body).await
}

/// Browsers ask before they let a page of another origin go on; what it may do is in the configured headers.
fn options(route: &Route) -> Response<ResponseBody> {
    let allow = HeaderValue::from_str(&route.allow()).expect("methods are visible text");
    Answer::new(StatusCode::OK).header(ALLOW, allow).empty()
}

async fn dispatch(
    app: &App,
    route: &Route,
    request: &http::request::Parts,
    body: RequestBody,
) -> Result<Response<ResponseBody>, ApiError> {
    match (route, &request.method) {
        (Route::Root, method) => Ok(base::root(method)),
        (Route::Live, method) => Ok(watch::live(method)),
        (Route::Ready, method) => Ok(watch::ready(app, method)),
        (Route::Base, method) => Ok(base::base(method)),
        (Route::Catalog, _) => catalog::get(app, app.list()?, request).await,
        (Route::Tags(repo), _) => tags::get(app, app.permit(repo)?, request).await,
        (Route::Referrers(repo, subject), _) => {
            referrers::get(app, &app.permit(repo)?, subject, request).await
        }
        (Route::Manifest(repo, reference), &Method::PUT) => {
            manifests::put(app, &app.permit(repo)?, reference, request, body).await
        }
        (Route::Manifest(repo, reference), &Method::DELETE) => {
            manifests::delete(app, &app.permit(repo)?, reference, request).await
        }
        (Route::Manifest(repo, reference), _) => {
            manifests::get(app, &app.permit(repo)?, reference, request).await
        }
        (Route::Blob(repo, digest), &Method::DELETE) => {
            blobs::delete(app, &app.permit(repo)?, digest, request).await
        }
        (Route::Blob(repo, digest), _) => {
            blobs::get(app, &app.permit(repo)?, digest, request).await
        }
        (Route::Uploads(repo), _) => uploads::post(app, &app.permit(repo)?, request, body).await,
        (Route::Upload(repo, id), &Method::PATCH) => {
            uploads::patch(app, &app.permit(repo)?, id, request, body).await
        }
        (Route::Upload(repo, id), &Method::PUT) => {
            uploads::put(app, &app.permit(repo)?, id, request, body).await
        }
        (Route::Upload(repo, id), &Method::DELETE) => {
            uploads::delete(app, &app.permit(repo)?, id).await
        }
        (Route::Upload(repo, id), _) => uploads::get(app, &app.permit(repo)?, id).await,
    }
}
