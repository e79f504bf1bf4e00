//! Every route with every method for every role, as one table that is compared byte for byte.
//!
//! `BOXYARD_WRITE_SNAPSHOTS=1` writes it anew.

use std::fmt::Write;
use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use boxyard_auth::htpasswd::hash_line;
use boxyard_server::v2::route::{Kind, Route};
use tempfile::TempDir;

use crate::support::{Answer, Running};

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const UPLOAD: &str = "0a1b2c3d-0000-4000-8000-0123456789ab";
const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW",
];
/// Whoever has a password; it is the name.
const USERS: [&str; 5] = ["idle", "puller", "pusher", "deleter", "admin"];
const MANIFEST: &str =
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

const RULES: &str = "\
- {who: puller, repositories: '**', actions: pull}
- {who: pusher, repositories: '**', actions: [pull, push]}
- {who: deleter, repositories: '**', actions: [pull, delete]}
- {who: admin, repositories: '**', actions: '*'}
";

/// A path of this kind in a repository; a new kind of route does not compile without one.
fn path(kind: Kind, repo: &str) -> String {
    match kind {
        Kind::Root => "/".to_owned(),
        Kind::Live => "/livez".to_owned(),
        Kind::Ready => "/readyz".to_owned(),
        Kind::Base => "/v2/".to_owned(),
        Kind::Token => "/v2/token".to_owned(),
        Kind::Catalog => "/v2/_catalog".to_owned(),
        Kind::Manifest => format!("/v2/{repo}/manifests/t"),
        Kind::Blob => format!("/v2/{repo}/blobs/{DIGEST}"),
        Kind::Uploads => format!("/v2/{repo}/blobs/uploads/"),
        Kind::Upload => format!("/v2/{repo}/blobs/uploads/{UPLOAD}"),
        Kind::Tags => format!("/v2/{repo}/tags/list"),
        Kind::Referrers => format!("/v2/{repo}/referrers/{DIGEST}"),
    }
}

fn kinds() -> impl Iterator<Item = Kind> {
    std::iter::successors(Some(Kind::FIRST), |kind| kind.next())
}

struct Site {
    server: Running,
    _folder: TempDir,
}

impl Site {
    /// A registry with users, and more lines for its rules.
    fn with_users(rules: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("htpasswd");
        let lines = USERS.map(|user| hash_line(user, user, 4).unwrap() + "\n");
        fs::write(&path, lines.concat()).unwrap();
        let path = path.display();
        let server = Running::with(&format!(
            "auth: {{htpasswd: {{realm: test, path: {path}}}}}\naccess:\n{rules}{RULES}"
        ));
        Self::new(server, folder)
    }

    fn open() -> Self {
        Self::new(Running::start(), TempDir::new().unwrap())
    }

    fn new(server: Running, folder: TempDir) -> Self {
        let site = Self {
            server,
            _folder: folder,
        };
        let length = MANIFEST.len();
        let pushed = site.server.connect().ask(&format!(
            "PUT /v2/r/manifests/t HTTP/1.1\r\nHost: registry.test\r\n{}\
             Content-Type: application/vnd.oci.image.index.v1+json\r\nContent-Length: {length}\r\n\r\n{MANIFEST}",
            basic("admin", "admin")
        ));
        assert_eq!(pushed.status, 201);
        site
    }

    fn ask(&self, method: &str, path: &str, credentials: &str) -> Answer {
        let length = match method {
            "POST" | "PUT" | "PATCH" => "Content-Length: 0\r\n",
            _ => "",
        };
        self.server.connect().ask(&format!(
            "{method} {path} HTTP/1.1\r\nHost: registry.test\r\n{credentials}{length}\r\n"
        ))
    }

