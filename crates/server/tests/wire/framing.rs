//! Heads that are too long, ambiguous or malformed.

use crate::support::Running;

#[test]
fn a_head_that_is_too_long_is_told_so() {
    let server = Running::start();
    let mut wire = server.connect();

    wire.send("GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Long: ");
    wire.send(vec![b'x'; 1 << 20]);
    wire.send("\r\n\r\n");

    assert_eq!(wire.answer(false).status, 431);
    assert!(wire.is_closed());
}

#[test]
fn too_many_lines_are_told_so() {
    let server = Running::start();
    let lines = "X-A: b\r\n".repeat(1_000);

    let answer = server
        .connect()
        .ask(&format!("GET /v2/ HTTP/1.1\r\nHost: x\r\n{lines}\r\n"));

    assert_eq!(answer.status, 431);
}

#[test]
fn malformed_framing_is_refused_and_ends_the_connection() {
    let server = Running::start();
    let heads = [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5, 5\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Content-Length : 5\r\n",
        " folded: x\r\n",
        "X-A: a\0b\r\n",
    ];

    for head in heads {
        let mut wire = server.connect();
        let answer = wire.ask(&format!(
            "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n{head}\r\n"
        ));
        assert_eq!(answer.status, 400, "{head:?}");
        assert!(wire.is_closed(), "{head:?}");
    }
}

#[test]
fn what_two_readers_could_frame_differently_is_the_last_on_its_connection() {
    let server = Running::start();
    let both = [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
    ];

    for head in both {
        let mut wire = server.connect();
        wire.send(format!(
            "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n{head}\r\n0\r\n\r\n"
        ));
        wire.send("GET /v2/smuggled/tags/list HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(wire.answer(true).status, 202, "{head:?}");
        assert!(wire.is_closed(), "{head:?}");
    }
}

#[test]
fn requests_in_a_row_are_answered_in_their_order() {
    let server = Running::start();
    let mut wire = server.connect();

    wire.send(
        "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\nGET /v2/a/tags/list HTTP/1.1\r\nHost: x\r\n\r\n",
    );

    assert_eq!(wire.answer(true).status, 200);
    assert_eq!(wire.answer(true).status, 404);
}

#[test]
fn paths_that_climb_are_refused() {
    let server = Running::start();
    let mut wire = server.connect();

    for path in [
        "/v2/../../etc/passwd",
        "/v2/a/../b/tags/list",
        "/v2/%2e%2e/tags/list",
        "/v2/a%2f..%2fb/tags/list",
        "//v2/",
    ] {
        let answer = wire.ask(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert!(
            matches!(answer.status, 400 | 404),
            "{path}: {}",
            answer.status
        );
        assert!(
            answer.text().starts_with(r#"{"errors":[{"code":""#),
            "{path}"
        );
    }
}

#[test]
fn every_answer_says_that_this_is_a_registry_and_has_an_id() {
    let server = Running::with("log: {fields: {a: b}}");
    let mut wire = server.connect();

    for request in [
        "GET /v2/",
        "HEAD /",
        "OPTIONS /v2/_catalog",
        "GET /nowhere",
        "PUT /v2/",
        "GET /v2/%",
    ] {
        let answer = wire.ask(&format!("{request} HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(
            answer.header("docker-distribution-api-version"),
            Some("registry/2.0"),
            "{request}"
        );
        assert!(answer.header("x-request-id").is_some(), "{request}");
    }
}

#[test]
fn methods_that_are_not_served_name_those_that_are() {
    let server = Running::start();
    let mut wire = server.connect();

    let refused = wire.ask("DELETE /v2/_catalog HTTP/1.1\r\nHost: x\r\n\r\n");
    let options = wire.ask("OPTIONS /v2/a/manifests/x HTTP/1.1\r\nHost: x\r\n\r\n");

    assert_eq!(
        (refused.status, refused.header("allow")),
        (405, Some("GET, HEAD, OPTIONS"))
    );
    assert_eq!(
        (options.status, options.header("allow")),
        (200, Some("GET, HEAD, PUT, DELETE, OPTIONS"))
    );
}

#[test]
fn an_idle_connection_is_closed() {
    let server = Running::with("boxyard: {connections: {idletimeout: 100ms}}");
    let mut silent = server.connect();
    let mut half = server.connect();
    half.send("GET /v2/ HT");
    let mut used = server.connect();
    used.ask("GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n");

    assert!(silent.is_closed());
    assert!(half.is_closed());
    assert!(used.is_closed());
}
