//! The page at `/`: what this is, how to push to it, and what it has.

use std::fmt::Write;
use std::sync::OnceLock;

use askama::Template;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use boxyard_oci::{Algorithm, RepoName, Tag};
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
use crate::external::External;
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
/// What a browser shows once somebody has not signed in.
const SIGN_IN: &str = "Sign in with your name and your password of this registry.";
/// What it shows once somebody has signed out, and has not signed in again.
const SIGNED_OUT: &str = "You are signed out.";
/// A link to the page itself. Links have no path, so that they lead back to wherever a prefix or a proxy has put the page.
const START: &str = "?";
/// How the page looks, in the colours that the reader prefers.
const STYLE: &str = include_str!("../templates/start.css");

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
    /// Whether clients can log in, here or at another server.
    login: bool,
    /// Who has signed in; empty for nobody.
    user: String,
    needs_insecure: bool,
    heading: String,
    nothing: &'static str,
    /// What can be pulled, on the page of one repository.
    example: String,
    is_tags: bool,
    rows: Vec<Row>,
    next: String,
    back: &'static str,
}

/// What a browser shows that was asked for a password and got none.
#[derive(Template)]
#[template(path = "note.html")]
struct Note {
    style: &'static str,
    host: String,
    text: &'static str,
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
    example: String,
    is_tags: bool,
    items: Vec<Row>,
    next: String,
    back: &'static str,
}

impl Shown {
    /// A page without rows, which leads back.
    fn nothing(heading: String, nothing: &'static str) -> Self {
        Self {
            heading,
            nothing,
            example: String::new(),
            is_tags: true,
            items: Vec::new(),
            next: String::new(),
            back: START,
        }
    }
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
        return Ok(ask(request, SIGN_IN));
    }
    if passwords && caller.name().is_some() && query.text("sign-out")?.is_some() {
        return Ok(ask(request, SIGNED_OUT));
    }
    let rows = rows(app, caller, query).await?;
    let page = page(app, caller, request, rows).render();
    let page = page.expect("a text takes every write");
    Ok(harmless(StatusCode::OK).content(&request.method, HTML, Bytes::from(page)))
}

/// Asks a browser for a password again after a wrong one; the challenge that clients of Docker get means nothing to it.
pub(crate) fn refused(
    request: &Parts,
    error: ApiError,
) -> Result<Response<ResponseBody>, ApiError> {
    if accepts_html(request) && error.status() == StatusCode::UNAUTHORIZED {
        return Ok(ask(request, SIGN_IN));
    }
    Err(error)
}

/// Asks a browser for a name and a password; one that had some forgets them.
fn ask(request: &Parts, text: &'static str) -> Response<ResponseBody> {
    let realm = HeaderValue::from_static("Basic realm=\"Registry\", charset=\"UTF-8\"");
    let note = Note {
        style: STYLE,
        host: host(request).1,
        text,
    };
    let note = note.render().expect("a text takes every write");
    harmless(StatusCode::UNAUTHORIZED)
        .header(WWW_AUTHENTICATE, realm)
        .content(&request.method, HTML, Bytes::from(note))
}

fn accepts_html(request: &Parts) -> bool {
    let accept = request.headers.get(ACCEPT);
    accept.is_some_and(|accept| String::from_utf8_lossy(accept.as_bytes()).contains("text/html"))
}

/// No script, nothing from elsewhere, in nobody's frame, and kept by nobody.
fn harmless(status: StatusCode) -> Answer {
    Answer::new(status)
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
    let (is_secure, host) = host(request);
    let access = &app.access;
    Page {
        style: STYLE,
        open: access.gate.is_open(),
        read_only: app.limits.read_only,
        passwords: access.logins.is_some(),
        login: access.logins.is_some() || access.tokens.is_some(),
        user: caller.name().unwrap_or_default().to_owned(),
        needs_insecure: !is_secure && !is_own_machine(&host),
        host,
        heading: shown.heading,
        nothing: shown.nothing,
        example: shown.example,
        is_tags: shown.is_tags,
        rows: shown.items,
        next: shown.next,
        back: shown.back,
    }
}

/// Whether the registry is reached by TLS, and by which host: clients name it so, whatever its paths begin with.
fn host(request: &Parts) -> (bool, String) {
    let origin = request.extensions.get::<Origin>();
    let external = origin.and_then(|origin| origin.external.as_ref());
    let base = external.map_or_else(String::new, External::base);
    let (scheme, host) = base.split_once("://").unwrap_or(("https", &base));
    let host = host.split('/').next().unwrap_or_default();
    let host = if host.is_empty() { "localhost" } else { host };
    (scheme != "http", host.to_owned())
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
        example: String::new(),
        is_tags: false,
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
        return Ok(Shown::nothing(heading, hidden(app, caller)));
    };
    let page = match app.registry.tags(&permit, last, TAGS_ALONE).await {
        Ok(page) => page,
        Err(error) => return none_of(heading, ApiError::from(error)),
    };
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
        example: example(repo, &page.items),
        is_tags: true,
        items: page.items.iter().map(|tag| row(tag.to_string())).collect(),
        next,
        back: START,
    })
}

/// What is shown of a repository that is not there, and the error if it is another one.
fn none_of(heading: String, error: ApiError) -> Result<Shown, ApiError> {
    if error.status() == StatusCode::NOT_FOUND {
        return Ok(Shown::nothing(heading, "There is no such repository."));
    }
    Err(error)
}

/// What somebody pulls first: the tag that clients take without being told one, or any.
fn example(repo: &RepoName, tags: &[Tag]) -> String {
    let usual = tags.iter().find(|tag| tag.as_ref() == "latest");
    let tag = usual.or(tags.first());
    tag.map(|tag| format!("{repo}:{tag}")).unwrap_or_default()
}
