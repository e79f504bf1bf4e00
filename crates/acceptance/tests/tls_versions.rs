//! What is spoken on an encrypted connection: versions, cipher suites, protocols, and what is not TLS at all.

use boxyard_acceptance::{Authority, Pair, Tool, checkout};
use boxyard_testkit::http::Connection;
use boxyard_testkit::{Setup, TestServer};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A server with a certificate, and who trusts it.
struct Encrypted {
    server: TestServer,
    folder: TempDir,
    authority: Authority,
}

impl Encrypted {
    fn start() -> Self {
        Self::with(&json!({}))
    }

    /// Starts with more in `http`.
    fn with(http: &Value) -> Self {
        let folder = TempDir::new().expect("make a folder");
        let authority = Authority::new(folder.path(), "ca");
        let pair = authority.server("server");
        let server = setup(&pair).config(&json!({ "http": http })).start();
        Self {
            server,
            folder,
            authority,
        }
    }

    fn curl(&self) -> Tool {
        let ca = self.authority.certificate.display();
        Tool::new(
            self.folder.path(),
            &format!("curl -sS --max-time 30 --cacert {ca}"),
        )
    }

    fn url(&self) -> String {
        format!("https://{}/v2/", self.server.address())
    }

    /// What OpenSSL's client sees, which fails where the two do not agree.
    fn openssl(&self, options: &str) -> Result<String, String> {
        let tool = Tool::new(self.folder.path(), "openssl s_client -brief");
        let line = format!("-connect {} {options}", self.server.address());
        if tool.succeeds(&line) {
            Ok(tool.run_aloud(&line))
        } else {
            Err(tool.fail(&line))
        }
    }
}

fn setup(pair: &Pair) -> Setup {
    Setup::new().config(&json!({ "http": { "tls": pair.tls() } }))
}

#[test]
fn versions_1_2_and_1_3_are_served_and_older_ones_are_not() {
    let encrypted = Encrypted::start();

    for version in ["1_2", "1_3"] {
        let seen = encrypted
            .openssl(&format!("-tls{version}"))
            .expect("they agree");
        let name = format!("TLSv{}", version.replace('_', "."));
        assert!(
            seen.contains(&format!("Protocol version: {name}")),
            "{seen}"
        );
    }
    for version in ["1", "1_1"] {
        // OpenSSL itself would not speak them at its usual level of security.
        let old = format!("-tls{version} -cipher DEFAULT@SECLEVEL=0");
        let refused = encrypted.openssl(&old).expect_err("they do not agree");
        assert!(refused.contains("SSL alert number"), "{refused}");
    }
}

#[test]
fn only_1_3_is_served_where_that_is_the_minimum() {
    let encrypted = Encrypted::with(&json!({ "tls": { "minimumtls": "tls1.3" } }));

    encrypted.openssl("-tls1_3").expect("they agree");
    let refused = encrypted.openssl("-tls1_2").expect_err("they do not agree");
    assert!(refused.contains("alert protocol version"), "{refused}");
}

#[test]
fn only_the_cipher_suites_that_are_named_are_served() {
    let named = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
    let encrypted = Encrypted::with(&json!({ "tls": { "ciphersuites": [named] } }));

    let seen = encrypted.openssl("-tls1_2").expect("they agree");
    assert!(
        seen.contains("Ciphersuite: ECDHE-ECDSA-AES128-GCM-SHA256"),
        "{seen}"
    );
    let refused = encrypted
        .openssl("-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384")
        .expect_err("they do not agree");
    assert!(refused.contains("handshake failure"), "{refused}");
    // As in Go, the suites of 1.3 are not restricted by such a list.
    for suite in ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"] {
        let seen = encrypted.openssl(&format!("-tls1_3 -ciphersuites {suite}"));
        assert!(seen.expect("they agree").contains(suite));
    }
}

#[test]
fn every_cipher_suite_of_the_guide_is_served_and_there_is_no_other() {
    let guide = std::fs::read_to_string(checkout().join("docs/guide/tls.md")).expect("read");
    let words = guide.split('`').filter(|word| word.starts_with("TLS_"));
    let named: Vec<&str> = words.collect();

    Encrypted::with(&json!({ "tls": { "ciphersuites": named } }));
    let refusal = Setup::new()
        .config(&json!({ "http": { "tls": { "ciphersuites": ["TLS_FISH"] } } }))
        .refuse();

    let known: Vec<&str> = refusal
        .log
        .split('`')
        .filter(|word| word.starts_with("TLS_") && *word != "TLS_FISH")
        .collect();
    assert_eq!(known.len(), named.len(), "{}", refusal.log);
    assert!(named.iter().all(|name| known.contains(name)), "{known:?}");
}

