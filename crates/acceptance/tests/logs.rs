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
    assert_eq!(
        (&line["@version"], &line["message"]),
        (&json!("1"), &json!("response completed"))
    );
    assert!(line["msg"].is_null() && line["time"].is_null(), "{line}");
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

/// What distribution's lines about requests have and ours do not, with the reason in the guide.
const NOT_HERE: [&str; 7] = [
    "err.code",
    "err.detail",
    "err.message",
    "go.version",
    "instance.id",
    "vars.name",
    "version",
];

/// The line about a request for a list of tags that is not there.
fn line_about_a_request(server: &TestServer) -> Value {
    let client = Client::of(server).with_header("User-Agent", "tester/1");
    let client = client.with_header("Referer", "http://elsewhere/");
    client.get("/v2/a/tags/list?n=1").expect(404);
    eventually("the line", || {
        let lines = access_lines(server).into_iter();
        let mut about = lines.filter(|line| line["http.request.useragent"] == "tester/1");
        about.next()
    })
}

#[test]
fn lines_about_requests_have_the_fields_of_distribution_but_for_a_list() {
    let fields =
        json!({"log": {"formatter": "json", "fields": {"service": "registry", "rack": 7}}});
    let setup = || Setup::new().config(&fields);
    let theirs = setup()
        .program("registry-3.1.1")
        .env("OTEL_TRACES_EXPORTER", "none");
    let (theirs, ours) = (theirs.start(), setup().start());

    let theirs = line_about_a_request(&theirs);
    let ours = line_about_a_request(&ours);

    let theirs = theirs.as_object().expect("a line is an object");
    assert!(theirs.len() > 15, "{theirs:?}");
    for (name, value) in theirs {
        let here = &ours[name];
        if NOT_HERE.contains(&name.as_str()) {
            assert!(here.is_null(), "{name} is here: {here}");
            continue;
        }
        let is_alike = match value {
            Value::String(_) => here.is_string(),
            Value::Number(_) => here.is_number(),
            _ => false,
        };
        assert!(is_alike, "{name}: {value} there, {here} here");
    }
    for same in [
        "http.request.uri",
        "http.request.method",
        "http.response.status",
        "http.request.referer",
        "msg",
        "rack",
        "service",
    ] {
        assert_eq!(ours[same], theirs[same], "{same}");
    }
}

#[test]
fn the_guide_names_the_fields_that_are_not_here() {
    let guide = boxyard_acceptance::checkout().join("docs/guide/operations.md");
    let guide = std::fs::read_to_string(guide).expect("read the guide");

    for field in NOT_HERE {
        assert!(guide.contains(&format!("`{field}`")), "{field}");
    }
}

#[test]
fn the_older_name_of_the_level_counts_where_the_newer_is_not_and_hooks_are_said_to_do_nothing() {
    let hooks = json!([{"type": "mail", "levels": ["panic"], "options": {"from": "a@b.test"}}]);
    let level = |config: &Value| {
        let server = Setup::new().debug().config(config).start();
        let level = level(&server, "GET", "")["level"].clone();
        (level, server.log())
    };

    let (old, _) = level(&json!({"loglevel": "debug"}));
    let (both, _) = level(&json!({"loglevel": "debug", "log": {"level": "error"}}));
    let (hooked, said) = level(&json!({"log": {"hooks": hooks}}));

    assert_eq!(
        (old, both, hooked),
        (json!("debug"), json!("error"), json!("info"))
    );
    assert!(
        said.contains("log.hooks") && said.contains("no mail is sent"),
        "{said}"
    );
}

#[test]
fn garbage_changes_no_level_and_harms_nobody() {
    let server = Setup::new().debug().start();
    let admin = Client::at(server.debug_address());
    let before = level(&server, "GET", "");
    let long = format!("?level=debug&target={}", "a".repeat(5_000));
    let many = "?".to_owned() + &"level=debug&".repeat(50) + "level=%00";

    for query in [
        long.as_str(),
        many.as_str(),
        "?level=%ff%fe",
        "?level=debug&for=99999999999999999999h",
        "?=&=&=",
        "?level=trace&target=a%20b",
        "?level=debug;level=info",
    ] {
        let request = admin.request("PUT", &format!("/debug/log{query}"));
        let status = admin.send(request).status();
        assert!(
            matches!(status, Some(400 | 414 | 431)),
            "{query}: {status:?}"
        );
    }
    for method in ["PATCH", "BREW", "OPTIONS"] {
        let request = admin.request(method, "/debug/log?level=trace");
        admin.send(request).expect(405);
    }
    let mut wire = admin.connect().expect("connect to the debug listener");
    // It closes what is no request, perhaps with an answer.
    let _answered = wire
        .write(&[0xff; 4_096])
        .and_then(|()| wire.read_to_close());

    assert_eq!(level(&server, "GET", ""), before);
    Client::of(&server).get("/v2/").expect(200);
}
