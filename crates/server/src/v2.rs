//! The distribution API: a path and a method become a call of one handler, with the permit that it demands.

pub(crate) mod base;
mod blobs;
mod catalog;
pub(crate) mod headers;
mod listing;
mod manifests;
pub(crate) mod needs;
mod referrers;
pub mod route;
mod tags;
mod token;
mod uploads;
mod watch;

use boxyard_auth::{Permit, Push};
use boxyard_oci::RepoName;
use http::header::ALLOW;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};

use crate::access::{Asked, Caller};
use crate::app::App;
use crate::body::RequestBody;
use crate::error::ApiError;
use crate::host;
use crate::page;
use crate::response::{Answer, ResponseBody};
use crate::seen::Seen;
use needs::Needs;
pub(crate) use route::TOKEN_PATH;
use route::{Route, RouteError};

/// Serves one request, and tells the log who sent it.
pub(crate) async fn serve(
    app: &App,
    asked: Asked<'_>,
    seen: &Seen,
    body: RequestBody,
) -> Result<Response<ResponseBody>, ApiError> {
    let request = asked.request;
    if !host::is_clear(request) {
        return Err(ApiError::host());
    }
    let path = app.outside.within(request.uri.path());
    let route = Route::parse(path.ok_or(RouteError::NotFound)?)?;
    if !app.health.is_well() && !route.is_for_watchers() {
        return Err(ApiError::unwell());
    }
    if request.method == Method::OPTIONS {
        return Ok(options(&route));
    }
    let Some(access) = route.access(&request.method) else {
        return Err(ApiError::method(&route, &request.method));
    };
    if route == Route::Token {
        return Box::pin(token::serve(app, asked, seen, body)).await;
    }
    if app.limits.read_only && !matches!(request.method, Method::GET | Method::HEAD) {
        return Err(ApiError::read_only(&route));
    }
    let needs = Needs {
        route: &route,
        access,
        request,
    };
    let caller = match Caller::of(&app.access, asked, needs).await {
        Err(error) if route == Route::Root => return page::refused(request, error),
        caller => caller?,
    };
    if let Some(name) = caller.name() {
        seen.identify(name);
    }
    dispatch(app, &route, &caller, asked, body).await
}

/// Browsers ask before they let a page of another origin go on; what it may do is in the configured headers.
fn options(route: &Route) -> Response<ResponseBody> {
    let allow = HeaderValue::from_str(&route.allow()).expect("methods are visible text");
    Answer::new(StatusCode::OK).header(ALLOW, allow).empty()
}

/// The right of a client that asks whether something is there, and may send the rest of an image by what it is told.
fn relying(caller: &Caller<'_>, repo: &RepoName, request: &Parts) -> Option<Permit<Push>> {
    let asks = request.method == Method::HEAD;
    asks.then(|| caller.permit(repo).ok()).flatten()
}

/// Calls the handler of the route.
///
/// What serves a request is one value that is as large as its largest part, and it is moved before it runs.
/// So all parts but those of small reads have a place of their own.
async fn dispatch(
    app: &App,
    route: &Route,
    caller: &Caller<'_>,
    asked: Asked<'_>,
    body: RequestBody,
) -> Result<Response<ResponseBody>, ApiError> {
    let request = asked.request;
    match (route, &request.method) {
        (Route::Root, _) => Box::pin(page::get(app, caller, request)).await,
        (Route::Live, method) => Ok(watch::live(method)),
        (Route::Ready, method) => Ok(watch::ready(app, method)),
        (Route::Base, method) => {
            caller.enter()?;
            Ok(base::base(method))
        }
        (Route::Token, _) => unreachable!("tokens are issued before anybody is asked for one"),
        (Route::Catalog, _) => Box::pin(catalog::get(app, caller.list()?, request)).await,
        (Route::Tags(repo), _) => Box::pin(tags::get(app, caller.permit(repo)?, request)).await,
        (Route::Referrers(repo, subject), _) => {
            let permit = caller.permit(repo)?;
            Box::pin(referrers::get(app, &permit, subject, request)).await
        }
        (Route::Manifest(repo, reference), &Method::PUT) => {
            let permit = caller.permit(repo)?;
            Box::pin(manifests::put(app, &permit, reference, request, body)).await
        }
        (Route::Manifest(repo, reference), &Method::DELETE) => {
            let permit = caller.permit(repo)?;
            Box::pin(manifests::delete(app, &permit, reference, request)).await
        }
        (Route::Manifest(repo, reference), _) => {
            let (pull, push) = (caller.permit(repo)?, relying(caller, repo, request));
            manifests::get(app, &pull, push.as_ref(), reference, request).await
        }
        (Route::Blob(repo, digest), &Method::DELETE) => {
            let permit = caller.permit(repo)?;
            Box::pin(blobs::delete(app, &permit, digest, request)).await
        }
        (Route::Blob(repo, digest), _) => {
            let (pull, push) = (caller.permit(repo)?, relying(caller, repo, request));
            blobs::get(app, &pull, push.as_ref(), digest, asked).await
        }
        (Route::Uploads(repo), _) => {
            let permit = caller.permit(repo)?;
            Box::pin(uploads::post(app, caller, &permit, request, body)).await
        }
        (Route::Upload(repo, id), &Method::PATCH) => {
            let permit = caller.permit(repo)?;
            Box::pin(uploads::patch(app, &permit, id, request, body)).await
        }
        (Route::Upload(repo, id), &Method::PUT) => {
            let permit = caller.permit(repo)?;
            Box::pin(uploads::put(app, &permit, id, request, body)).await
        }
        (Route::Upload(repo, id), &Method::DELETE) => {
            let permit = caller.permit(repo)?;
            Box::pin(uploads::delete(app, &permit, id)).await
        }
        (Route::Upload(repo, id), _) => {
            let permit = caller.permit(repo)?;
            Box::pin(uploads::get(app, &permit, id)).await
        }
    }
}
