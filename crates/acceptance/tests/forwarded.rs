//! What proxies say of a request: from trusted networks as distribution understands it, from others never.

use boxyard_acceptance::tools;
use boxyard_testkit::http::{Connection, Request, Response};
use boxyard_testkit::{Setup, TestServer, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What every request is for.
const HOST: &str = "inner.example:5000";
/// How a registry is seen that believes nobody.
const UNTOLD: &str = "http://inner.example:5000";

/// Headers, how distribution sees itself by them, how we do, whom we take for the client, and why the two differ.
struct Row {
    headers: &'static [(&'static str, &'static str)],
    theirs: &'static str,
    ours: &'static str,
    client: &'static str,
    why: &'static str,
}

const US: &str = "127.0.0.1";

const fn same(
    headers: &'static [(&'static str, &'static str)],
    seen: &'static str,
    client: &'static str,
) -> Row {
    Row {
        headers,
        theirs: seen,
        ours: seen,
        client,
        why: "",
    }
}

const fn other(
    headers: &'static [(&'static str, &'static str)],
    [theirs, ours]: [&'static str; 2],
    client: &'static str,
    why: &'static str,
) -> Row {
    Row {
        headers,
        theirs,
        ours,
        client,
        why,
    }
}

const CASE: &str = "a scheme is the same in capitals";
const LAST: &str = "what comes before the word of the nearest proxy may be forged by the client";
const NONSENSE: &str = "what is no scheme or no host is not passed on";
const BOTH: &str =
    "a proxy that knows one kind passes the other on as the client sent it, so they must agree";
const LENIENT: &str = "the rest of an element counts";

const TABLE: &[Row] = &[
    same(&[], UNTOLD, US),
    same(
        &[("X-Forwarded-Proto", "https")],
        "https://inner.example:5000",
        US,
    ),
    same(&[("X-Forwarded-Host", "r.example")], "http://r.example", US),
    same(
        &[
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "r.example:8443"),
            ("X-Forwarded-For", "192.0.2.1"),
        ],
        "https://r.example:8443",
        "192.0.2.1",
    ),
    same(&[("X-Forwarded-Host", "")], UNTOLD, US),
    // Nobody agrees on what these mean, and both leave them alone.
    same(&[("X-Forwarded-Port", "8443")], UNTOLD, US),
    same(&[("X-Forwarded-Prefix", "/below")], UNTOLD, US),
    same(
        &[
            ("X-Forwarded-Ssl", "on"),
            ("Front-End-Https", "on"),
            ("X-Forwarded-Scheme", "https"),
        ],
        UNTOLD,
        US,
    ),
    same(&[("X-Real-IP", "192.0.2.1")], UNTOLD, "192.0.2.1"),
    same(
        &[("X-Forwarded-For", "203.0.113.9, 192.0.2.1")],
        UNTOLD,
        "192.0.2.1",
    ),
    same(
        &[
            ("X-Forwarded-For", "203.0.113.9"),
            ("X-Forwarded-For", "192.0.2.1"),
        ],
        UNTOLD,
        "192.0.2.1",
    ),
    same(
        &[
            ("X-Forwarded-For", "192.0.2.1, 127.0.0.2"),
            ("X-Forwarded-Host", "r.example, mid.example"),
        ],
        "http://r.example",
        "192.0.2.1",
    ),
    other(
        &[("X-Forwarded-Host", "r.example, mid.example")],
        ["http://r.example", "http://mid.example"],
        US,
        LAST,
    ),
    other(
        &[
            ("X-Forwarded-For", "203.0.113.9, 192.0.2.1"),
            ("X-Forwarded-Host", "forged.example, r.example"),
        ],
        ["http://forged.example", "http://r.example"],
        "192.0.2.1",
        LAST,
    ),
    other(
        &[("X-Forwarded-Proto", "https, http")],
        ["https, http://inner.example:5000", UNTOLD],
        US,
        LAST,
    ),
    other(
        &[("X-Forwarded-Proto", "HTTPS")],
        ["HTTPS://inner.example:5000", "https://inner.example:5000"],
        US,
        CASE,
    ),
    other(
        &[("X-Forwarded-Proto", "javascript")],
        ["javascript://inner.example:5000", UNTOLD],
        US,
        NONSENSE,
    ),
    other(
        &[("X-Forwarded-Host", "user@r.example")],
        ["http://user%40r.example", UNTOLD],
        US,
        NONSENSE,
    ),
    other(
        &[("X-Forwarded-Host", "r.example/path")],
        ["http://r.example%2Fpath", UNTOLD],
        US,
        NONSENSE,
    ),
    same(
        &[("Forwarded", "proto=https;host=r.example")],
        "https://r.example",
        US,
    ),
    same(
        &[(
            "Forwarded",
            "for=192.0.2.1;proto=https;host=\"r.example:8443\"",
        )],
        "https://r.example:8443",
        "192.0.2.1",
    ),
    same(
        &[(
            "Forwarded",
            "For=\"[2001:db8::17]:4711\"; proto=https ; Host=r.example",
        )],
        "https://r.example",
        "2001:db8::17",
    ),
    same(
        &[("Forwarded", "host=\"[2001:db8::1]:5000\";proto=https")],
        "https://[2001:db8::1]:5000",
        US,
    ),
    same(
        &[("Forwarded", "proto=https;host=r.example;ext=\"a,b;c\"")],
        "https://r.example",
        US,
    ),
    same(
        &[("Forwarded", "for=_hidden;proto=https")],
        "https://inner.example:5000",
        US,
    ),
    same(
        &[("Forwarded", "for=unknown;proto=https;host=r.example")],
        "https://r.example",
        US,
    ),
    same(
        &[("Forwarded", "for=\"192.0.2.1;host=r.example")],
        UNTOLD,
        US,
    ),
    same(
        &[(
            "Forwarded",
            "for=192.0.2.1;proto=https;host=r.example, for=127.0.0.2;proto=http;host=mid.example",
        )],
        "https://r.example",
        "192.0.2.1",
    ),
    same(
        &[
            ("Forwarded", "for=192.0.2.1;proto=https;host=r.example"),
            ("Forwarded", "for=127.0.0.2;proto=http;host=mid.example"),
        ],
        "https://r.example",
        "192.0.2.1",
    ),
    other(
        &[(
            "Forwarded",
            "for=203.0.113.9;host=forged.example, for=192.0.2.1;proto=https;host=r.example",
        )],
        ["http://forged.example", "https://r.example"],
        "192.0.2.1",
        LAST,
    ),
    other(
        &[("Forwarded", "proto=HTTPS;host=r.example")],
        ["HTTPS://r.example", "https://r.example"],
        US,
        CASE,
    ),
    other(
        &[("Forwarded", "proto=https;;host=r.example")],
        [UNTOLD, "https://r.example"],
        US,
        LENIENT,
    ),
    other(
        &[("Forwarded", "proto=http;proto=https;host=r.example")],
        [UNTOLD, "https://r.example"],
        US,
        LENIENT,
    ),
    other(
        &[
            ("Forwarded", "proto=https"),
            ("X-Forwarded-Host", "r.example"),
        ],
        ["https://inner.example:5000", "https://r.example"],
        US,
        BOTH,
    ),
    other(
        &[
            (
                "Forwarded",
                "for=203.0.113.9;proto=https;host=forged.example",
            ),
            ("X-Forwarded-For", "192.0.2.1"),
            ("X-Forwarded-Host", "r.example"),
            ("X-Forwarded-Proto", "https"),
        ],
        ["https://forged.example", "https://inner.example:5000"],
        US,
        BOTH,
    ),
];

/// Begins an upload in the repository `row-N`.
fn ask(server: &TestServer, number: usize, row: &Row) -> Response {
    let target = format!("/v2/row-{number}/blobs/uploads/");
    let request = Request::new("POST", &target).header("Host", HOST);
    let mut request = row.headers.iter().fold(request, |request, (name, value)| {
        request.header(name, value)
    });
    let mut connection = Connection::open(server.address()).expect("connect");
    connection.send(&mut request).expect("an answer")
}

/// How distribution sees itself: by what it says where the upload is.
fn theirs(answer: &Response) -> String {
    let location = answer.required("location");
    let end = location.find("/v2/").expect("a path of the API");
    location[..end].to_owned()
}

/// How we see ourselves: by where we say that tokens are, because where uploads are is said without a host.
fn ours(answer: &Response) -> String {
    let challenge = answer.required("www-authenticate");
    let realm = challenge.split('"').nth(1).expect("a realm in quotes");
    let end = realm.rfind("/token").expect("the path of tokens");
    realm[..end].trim_end_matches("/v2").to_owned()
}

/// The client of a request by the access log.
fn client(server: &TestServer, number: usize) -> String {
    let words = format!("\"POST /v2/row-{number}/");
    eventually("the line of the request", || {
        let log = server.log();
        let line = log.lines().find(|line| line.contains(&words))?;
        line.split_once(' ').map(|(client, _)| client.to_owned())
    })
}

/// A server that says in each refusal where its tokens are, and the folder of its users.
fn asking_for_tokens(trusted: &Value) -> (TestServer, TempDir) {
    let users = TempDir::new().expect("make a folder");
    let config = json!({
        "auth": { "htpasswd": { "realm": "x", "path": users.path().join("users") } },
        "access": [{ "who": "anyone", "repositories": "**", "actions": "pull" }],
        "boxyard": { "trustedproxies": trusted },
    });
    (Setup::new().config(&config).start(), users)
}

#[test]
fn what_trusted_proxies_say_is_understood_as_by_distribution_but_for_reasons_that_are_listed() {
    let distribution = Setup::new()
        .program(tools().join("bin/registry-3.1.1"))
        .env("OTEL_TRACES_EXPORTER", "none")
        .start();
    let (trusting, _users) = asking_for_tokens(&json!(["127.0.0.0/8"]));

    for (number, row) in TABLE.iter().enumerate() {
        let headers = row.headers;
        assert_eq!(
            theirs(&ask(&distribution, number, row)),
            row.theirs,
            "at distribution: {headers:?}"
        );
        assert_eq!(ours(&ask(&trusting, number, row)), row.ours, "{headers:?}");
        assert_eq!(client(&trusting, number), row.client, "{headers:?}");
        assert_eq!(row.theirs == row.ours, row.why.is_empty(), "{headers:?}");
    }
}

#[test]
fn nothing_is_believed_of_whoever_is_not_in_a_trusted_network() {
    for trusted in [json!([]), json!(["10.0.0.0/8", "::1/128"])] {
        let (server, _users) = asking_for_tokens(&trusted);
        for (number, row) in TABLE.iter().enumerate() {
            let headers = row.headers;
            assert_eq!(ours(&ask(&server, number, row)), UNTOLD, "{headers:?}");
            assert_eq!(client(&server, number), US, "{headers:?}");
        }
    }
}