    /// The table of one registry: what each role is answered.
    fn table(&self, title: &str, out: &mut String) {
        write!(out, "\n# {title}\n\n{:<11}{:<8}", "route", "method").unwrap();
        for role in ["anonymous", "wrong"].into_iter().chain(USERS) {
            write!(out, "{role:<10}").unwrap();
        }
        out.push('\n');
        for kind in kinds() {
            for method in METHODS {
                let mut line = format!("{:<11}{method:<8}", format!("{kind:?}"));
                // What deletes finds nothing, so that what comes later finds it all.
                let repo = if method == "DELETE" { "none" } else { "r" };
                let path = path(kind, repo);
                for credentials in Self::roles(kind, method) {
                    let status = self.ask(method, &path, &credentials).status;
                    write!(line, "{status:<10}").unwrap();
                }
                writeln!(out, "{}", line.trim_end()).unwrap();
            }
        }
        out.push_str("\nHow it asks who is anonymous:\n\n");
        for (kind, method) in [
            (Kind::Base, "GET"),
            (Kind::Catalog, "GET"),
            (Kind::Manifest, "HEAD"),
            (Kind::Manifest, "PUT"),
            (Kind::Manifest, "DELETE"),
            (Kind::Uploads, "POST"),
        ] {
            let answer = self.ask(method, &path(kind, "r2"), "");
            let asked = answer.header("www-authenticate").unwrap_or("-");
            writeln!(out, "{:<11}{method:<8}{asked}", format!("{kind:?}")).unwrap();
        }
    }

    fn roles(kind: Kind, method: &str) -> Vec<String> {
        // Each guess is of another user, so that none is held up by those before.
        let guess = basic(&format!("{kind:?}{method}"), "guess");
        let users = USERS.map(|user| basic(user, user));
        [String::new(), guess].into_iter().chain(users).collect()
    }
}

fn basic(user: &str, password: &str) -> String {
    let encoded = STANDARD.encode(format!("{user}:{password}"));
    format!("Authorization: Basic {encoded}\r\n")
}

#[test]
fn every_route_has_a_row_in_the_table_of_rights() {
    for kind in kinds() {
        let route = Route::parse(&path(kind, "r")).unwrap();
        assert_eq!(route.kind(), kind);
    }
}

#[test]
fn every_route_and_method_answers_every_role_as_the_table_says() {
    let mut table =
        "Every route with every method for every role: the status of the answer.\n".to_owned();
    Site::with_users("").table("with users and rules", &mut table);
    let anyone = "- {who: anyone, repositories: '**', actions: pull}\n";
    Site::with_users(anyone).table("the same, and anyone may pull", &mut table);
    Site::open().table("open to everybody", &mut table);

    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wire/access.snap");
    if std::env::var_os("BOXYARD_WRITE_SNAPSHOTS").is_some() {
        fs::write(file, &table).unwrap();
    }
    let written = fs::read_to_string(file).unwrap();
    assert_eq!(table, written, "write it anew and look at the difference");
}

#[test]
fn who_may_not_know_of_a_repository_is_told_the_same_whether_or_not_it_is_there() {
    let site = Site::with_users("");

    for kind in kinds().filter(|kind| path(*kind, "r").contains("/r/")) {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
            for credentials in [String::new(), basic("idle", "idle")] {
                let [here, nowhere] = ["r", "x"].map(|repo| {
                    let answer = site.ask(method, &path(kind, repo), &credentials);
                    let challenge = answer.header("www-authenticate").unwrap_or_default();
                    let text = format!("{} {challenge} {}", answer.status, answer.text());
                    text.replace(&format!("`{repo}`"), "_")
                        .replace(&format!(":{repo}:"), ":_:")
                        .replace(&format!("\"{repo}\""), "\"_\"")
                });
                assert_eq!(here, nowhere, "{kind:?} {method}");
            }
        }
    }
}

