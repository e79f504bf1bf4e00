//! What the logs say, and how that is changed while the server runs.

use boxyard_testkit::{Client, Setup, TestServer, eventually};
use serde_json::{Value, json};

/// Asks the debug listener about the level of the log.
fn level(server: &TestServer, method: &str, query: &str) -> Value {
    let admin = Client::at(server.debug_address());
    let request = admin.request(method, &format!("/debug/log{query}"));
    admin.send(request).expect(200).json()
}

/// The lines about requests that are JSON.
fn access_lines(server: &TestServer) -> Vec<Value> {
    let log = server.log();
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    lines
        .filter(|line: &Value| line["http.response.status"].is_number())
        .collect()
}

#[test]
fn the_level_of_the_log_is_changed_while_the_server_runs_and_returns() {
    let server = Setup::new().debug().start();
    assert_eq!(level(&server, "GET", "")["level"], "info");
    assert!(!server.log().contains("level=debug"));

    level(&server, "PUT", "?level=debug&for=2s");

    eventually("a line that says more", || {
        drop(Client::of(&server).connect());
        let ended_early = Client::of(&server)
            .connect()
            .map(|mut wire| wire.write(b"no request\r\n\r\n"));
        drop(ended_early);
        server.log().contains("level=debug").then_some(())
    });
    eventually("the level to return", || {
        (level(&server, "GET", "")["level"] == "info").then_some(())
    });
    level(&server, "PUT", "?level=error&target=boxyard_server");
    let now = level(&server, "GET", "");
    assert_eq!(now["targets"], json!({"boxyard_server": "error"}));
    assert_eq!(level(&server, "DELETE", "")["targets"], json!({}));
}

#[test]
fn a_level_that_is_none_is_refused() {
    let server = Setup::new().debug().start();
    let admin = Client::at(server.debug_address());

    for query in ["", "?level=loud", "?level=debug&for=soon", "?what=x"] {
        let request = admin.request("PUT", &format!("/debug/log{query}"));
        let refusal = admin.send(request).expect(400).text();
        assert!(refusal.contains("expected"), "{refusal}");
    }
}

#[test]
fn each_request_is_one_line_of_json_with_the_configured_fields() {
    let fields = json!({"log": {"formatter": "json", "fields": {"service": "registry"}}});
    let server = Setup::new().config(&fields).start();
    let client = Client::of(&server);

    let answer = client.get("/v2/a/tags/list?n=1").expect(404);

    let line = eventually("the line", || {
        let id = answer.required("x-request-id");
        access_lines(&server)
            .into_iter()
            .find(|line| line["http.request.id"] == id)
    });
    assert_eq!(line["service"], "registry");
    assert_eq!(line["http.request.uri"], "/v2/a/tags/list?n=1");
    assert_eq!(line["http.response.status"], 404);
    assert_eq!(line["http.response.written"], answer.body.len());
    assert!(line["duration_ms"].is_number(), "{line}");
}

#[test]
fn lines_for_logstash_have_its_names() {
    let formatter = json!({"log": {"formatter": "logstash"}});
    let server = Setup::new().config(&formatter).start();

    let line = eventually("a line", || access_lines(&server).into_iter().next());

    assert!(line["@timestamp"].is_string(), "{line}");
    let log = server.log();
    let first: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!(first["@version"], "1");
    assert!(first["message"].is_string(), "{first}");
}

#[test]
fn text_is_the_combined_format_and_can_be_switched_off() {
    let server = TestServer::start();
    let quiet = json!({"log": {"accesslog": {"disabled": true}}});
    let quiet = Setup::new().config(&quiet).start();
    for server in [&server, &quiet] {
        let client = Client::of(server).with_header("User-Agent", "tester/1");
        client.get("/v2/_catalog").expect(200);
    }

    let line = eventually("the line", || {
        let log = server.log();
        log.lines()
            .find(|line| line.contains("tester/1"))
            .map(str::to_owned)
    });

    assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
    assert!(
        line.contains("] \"GET /v2/_catalog HTTP/1.1\" 200 "),
        "{line}"
    );
    assert!(line.ends_with(" \"-\" \"tester/1\""), "{line}");
    assert!(!quiet.log().contains("/v2/_catalog"), "{}", quiet.log());
}
