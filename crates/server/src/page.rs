//! The page at `/`: what this is, how to push to it, and what it has.

use std::fmt::Write;
use std::sync::OnceLock;

use askama::Template;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use boxyard_oci::{Algorithm, RepoName};
use bytes::Bytes;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, VARY, WWW_AUTHENTICATE,
};
use http::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};

use crate::access::Caller;
use crate::app::App;
use crate::error::ApiError;
use crate::notifications::Origin;
use crate::percent;
use crate::query::Query;
use crate::response::{Answer, ResponseBody};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
/// Repositories on one page.
const REPOSITORIES: usize = 50;
/// Tags that are shown beside a repository.
const TAGS: usize = 10;
/// Tags on a page of one repository.
const TAGS_ALONE: usize = 500;
/// How the page looks, in the colours that the reader prefers.
const STYLE: &str = ":root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:46rem;margin:0 auto;padding:1rem;color:light-dark(#1b1f24,#e6e9ec);background:light-dark(#fff,#14171a)}h1,li{overflow-wrap:anywhere}pre{overflow-x:auto;padding:.75rem;border-radius:.4rem;background:light-dark(#eef1f4,#22272d)}a{color:light-dark(#0b57a4,#8cc2ff)}li{margin-bottom:.5rem}.tags code{padding:0 .3rem;border-radius:.3rem;background:light-dark(#eef1f4,#22272d)}";

#[derive(Template)]
#[template(path = "start.html")]
struct Page {
    style: &'static str,
    host: String,
    open: bool,
    /// Who has signed in; empty for nobody.
    user: String,
    needs_insecure: bool,
    heading: String,
    nothing: &'static str,
    rows: Vec<Row>,
    next: String,
    back: &'static str,
}

/// A repository, or a tag of the only one that is shown.
struct Row {
    name: String,
    link: String,
    tags: Vec<String>,
    more: bool,
}

/// Rows, and where more of them are.
struct Shown {
    heading: String,
    nothing: &'static str,
    items: Vec<Row>,
    next: String,
    back: &'static str,
}

/// Answers browsers with the page, and everybody else with a line.
pub(crate) async fn get(
    app: &App,
    caller: &Caller<'_>,
    request: &Parts,
) -> Result<Response<ResponseBody>, ApiError> {
    if !accepts_html(request) || !app.health.is_well() {
        let text = b"Boxyard, a container registry. Its API is under /v2/.\n";
        let answer = Answer::new(StatusCode::OK).header(VARY, HeaderValue::from_static("accept"));
        return Ok(answer.content(&request.method, TEXT, Bytes::from_static(text)));
    }
    let query = Query::of(&request.uri);
    let is_open = app.access.gate.is_open();
    if query.text("sign-in")?.is_some() && caller.name().is_none() && !is_open {
        let realm = HeaderValue::from_static("Basic realm=\"Registry\", charset=\"UTF-8\"");
        let answer = Answer::new(StatusCode::UNAUTHORIZED).header(WWW_AUTHENTICATE, realm);
        let text = Bytes::from_static(b"Sign in with the name and the password of the registry.\n");
        return Ok(answer.content(&request.method, TEXT, text));
    }
    let rows = rows(app, caller, query).await?;
    let page = page(app, caller, request, rows).render();
    let page = page.expect("a text takes every write");
    Ok(harmless().content(&request.method, HTML, Bytes::from(page)))
}

fn accepts_html(request: &Parts) -> bool {
    let accept = request.headers.get(ACCEPT);
    accept.is_some_and(|accept| String::from_utf8_lossy(accept.as_bytes()).contains("text/html"))
}

/// No script, nothing from elsewhere, in nobody's frame, and kept by nobody.
fn harmless() -> Answer {
    Answer::new(StatusCode::OK)
        .text(CONTENT_SECURITY_POLICY, policy())
        .header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .header(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"))
        .header(REFERRER_POLICY, HeaderValue::from_static("no-referrer"))
        .header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .header(VARY, HeaderValue::from_static("accept"))
}

fn policy() -> &'static str {
    static POLICY: OnceLock<String> = OnceLock::new();
    POLICY.get_or_init(|| {
        let digest = Algorithm::Sha256.digest(STYLE.as_bytes()).to_bytes();
        // What is before it says the algorithm.
        let hash = BASE64_STANDARD.encode(&digest[digest.len() - 32..]);
        format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
    })
}

