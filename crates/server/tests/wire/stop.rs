//! Stopping while requests run.

use crate::support::Running;

#[test]
fn a_running_request_ends_before_the_server_does() {
    let mut server = Running::start();
    let path = server.begin_upload("a");
    let mut wire = server.connect();
    let asked = wire.ask(&format!(
        "PATCH {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    ));
    assert_eq!(asked.status, 100);

    server.tell_to_stop();
    wire.send("hello");
    let answer = wire.answer(true);

    assert_eq!(answer.status, 202);
    assert_eq!(answer.header("range"), Some("0-4"));
    server.wait();
}

#[test]
fn a_request_that_takes_too_long_is_cut_off() {
    let mut server = Running::with("  draintimeout: 100ms");
    let path = server.begin_upload("a");
    let mut wire = server.connect();
    let asked = wire.ask(&format!(
        "PATCH {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    ));
    assert_eq!(asked.status, 100);

    server.tell_to_stop();
    server.wait();

    assert!(wire.is_closed());
}

#[test]
fn idle_connections_do_not_hold_a_stop_up() {
    let mut server = Running::start();
    let mut used = server.connect();
    used.ask("GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut silent = server.connect();

    server.tell_to_stop();
    server.wait();

    assert!(used.is_closed());
    assert!(silent.is_closed());
}
