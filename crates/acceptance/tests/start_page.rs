//! The page that people see first, and the line that everybody else gets.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use boxyard_acceptance::browse;
use boxyard_testkit::http::Response;
use boxyard_testkit::{Client, Image, Setup, TestServer, binary};
use serde_json::{Value, json};
use tempfile::TempDir;

/// `alice` with the password `secret of alice`, and with another.
const ALICE: &str = "Basic YWxpY2U6c2VjcmV0IG9mIGFsaWNl";
const FORGED: &str = "Basic YWxpY2U6YSBndWVzcw==";

#[track_caller]
fn page(client: &Client, target: &str) -> (Response, String) {
    let request = client
        .request("GET", target)
        .header("Accept", "text/html,*/*");
    let response = client.send(request).expect(200);
    let text = String::from_utf8(response.body.to_vec()).expect("the page is text");
    (response, text)
}

#[test]
fn the_start_page_says_how_to_push_to_the_host_that_was_asked_and_lists_what_is_there() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let host = server.address().to_string();

    let (_, empty) = page(&client, "/");
    client
        .push_image("team/app", "v1", &Image::with_layers(1, &[10]))
        .expect(201);
    let (_, filled) = page(&client, "/");
    let (_, alone) = page(&client, "/?repository=team/app");

    assert!(empty.contains("There are no images yet"), "{empty}");
    assert!(
        empty.contains(&format!("docker push {host}/my-image")),
        "{empty}"
    );
    assert!(empty.contains("This registry is open"), "{empty}");
    assert!(!empty.contains("insecure-registries"), "{empty}");
    assert!(
        filled.contains("team/app") && filled.contains("<code class=\"tag\">v1</code>"),
        "{filled}"
    );
    assert!(
        alone.contains("Tags of team/app")
            && alone.contains(&format!("docker pull {host}/team/app:v1")),
        "{alone}"
    );
}

#[test]
fn the_start_page_says_what_docker_needs_where_there_is_no_tls() {
    let host = json!({ "http": { "host": "http://registry.example.com:5000" } });
    let server = Setup::new().config(&host).start();

    let (_, text) = page(&Client::of(&server), "/");

    assert!(text.contains("insecure-registries"), "{text}");
    assert!(
        text.contains("docker push registry.example.com:5000/my-image"),
        "{text}"
    );
}

#[test]
fn the_start_page_below_a_prefix_leads_back_below_it_and_names_the_configured_host() {
    let http = json!({ "prefix": "/registry/", "host": "https://images.example.com/registry/" });
    let server = Setup::new().config(&json!({ "http": http })).start();
    let client = Client::of(&server);

    let (_, text) = page(&client, "/registry/");
    let (_, nowhere) = page(&client, "/registry/?repository=a&last=b");

    assert!(text.contains("<h1>images.example.com</h1>"), "{text}");
    assert!(
        text.contains("docker push images.example.com/my-image"),
        "{text}"
    );
    assert!(!text.contains("insecure-registries"), "{text}");
    assert!(
        nowhere.contains("There is no such repository."),
        "{nowhere}"
    );
    // A link without a path stays where the page is.
    let links = nowhere.split("href=\"").skip(1);
    assert!(links.clone().count() > 0, "{nowhere}");
    assert!(links.clone().all(|link| link.starts_with('?')), "{nowhere}");
}

#[test]
fn whoever_signs_out_is_asked_for_a_password_and_others_see_the_page() {
    let (_folder, server) = guarded();
    let nobody = Client::of(&server);
    let alice = Client::of(&server).with_header("Authorization", ALICE);

    let asked = ask(&alice, "/?sign-out=1");
    let (_, page) = page(&nobody, "/?sign-out=1");

    let challenge = asked.required("www-authenticate");
    assert!(challenge.starts_with("Basic realm="), "{challenge}");
    assert!(asked.text().contains("You are signed out."));
    assert!(page.contains("href=\"?sign-in=1\""), "{page}");
}

#[test]
fn the_start_page_runs_no_script_and_escapes_whatever_is_asked() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let attack = "/?repository=%3Cscript%3E&last=%22%3E%3Cscript%3E";

    let (response, text) = page(&client, attack);

    let policy = response.required("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-"),
        "{policy}"
    );
    assert!(!text.contains("<script"), "{text}");
}