#[test]
fn an_upload_is_there_for_who_began_it_and_for_nobody_else() {
    let site = Site::with_users("");
    let (admin, pusher) = (basic("admin", "admin"), basic("pusher", "pusher"));
    let begun = site.ask("POST", "/v2/r/blobs/uploads/", &pusher);
    let upload = begun.header("location").unwrap();

    for method in ["GET", "PATCH", "PUT", "DELETE"] {
        let target = match method {
            "PUT" => format!("{upload}?digest={DIGEST}"),
            _ => upload.to_owned(),
        };
        let answer = site.ask(method, &target, &admin);
        assert_eq!(answer.status, 404, "{method}");
        assert!(answer.text().contains("BLOB_UPLOAD_UNKNOWN"), "{method}");
    }
    assert_eq!(site.ask("GET", upload, &pusher).status, 204);
    let finished = site.ask("PUT", &format!("{upload}?digest={DIGEST}"), &pusher);
    assert_eq!(finished.status, 201);
    let again = site.ask("PUT", &format!("{upload}?digest={DIGEST}"), &admin);
    assert_eq!(again.status, 404);
}

#[test]
fn a_token_is_worth_what_was_asked_for_and_no_more() {
    let anyone = "- {who: anyone, repositories: 'public/**', actions: pull}\n";
    let site = Site::with_users(anyone);
    let token = |query: &str, credentials: &str| {
        let answer = site.ask("GET", &format!("/v2/token?service=x&{query}"), credentials);
        assert_eq!(answer.status, 200);
        let body: serde_json::Value = serde_json::from_str(&answer.text()).unwrap();
        assert_eq!(body["token"], body["access_token"]);
        let token = body["token"].as_str().unwrap();
        let bearer = format!("Authorization: Bearer {token}\r\n");
        (bearer, body["scope"].as_str().unwrap().to_owned())
    };
    let pusher = basic("pusher", "pusher");

    let (pull, scope) = token("scope=repository:r:pull,delete", &pusher);
    assert_eq!(scope, "repository:r:pull");
    assert_eq!(site.ask("GET", "/v2/r/manifests/t", &pull).status, 200);
    assert_eq!(site.ask("GET", "/v2/", &pull).status, 200);
    let more = site.ask("POST", "/v2/r/blobs/uploads/?mount=x&from=s", &pull);
    assert_eq!(more.status, 401);
    let asked = more.header("www-authenticate").unwrap();
    assert!(
        asked.contains("scope=\"repository:r:pull,push repository:s:pull\""),
        "{asked}"
    );
    assert!(asked.ends_with("error=\"insufficient_scope\""), "{asked}");
    let (both, scope) = token("scope=repository:r:push+repository:s:pull", &pusher);
    assert_eq!(scope, "repository:r:push repository:s:pull");
    assert_eq!(site.ask("POST", "/v2/r/blobs/uploads/", &both).status, 202);
    let (nobody, scope) = token(
        "scope=repository:r:pull&scope=repository:public/a:pull,push",
        "",
    );
    assert_eq!(scope, "repository:public/a:pull");
    assert_eq!(
        site.ask("GET", "/v2/public/a/tags/list", &nobody).status,
        404
    );
    let forged = site.ask("GET", "/v2/", &format!("{}x\r\n", pull.trim_end()));
    assert_eq!(forged.status, 401);
    let asked = forged.header("www-authenticate").unwrap();
    assert!(asked.ends_with("error=\"invalid_token\""), "{asked}");
}

#[test]
fn a_token_is_issued_for_a_form_as_well() {
    let site = Site::with_users("");
    let post = |form: &str| {
        let length = form.len();
        site.server.connect().ask(&format!(
            "POST /v2/token HTTP/1.1\r\nHost: registry.test\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {length}\r\n\r\n{form}"
        ))
    };

    let good = post(
        "grant_type=password&service=x&client_id=y&username=puller&password=%70uller&scope=repository%3Ar%3Apull+repository%3As%3Apull",
    );
    let wrong = post("grant_type=password&username=puller&password=x");
    let refresh = post("grant_type=refresh_token&refresh_token=x");

    assert!(
        good.text()
            .contains("\"scope\":\"repository:r:pull repository:s:pull\""),
        "{}",
        good.text()
    );
    assert_eq!((wrong.status, refresh.status), (401, 400));
    assert!(
        wrong
            .text()
            .contains("the user name or the password is wrong")
    );
}