fn page(app: &App, caller: &Caller<'_>, request: &Parts, shown: Shown) -> Page {
    let origin = request.extensions.get::<Origin>();
    let external = origin.and_then(|origin| origin.external.as_ref());
    let base = external.map_or("", |external| external.base());
    let (scheme, host) = base.split_once("://").unwrap_or(("https", base));
    let host = if host.is_empty() { "localhost" } else { host };
    Page {
        style: STYLE,
        host: host.to_owned(),
        open: app.access.gate.is_open(),
        user: caller.name().unwrap_or_default().to_owned(),
        needs_insecure: scheme == "http" && !is_own_machine(host),
        heading: shown.heading,
        nothing: shown.nothing,
        rows: shown.items,
        next: shown.next,
        back: shown.back,
    }
}

/// Whether Docker takes the host without TLS by itself.
fn is_own_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name == "localhost" || name == "[::1]" || name.starts_with("127.")
}

async fn rows(app: &App, caller: &Caller<'_>, query: Query<'_>) -> Result<Shown, ApiError> {
    let last = query.text("last")?;
    match query.text("repository")?.map(|name| name.parse()) {
        Some(Ok(repo)) => tags(app, caller, &repo, last.as_deref()).await,
        Some(Err(_)) | None => repositories(app, caller, last.as_deref()).await,
    }
}

async fn repositories(
    app: &App,
    caller: &Caller<'_>,
    last: Option<&str>,
) -> Result<Shown, ApiError> {
    let mut rows = Vec::new();
    let mut next = String::new();
    let nothing = match caller.list() {
        Ok(right) => {
            let page = app.registry.catalog(&right, last, REPOSITORIES).await?;
            if let (true, Some(last)) = (page.more, page.items.last()) {
                next = format!("/?last={}", percent::encode(last.as_str()));
            }
            for repo in page.items {
                rows.push(repository(app, caller, &repo).await?);
            }
            "There are no images yet."
        }
        Err(_) => "Sign in to see what is there.",
    };
    Ok(Shown {
        heading: "Repositories".to_owned(),
        nothing,
        items: rows,
        next,
        back: if last.is_some() { "/" } else { "" },
    })
}

async fn repository(app: &App, caller: &Caller<'_>, repo: &RepoName) -> Result<Row, ApiError> {
    let mut row = Row {
        name: repo.to_string(),
        link: format!("/?repository={}", percent::encode(repo.as_str())),
        tags: Vec::new(),
        more: false,
    };
    // One that was deleted just now has none.
    if let Ok(page) = app.registry.tags(&caller.permit(repo)?, None, TAGS).await {
        row.more = page.more;
        row.tags = page.items.iter().map(ToString::to_string).collect();
    }
    Ok(row)
}

async fn tags(
    app: &App,
    caller: &Caller<'_>,
    repo: &RepoName,
    last: Option<&str>,
) -> Result<Shown, ApiError> {
    let permit = caller.permit(repo)?;
    let page = app.registry.tags(&permit, last, TAGS_ALONE).await?;
    let mut next = String::new();
    if let (true, Some(last)) = (page.more, page.items.last()) {
        let name = percent::encode(repo.as_str());
        let last = percent::encode(last.as_ref());
        write!(next, "/?repository={name}&last={last}").expect("a text takes every write");
    }
    let row = |name: String| Row {
        name,
        link: String::new(),
        tags: Vec::new(),
        more: false,
    };
    Ok(Shown {
        heading: format!("Tags of {repo}"),
        nothing: "It has no tags.",
        items: page.items.iter().map(|tag| row(tag.to_string())).collect(),
        next,
        back: "/",
    })
}