#[test]
fn http_2_is_spoken_unless_it_is_switched_off() {
    let usual = Encrypted::start();
    let without = Encrypted::with(&json!({ "http2": { "disabled": true } }));

    let version = |encrypted: &Encrypted, option: &str| {
        let words = ["-o", "/dev/null", "-w", "%{http_version} %{http_code}"];
        let url = encrypted.url();
        let curl = encrypted.curl();
        let mut line = vec![option];
        line.extend(words);
        line.push(&url);
        curl.run_words(&line)
    };

    assert_eq!(version(&usual, "--http2"), "2 200");
    assert_eq!(version(&usual, "--http1.1"), "1.1 200");
    assert_eq!(version(&without, "--http2"), "1.1 200");
}

#[test]
fn questions_for_what_is_not_there_are_answered_through_http_2_by_heads_alone() {
    let encrypted = Encrypted::start();
    let curl = encrypted.curl();

    let options = ["--http2", "--head", "-o", "/dev/null", "-w"];
    for (path, status) in [("a/manifests/nowhere", 404), ("A/tags/list", 400)] {
        let url = format!("{}{path}", encrypted.url());
        let words = [&options[..], &["%{http_version} %{http_code}", &url]].concat();
        // curl fails where content follows that nobody asked for.
        assert_eq!(curl.run_words(&words), format!("2 {status}"));
    }
}

#[test]
fn http_2_without_tls_is_spoken_where_the_configuration_says_so() {
    let folder = TempDir::new().expect("make a folder");
    let curl = Tool::new(
        folder.path(),
        "curl -sS --http2-prior-knowledge -o /dev/null",
    );
    let usual = TestServer::start();
    let with = |http: Value| Setup::new().config(&json!({ "http": http })).start();
    let enabled = with(json!({ "h2c": { "enabled": true } }));
    let contradictory = with(json!({ "h2c": { "enabled": true }, "http2": { "disabled": true } }));

    curl.run(format!("http://{}/v2/", enabled.address()));
    curl.fail(format!("http://{}/v2/", usual.address()));
    curl.fail(format!("http://{}/v2/", contradictory.address()));
}

#[test]
fn http_on_the_port_of_https_is_told_so() {
    let encrypted = Encrypted::start();
    let mut connection = Connection::open(encrypted.server.address()).expect("connect");

    connection
        .write(b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        .expect("write");
    connection.write(&vec![b'x'; 100_000]).expect("write");
    let answer = connection.read_response().expect("an answer");

    assert_eq!(answer.status, 400);
    let text = String::from_utf8_lossy(&answer.body);
    assert!(
        text.starts_with("Client sent an HTTP request to an HTTPS server"),
        "{text}"
    );
    assert!(connection.read_to_close().expect("it closes").is_empty());
}

#[test]
fn noise_on_the_port_of_https_is_closed() {
    let encrypted = Encrypted::start();

    let hello = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00";
    for noise in [
        &b"\x80\x2e\x01\x00\x02"[..],
        b"\x00",
        b"SSH-2.0-x\r\n",
        hello,
    ] {
        let mut connection = Connection::open(encrypted.server.address()).expect("connect");
        connection.write(noise).expect("write");
        connection.half_close().expect("close");
        connection.read_to_close().expect("it closes");
    }
    encrypted.curl().run(encrypted.url());
}

#[test]
fn tls_on_a_port_without_is_answered_so_that_clients_know() {
    let server = TestServer::start();
    let folder = TempDir::new().expect("make a folder");
    let crane = Tool::new(folder.path(), "crane");

    let mut connection = Connection::open(server.address()).expect("connect");
    connection
        .write(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00")
        .expect("write");
    let answer = connection.read_response().expect("an answer");

    // Clients written in Go know by this answer that they may try without TLS.
    assert_eq!(answer.status, 400);
    crane.run(format!("catalog {}", server.address()));
}