#[test]
fn repositories_and_tags_of_the_start_page_come_in_pages() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[10]);
    for number in 0..60 {
        client
            .push_image(&format!("r{number:02}"), "v1", &image)
            .expect(201);
    }
    for number in 0..12 {
        let tag = format!("t{number:02}");
        client
            .put_manifest("r00", &tag, &image.manifest)
            .expect(201);
    }

    let (_, first) = page(&client, "/");
    let (_, second) = page(&client, "/?last=r49");

    assert!(
        first.contains("href=\"?last=r49\"") && !first.contains("r50"),
        "{first}"
    );
    assert!(first.contains("more tags of r00"), "{first}");
    assert!(
        second.contains("r59") && !second.contains("rel=\"next\""),
        "{second}"
    );
}

#[test]
fn whoever_is_no_browser_gets_a_line_of_text_also_while_the_registry_is_not_well() {
    let file = tempfile::NamedTempFile::new().expect("make a file");
    let check = json!([{ "file": file.path(), "interval": "10ms", "threshold": 1 }]);
    let config = json!({ "health": { "file": check } });
    let path = file.path().to_owned();
    file.close().expect("remove the file");
    let server = Setup::new().config(&config).allow_error("").start();
    let client = Client::of(&server);

    let line = client.get("/").expect(200);
    let head = client.head("/").expect(200);
    std::fs::write(&path, "").expect("make the file");
    boxyard_testkit::eventually("the registry to be unwell", || {
        (client.check().status() == Some(503)).then_some(())
    });
    let (unwell, text) = page(&client, "/");
    std::fs::remove_file(&path).expect("remove the file");

    assert!(line.required("content-type").starts_with("text/plain"));
    assert_eq!(head.required("content-length"), line.body.len().to_string());
    assert!(
        unwell.required("content-type").starts_with("text/plain"),
        "{text}"
    );
}

/// Configures a password for alice.
fn passwords(folder: &Path) -> Value {
    let file = folder.join("htpasswd");
    let mut command = Command::new(binary());
    command.args(["htpasswd", "--stdin", "--cost", "4"]);
    command.arg(&file).arg("alice").stdin(Stdio::piped());
    let mut child = command.spawn().expect("run boxyard");
    let mut input = child.stdin.take().expect("its input is piped");
    input
        .write_all(b"secret of alice\n")
        .expect("tell it the password");
    drop(input);
    assert!(child.wait().expect("wait for boxyard").success());
    json!({ "htpasswd": { "realm": "registry", "path": file } })
}

/// A registry with something that anybody may pull, and something that only alice may.
fn guarded() -> (TempDir, TestServer) {
    let folder = tempfile::tempdir().expect("make a folder");
    let config = json!({
        "auth": passwords(folder.path()),
        "access": [
            { "who": "anyone", "repositories": "public/**", "actions": ["pull"] },
            { "who": "alice", "repositories": "**", "actions": ["*"] },
        ],
    });
    let server = Setup::new().config(&config).start();
    let alice = Client::of(&server).with_header("Authorization", ALICE);
    for repo in ["public/app", "private/app"] {
        let image = Image::with_layers(1, &[10]);
        alice.push_image(repo, "v1", &image).expect(201);
    }
    (folder, server)
}

fn ask(client: &Client, target: &str) -> Response {
    let request = client.request("GET", target).header("Accept", "text/html");
    client.send(request).expect(401)
}

#[test]
fn whoever_signs_in_sees_on_the_start_page_what_they_may_pull_and_others_what_all_may() {
    let (_folder, server) = guarded();
    let nobody = Client::of(&server);
    let alice = Client::of(&server).with_header("Authorization", ALICE);

    let (_, before) = page(&nobody, "/");
    let asked = ask(&nobody, "/?sign-in=1");
    let (_, after) = page(&alice, "/?sign-in=1");
    let (_, hidden) = page(&nobody, "/?repository=private/app");
    let (_, shown) = page(&alice, "/?repository=private/app");

    assert!(before.contains("href=\"?sign-in=1\""), "{before}");
    assert!(before.contains("docker login"), "{before}");
    assert!(before.contains("public/app"), "{before}");
    assert!(!before.contains("private/app"), "{before}");
    assert!(
        asked
            .required("www-authenticate")
            .starts_with("Basic realm=")
    );
    assert!(after.contains("You are signed in as alice"), "{after}");
    assert!(after.contains("private/app"), "{after}");
    assert!(!after.contains("href=\"?sign-in"), "{after}");
    assert!(hidden.contains("Sign in to see what is there"), "{hidden}");
    assert!(!hidden.contains(">v1<"), "{hidden}");
    assert!(
        shown.contains("<li><code class=\"tag\">v1</code>"),
        "{shown}"
    );
}

