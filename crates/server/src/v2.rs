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
mod token;
mod uploads;
mod watch;

use boxyard_auth::{Grant, Permit, Push};
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
use crate::query::Query;
use crate::response::{Answer, ResponseBody};
use crate::seen::Seen;
pub(crate) use route::TOKEN_PATH;
use route::{Access, Route, RouteError};

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
        return token::serve(app, asked, seen, body).await;
    }
    if app.limits.read_only && !matches!(request.method, Method::GET | Method::HEAD) {
        return Err(ApiError::read_only(&route));
    }
    let caller = match Caller::of(&app.access, asked, needs(&route, access, request)).await {
        Err(error) if route == Route::Root => return page::refused(request, error),
        caller => caller?,
    };
    if let Some(name) = caller.name() {
        seen.identify(name);
    }
    dispatch(app, &route, &caller, asked, body).await
}

/// What a token must grant, as distribution asks for it.
fn needs(route: &Route, access: Access, request: &Parts) -> Vec<Grant> {
    let grant = |kind: &str, name: &str, actions: &[&str]| Grant {
        kind: kind.to_owned(),
        name: name.to_owned(),
        actions: actions.iter().map(|action| (*action).to_owned()).collect(),
    };
    let actions: &[&str] = match access {
        Access::Nothing | Access::Enter => return Vec::new(),
        Access::List => return vec![grant("registry", "catalog", &["*"])],
        Access::Pull => &["pull"],
        Access::Push => &["pull", "push"],
        Access::Delete => &["delete"],
    };
    let repo = route
        .repo()
        .map(|repo| grant("repository", repo.as_str(), actions));
    let mut needs: Vec<Grant> = repo.into_iter().collect();
    if matches!(route, Route::Uploads(_))
        && let Ok(Some(from)) = Query::of(&request.uri).from()
    {
        needs.push(grant("repository", from.as_str(), &["pull"]));
    }
    needs
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

async fn dispatch(
    app: &App,
    route: &Route,
    caller: &Caller<'_>,
    asked: Asked<'_>,
    body: RequestBody,
) -> Result<Response<ResponseBody>, ApiError> {
    let request = asked.request;
    match (route, &request.method) {
        (Route::Root, _) => page::get(app, caller, request).await,
        (Route::Live, method) => Ok(watch::live(method)),
        (Route::Ready, method) => Ok(watch::ready(app, method)),
        (Route::Base, method) => {
            caller.enter()?;
            Ok(base::base(method))
        }
        (Route::Token, _) => unreachable!("tokens are issued before anybody is asked for one"),
        (Route::Catalog, _) => catalog::get(app, caller.list()?, request).await,
        (Route::Tags(repo), _) => tags::get(app, caller.permit(repo)?, request).await,
        (Route::Referrers(repo, subject), _) => {
            referrers::get(app, &caller.permit(repo)?, subject, request).await
        }
        (Route::Manifest(repo, reference), &Method::PUT) => {
            manifests::put(app, &caller.permit(repo)?, reference, request, body).await
        }
        (Route::Manifest(repo, reference), &Method::DELETE) => {
            manifests::delete(app, &caller.permit(repo)?, reference, request).await
        }
        (Route::Manifest(repo, reference), _) => {
            let (pull, push) = (caller.permit(repo)?, relying(caller, repo, request));
            manifests::get(app, &pull, push.as_ref(), reference, request).await
        }
        (Route::Blob(repo, digest), &Method::DELETE) => {
            blobs::delete(app, &caller.permit(repo)?, digest, request).await
        }
        (Route::Blob(repo, digest), _) => {
            let (pull, push) = (caller.permit(repo)?, relying(caller, repo, request));
            blobs::get(app, &pull, push.as_ref(), digest, asked).await
        }
        (Route::Uploads(repo), _) => {
            uploads::post(app, caller, &caller.permit(repo)?, request, body).await
        }
        (Route::Upload(repo, id), &Method::PATCH) => {
            uploads::patch(app, &caller.permit(repo)?, id, request, body).await
        }
        (Route::Upload(repo, id), &Method::PUT) => {
            uploads::put(app, &caller.permit(repo)?, id, request, body).await
        }
        (Route::Upload(repo, id), &Method::DELETE) => {
            uploads::delete(app, &caller.permit(repo)?, id).await
        }
        (Route::Upload(repo, id), _) => uploads::get(app, &caller.permit(repo)?, id).await,
    }
}
