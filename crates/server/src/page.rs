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
/// A link to the page itself. Links have no path, so that they lead back to wherever a prefix or a proxy has put the page.
const START: &str = "?";
/// How the page looks, in the colours that the reader prefers.
const STYLE: &str = ":root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:46rem;margin:0 auto;padding:1rem;color:light-dark(#1b1f24,#e6e9ec);background:light-dark(#fff,#14171a)}h1{font-size:clamp(1.25rem,7vw,2rem)}h1,h2,li,pre{overflow-wrap:anywhere}ul{padding-left:1.2rem}pre{white-space:pre-wrap;padding:.75rem;border-radius:.4rem;background:light-dark(#eef1f4,#22272d)}a{color:light-dark(#0b57a4,#8cc2ff)}li{margin-bottom:.5rem}.tags code{-webkit-box-decoration-break:clone;box-decoration-break:clone;padding:0 .3rem;border-radius:.3rem;background:light-dark(#eef1f4,#22272d)}";

#[derive(Template)]
#[template(path = "start.html")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the template has a switch for each of its parts"
)]
struct Page {
    style: &'static str,
    host: String,
    open: bool,
    read_only: bool,
    /// Whether there are passwords to sign in with.
    passwords: bool,
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
    let passwords = app.access.logins.is_some();
    if passwords && caller.name().is_none() && query.text("sign-in")?.is_some() {
        return Ok(ask(request));
    }
    let rows = rows(app, caller, query).await?;
    let page = page(app, caller, request, rows).render();
    let page = page.expect("a text takes every write");
    Ok(harmless().content(&request.method, HTML, Bytes::from(page)))
}

/// Asks a browser for a password again after a wrong one; the challenge that clients of Docker get means nothing to it.
pub(crate) fn refused(
    request: &Parts,
    error: ApiError,
) -> Result<Response<ResponseBody>, ApiError> {
    if accepts_html(request) && error.status() == StatusCode::UNAUTHORIZED {
        return Ok(ask(request));
    }
    Err(error)
}

fn ask(request: &Parts) -> Response<ResponseBody> {
    let realm = HeaderValue::from_static("Basic realm=\"Registry\", charset=\"UTF-8\"");
    let answer = Answer::new(StatusCode::UNAUTHORIZED)
        .header(WWW_AUTHENTICATE, realm)
        .header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .header(VARY, HeaderValue::from_static("accept"));
    let text = Bytes::from_static(b"Sign in with your name and your password of this registry.\n");
    answer.content(&request.method, TEXT, text)
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
    // Clients name a registry by its host, whatever its paths begin with.
    let host = host.split('/').next().unwrap_or_default();
    let host = if host.is_empty() { "localhost" } else { host };
    Page {
        style: STYLE,
        host: host.to_owned(),
        open: app.access.gate.is_open(),
        read_only: app.limits.read_only,
        passwords: app.access.logins.is_some(),
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
                next = format!("?last={}", percent::encode(last.as_str()));
            }
            for repo in page.items {
                rows.push(repository(app, caller, &repo).await?);
            }
            "There are no images yet."
        }
        Err(_) => hidden(app, caller),
    };
    Ok(Shown {
        heading: "Repositories".to_owned(),
        nothing,
        items: rows,
        next,
        back: if last.is_some() { START } else { "" },
    })
}

/// What is said in place of what somebody may not see.
fn hidden(app: &App, caller: &Caller<'_>) -> &'static str {
    match (caller.name(), &app.access.logins) {
        (None, Some(_)) => "Sign in to see what is there.",
        (None, None) => "There is nothing that everybody may see.",
        (Some(_), _) => "There is nothing that you may see.",
    }
}

async fn repository(app: &App, caller: &Caller<'_>, repo: &RepoName) -> Result<Row, ApiError> {
    let mut row = Row {
        name: repo.to_string(),
        link: format!("?repository={}", percent::encode(repo.as_str())),
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
    let heading = format!("Tags of {repo}");
    let Ok(permit) = caller.permit(repo) else {
        return Ok(Shown {
            heading,
            nothing: hidden(app, caller),
            items: Vec::new(),
            next: String::new(),
            back: START,
        });
    };
    let page = app.registry.tags(&permit, last, TAGS_ALONE).await?;
    let mut next = String::new();
    if let (true, Some(last)) = (page.more, page.items.last()) {
        let name = percent::encode(repo.as_str());
        let last = percent::encode(last.as_ref());
        write!(next, "?repository={name}&last={last}").expect("a text takes every write");
    }
    let row = |name: String| Row {
        name,
        link: String::new(),
        tags: Vec::new(),
        more: false,
    };
    Ok(Shown {
        heading,
        nothing: "It has no tags.",
        items: page.items.iter().map(|tag| row(tag.to_string())).collect(),
        next,
        back: START,
    })
}
