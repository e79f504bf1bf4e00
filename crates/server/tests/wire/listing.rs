//! Lists that do not fit one page.

use crate::support::Running;

const MANIFEST: &str =
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
/// The digest of the manifest.
const DIGEST: &str = "sha256:42c59b6d2ac27423c2b7d1c6f31f8f3ba1d5d5b7c2cb5b1cb8a57b5b0c1d1e54";

fn push(server: &Running, repo: &str, target: &str) -> crate::support::Answer {
    let length = MANIFEST.len();
    server.connect().ask(&format!(
        "PUT /v2/{repo}/manifests/{target} HTTP/1.1\r\nHost: x\r\n\
         Content-Type: application/vnd.oci.image.index.v1+json\r\nContent-Length: {length}\r\n\r\n{MANIFEST}"
    ))
}

fn get(server: &Running, target: &str) -> crate::support::Answer {
    server
        .connect()
        .ask(&format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"))
}

#[test]
fn pages_link_to_the_next_one() {
    let server = Running::start();
    for tag in ["a", "b", "c"] {
        assert_eq!(push(&server, "r", tag).status, 201);
    }

    let first = get(&server, "/v2/r/tags/list?n=2");
    let last = get(&server, "/v2/r/tags/list?last=b&n=2");
    let none = get(&server, "/v2/r/tags/list?n=0");
    let wrong = get(&server, "/v2/r/tags/list?n=-1");

    assert_eq!(first.text(), r#"{"name":"r","tags":["a","b"]}"#);
    assert_eq!(
        first.header("link"),
        Some(r#"</v2/r/tags/list?last=b&n=2>; rel="next""#)
    );
    assert_eq!(
        (last.text().as_str(), last.header("link")),
        (r#"{"name":"r","tags":["c"]}"#, None)
    );
    assert_eq!(
        (none.text().as_str(), none.header("link")),
        (r#"{"name":"r","tags":[]}"#, None)
    );
    assert!(wrong.status == 400 && wrong.text().contains("PAGINATION_NUMBER_INVALID"));
}

#[test]
fn one_push_may_move_several_tags() {
    let server = Running::start();
    let first = push(&server, "r", "x");
    let digest = first.header("docker-content-digest").unwrap();

    let pushed = push(&server, "r", &format!("{digest}?tag=b&tag=a"));

    assert_eq!(
        (pushed.status, pushed.header("oci-tag")),
        (201, Some("b, a"))
    );
    let listed = get(&server, "/v2/r/tags/list");
    assert_eq!(listed.text(), r#"{"name":"r","tags":["a","b","x"]}"#);
}

#[test]
fn the_catalog_has_every_repository() {
    let server = Running::start();
    for repo in ["b", "a/b", "a-b", "a"] {
        assert_eq!(push(&server, repo, "x").status, 201);
    }

    let whole = get(&server, "/v2/_catalog");
    let page = get(&server, "/v2/_catalog?n=3&last=a");

    assert_eq!(whole.text(), r#"{"repositories":["a","a-b","a/b","b"]}"#);
    assert_eq!(
        (page.text().as_str(), page.header("link")),
        (r#"{"repositories":["a-b","a/b","b"]}"#, None)
    );
}

#[test]
fn a_manifest_under_another_digest_is_refused() {
    let server = Running::start();

    let answer = push(&server, "r", DIGEST);

    assert!(
        answer.status == 400 && answer.text().contains("DIGEST_INVALID"),
        "{}",
        answer.text()
    );
}

#[test]
fn urls_are_absolute_where_a_host_is_configured() {
    let server = Running::with("  host: https://registry.example/");

    let pushed = push(&server, "r", "x");

    let location = pushed.header("location").unwrap();
    assert!(
        location.starts_with("https://registry.example/v2/r/manifests/sha256:"),
        "{location}"
    );
}
