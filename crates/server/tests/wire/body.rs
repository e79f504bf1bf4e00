//! Answers to requests whose body is still on its way.

use crate::support::Running;

const BIG: usize = 16 << 20;

fn oversized_manifest(more: &str) -> String {
    format!("PUT /v2/a/manifests/x HTTP/1.1\r\nHost: x\r\nContent-Length: {BIG}\r\n{more}\r\n")
}

#[test]
fn a_client_that_sends_first_and_reads_later_gets_the_error() {
    let server = Running::start();
    let mut wire = server.connect();

    wire.send(oversized_manifest(""));
    wire.send(vec![b' '; BIG]);
    let answer = wire.answer(true);

    assert_eq!(answer.status, 413);
    assert!(answer.text().contains("SIZE_INVALID"), "{}", answer.text());
    let next = wire.ask("GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(next.status, 200);
}

#[test]
fn a_chunked_body_that_nobody_wants_is_read_to_its_end_too() {
    let server = Running::start();
    let mut wire = server.connect();

    wire.send(
        "PATCH /v2/a/blobs/uploads/none HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    for _ in 0..64 {
        wire.send(format!("{:x}\r\n", 1 << 16));
        wire.send(vec![b'x'; 1 << 16]);
        wire.send("\r\n");
    }
    wire.send("0\r\n\r\n");

    assert_eq!(wire.answer(true).status, 404);
    assert_eq!(wire.ask("GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
}

#[test]
fn nobody_is_asked_for_a_body_that_is_refused() {
    let server = Running::start();
    let mut wire = server.connect();

    let answer = wire.ask(&oversized_manifest("Expect: 100-continue\r\n"));

    assert_eq!(answer.status, 413);
    assert!(wire.is_closed());
}

#[test]
fn a_body_that_is_wanted_is_asked_for() {
    let server = Running::start();
    let path = server.begin_upload("a");
    let mut wire = server.connect();

    let asked = wire.ask(&format!(
        "PATCH {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    ));
    wire.send("hello");
    let answer = wire.answer(true);

    assert_eq!((asked.status, answer.status), (100, 202));
    assert_eq!(answer.header("range"), Some("0-4"));
}

#[test]
fn a_trickle_is_given_up_and_the_upload_goes_on_where_it_was() {
    let server = Running::with("boxyard: {uploads: {window: 200ms, minimum: 100}}");
    let path = server.begin_upload("a");
    let mut wire = server.connect();

    wire.send(format!(
        "PATCH {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc"
    ));
    let answer = wire.answer(true);

    assert_eq!(answer.status, 408, "{}", answer.text());
    assert!(wire.is_closed());
    let status = server
        .connect()
        .ask(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_eq!(status.status, 204);
}

#[test]
fn a_chunk_out_of_order_is_told_where_to_go_on() {
    let server = Running::start();
    let path = server.begin_upload("a");
    let mut wire = server.connect();
    let chunk = |range: &str, length: usize| {
        format!(
            "PATCH {path} HTTP/1.1\r\nHost: x\r\nContent-Range: {range}\r\nContent-Length: {length}\r\n\r\n"
        )
    };

    wire.send(chunk("0-9", 10) + "0123456789");
    assert_eq!(wire.answer(true).status, 202);
    wire.send(chunk("20-29", 10) + "0123456789");
    let answer = wire.answer(true);

    assert_eq!(answer.status, 416);
    assert_eq!(answer.header("range"), Some("0-9"));
    assert_eq!(answer.header("location"), Some(path.as_str()));
}

#[test]
fn a_range_that_contradicts_the_length_is_refused() {
    let server = Running::start();
    let path = server.begin_upload("a");
    let mut wire = server.connect();

    wire.send(format!(
        "PATCH {path} HTTP/1.1\r\nHost: x\r\nContent-Range: 0-99\r\nContent-Length: 10\r\n\r\n0123456789"
    ));
    let answer = wire.answer(true);

    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("SIZE_INVALID"), "{}", answer.text());
}

#[test]
fn an_unfinished_body_leaves_what_came() {
    let server = Running::start();
    let path = server.begin_upload("a");
    let mut wire = server.connect();

    wire.send(format!(
        "PATCH {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc"
    ));
    drop(wire);

    let status = server
        .connect()
        .ask(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_eq!(status.status, 204);
}