#[test]
fn a_browser_with_a_wrong_password_is_asked_again_and_clients_for_a_token_as_ever() {
    let (_folder, server) = guarded();
    let forger = Client::of(&server).with_header("Authorization", FORGED);

    let browser = ask(&forger, "/");
    let client = forger.get("/").expect_error(401, "UNAUTHORIZED");

    assert!(
        browser
            .required("www-authenticate")
            .starts_with("Basic realm=")
    );
    assert!(
        client
            .required("www-authenticate")
            .starts_with("Bearer realm=")
    );
}

#[test]
fn the_start_page_offers_to_sign_in_only_where_there_are_passwords() {
    let rule = json!({ "who": "anyone", "repositories": "public/**", "actions": ["pull"] });
    let ruled = Setup::new().config(&json!({ "access": [rule] })).start();
    let folder = tempfile::tempdir().expect("make a folder");
    let config = json!({ "auth": passwords(folder.path()) });
    let closed = Setup::new().config(&config).start();
    let open = TestServer::start();

    let (_, ruled) = page(&Client::of(&ruled), "/?sign-in=1");
    let (_, closed) = page(&Client::of(&closed), "/");
    let (_, open) = page(&Client::of(&open), "/?sign-in=1");

    assert!(!ruled.contains("href=\"?sign-in"), "{ruled}");
    assert!(!ruled.contains("docker login"), "{ruled}");
    assert!(
        ruled.contains("Not everything is open to everybody."),
        "{ruled}"
    );
    assert!(closed.contains("href=\"?sign-in=1\""), "{closed}");
    assert!(closed.contains("Sign in to see what is there"), "{closed}");
    assert!(!open.contains("href=\"?sign-in"), "{open}");
    assert!(open.contains("This registry is open"), "{open}");
}

#[test]
fn the_start_page_says_that_nobody_may_push_while_the_registry_is_read_only() {
    let read_only = json!({ "readonly": { "enabled": true } });
    let config = json!({ "storage": { "maintenance": read_only } });
    let server = Setup::new().config(&config).start();

    let (_, text) = page(&Client::of(&server), "/");

    assert!(
        text.contains("Nobody may push while it is read-only") && !text.contains("docker push"),
        "{text}"
    );
}

/// Has a person look at the page of a server.
#[track_caller]
fn look(server: &TestServer, scenario: &str) {
    browse(
        "start_page.js",
        scenario,
        &format!("http://{}/", server.address()),
    );
}

#[test]
fn chromium_shows_the_start_page_of_an_empty_registry_and_runs_no_script_in_it() {
    look(&TestServer::start(), "empty");
}

#[test]
fn chromium_leafs_through_a_start_page_with_many_repositories_and_long_names() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[10]);
    for number in 0..58 {
        let repo = format!("team-{}/service-{number:02}", number % 7);
        client.push_image(&repo, "latest", &image).expect(201);
    }
    let long = format!(
        "a/{}",
        "quite-a-long-name-of-a-repository.".repeat(6) + "end"
    );
    client
        .push_image(&long, &"t".repeat(128), &image)
        .expect(201);
    let unbroken = format!("b/{}", "x".repeat(200));
    client.push_image(&unbroken, "v1", &image).expect(201);
    client.push_image("many-tags", "v1", &image).expect(201);
    for number in 0..500 {
        let tag = format!("build-{number:04}");
        client
            .put_manifest("many-tags", &tag, &image.manifest)
            .expect(201);
    }

    look(&server, "full");
}

#[test]
fn chromium_signs_in_on_the_start_page_and_shows_what_was_hidden() {
    let (_folder, server) = guarded();

    look(&server, "guarded");
}