#[test]
fn who_guesses_is_held_up_and_who_is_logged_in_is_not() {
    let site = Site::with_users("");
    let admin = basic("admin", "admin");
    assert_eq!(site.ask("GET", "/v2/", &admin).status, 200);

    let guesses: Vec<Answer> = (0..12)
        .map(|number| site.ask("GET", "/v2/", &basic("admin", &format!("guess{number}"))))
        .collect();

    let statuses: Vec<u16> = guesses.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses[..10], [401; 10]);
    assert_eq!(statuses[11], 429);
    assert!(guesses[11].text().contains("TOOMANYREQUESTS"));
    assert!(
        guesses[11]
            .header("retry-after")
            .unwrap()
            .parse::<u32>()
            .unwrap()
            > 0
    );
    assert_eq!(site.ask("GET", "/v2/", &admin).status, 200);
    let pusher = basic("pusher", "pusher");
    assert_eq!(site.ask("GET", "/v2/", &pusher).status, 200);
}

#[test]
fn a_blob_is_mounted_only_from_where_its_taker_may_pull() {
    let site = Site::with_users("- {who: idle, repositories: 'mine/**', actions: [pull, push]}\n");
    let (admin, idle) = (basic("admin", "admin"), basic("idle", "idle"));
    let stored = site.ask(
        "POST",
        &format!("/v2/secret/blobs/uploads/?digest={DIGEST}"),
        &admin,
    );
    assert_eq!(stored.status, 201);

    for from in ["&from=secret", ""] {
        let target = format!("/v2/mine/a/blobs/uploads/?mount={DIGEST}{from}");
        assert_eq!(site.ask("POST", &target, &idle).status, 202, "{from}");
        let target = format!("/v2/other/blobs/uploads/?mount={DIGEST}{from}");
        assert_eq!(site.ask("POST", &target, &admin).status, 201, "{from}");
    }
}

#[test]
fn the_catalog_shows_only_what_its_reader_may_pull_on_pages_of_any_size() {
    let site = Site::with_users("- {who: idle, repositories: ['b/**', z], actions: pull}\n");
    let (admin, idle) = (basic("admin", "admin"), basic("idle", "idle"));
    for repo in ["a", "b/1", "b/2", "c", "y", "z"] {
        let length = MANIFEST.len();
        let pushed = site.server.connect().ask(&format!(
            "PUT /v2/{repo}/manifests/t HTTP/1.1\r\nHost: x\r\n{admin}\
             Content-Type: application/vnd.oci.image.index.v1+json\r\nContent-Length: {length}\r\n\r\n{MANIFEST}"
        ));
        assert_eq!(pushed.status, 201);
    }

    for size in 1..5 {
        let mut names = Vec::new();
        let mut next = Some(format!("/v2/_catalog?n={size}"));
        while let Some(target) = next {
            let page = site.ask("GET", &target, &idle);
            let body: serde_json::Value = serde_json::from_str(&page.text()).unwrap();
            let list = body["repositories"].as_array().unwrap().clone();
            names.extend(list.iter().map(|name| name.as_str().unwrap().to_owned()));
            let link = page.header("link").map(ToOwned::to_owned);
            next = link.map(|link| link[1..link.find('>').unwrap()].to_owned());
        }
        assert_eq!(names, ["b/1", "b/2", "z"], "{size}");
    }
    let whole = site.ask("GET", "/v2/_catalog", &idle);
    assert_eq!(whole.text(), r#"{"repositories":["b/1","b/2","z"]}"#);
}
