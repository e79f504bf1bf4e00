//! Certificates from an ACME server: the first, the next, and what goes wrong on the way.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use boxyard_acceptance::Pebble;
use boxyard_testkit::{Setup, eventually};
use serde_json::{Value, json};

/// The name of most tests.
const NAME: &str = "registry.example.com";

/// Certificates that live a quarter of a minute.
fn short() -> Value {
    json!({ "profiles": { "default": { "description": "short", "validityPeriod": 15 } } })
}

#[test]
fn a_first_certificate_is_got_and_kept_where_only_we_can_read_it() {
    let mut pebble = Pebble::new();
    pebble.start(&json!({}), &[]);
    pebble.serve(&[NAME, "second.example.com"]);

    pebble.served_anew(NAME, "");
    pebble.served_anew("second.example.com", "");

    let roots = "curl --silent --show-error --cacert pebble/ca.crt https://127.0.0.1:15000/roots/0 >root.pem";
    pebble.sandbox().bash(roots);
    let ask = format!(
        "curl --silent --show-error --fail --cacert root.pem --resolve {NAME}:5000:127.0.0.1 https://{NAME}:5000/v2/"
    );
    assert_eq!(pebble.sandbox().bash(&ask), "{}");
    let cache = pebble.sandbox().home().join("cache");
    for (name, mode) in [
        ("", 0o700),
        (NAME, 0o600),
        ("second.example.com", 0o600),
        ("acme_account+key", 0o600),
    ] {
        let found = fs::metadata(cache.join(name)).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{name}");
    }
}

#[test]
fn a_certificate_is_renewed_before_it_ends() {
    let mut pebble = Pebble::new();
    pebble.start(&short(), &[]);
    pebble.serve(&[NAME]);
    let first = pebble.served_anew(NAME, "");

    let second = pebble.served_anew(NAME, &first);

    pebble.served_anew(NAME, &second);
    let log = pebble.sandbox().log("boxyard");
    assert!(!log.contains("could not"), "{log}");
}

#[test]
fn a_restart_serves_what_is_kept_without_asking_anybody() {
    let mut pebble = Pebble::new();
    pebble.start(&json!({}), &[]);
    pebble.serve(&[NAME]);
    let first = pebble.served_anew(NAME, "");
    pebble.stop();
    pebble.end();

    let boxyard = pebble.boxyard();
    pebble.serve_by(&boxyard);

    assert_eq!(pebble.served(NAME).as_deref(), Some(first.as_str()));
    let log = pebble.sandbox().log("boxyard");
    assert!(!log.contains("could not"), "{log}");
}

#[test]
fn a_server_that_cannot_be_reached_is_asked_again_and_the_old_certificate_serves_on() {
    let mut pebble = Pebble::new();
    pebble.serve(&[NAME]);
    eventually("a word about it", || {
        said(&pebble, "could not get a certificate")
    });
    assert_eq!(pebble.served(NAME), None);

    pebble.start(&short(), &[]);
    let first = pebble.served_anew(NAME, "");
    pebble.end();
    eventually("a word about it", || {
        said(&pebble, "could not renew a certificate")
    });
    assert_eq!(pebble.served(NAME), Some(first.clone()));

    pebble.start(&json!({}), &[]);
    pebble.served_anew(NAME, &first);
}

#[test]
fn nonces_that_the_server_does_not_take_are_replaced() {
    let mut pebble = Pebble::new();
    pebble.start(&json!({}), &[("PEBBLE_WFE_NONCEREJECT", "20")]);
    pebble.serve(&[NAME]);

    pebble.served_anew(NAME, "");
}

#[test]
fn an_account_that_is_refused_or_damaged_is_named() {
    let mut pebble = Pebble::new();
    pebble.start(&json!({ "externalAccountBindingRequired": true }), &[]);
    pebble.serve(&[NAME]);
    eventually("a word about it", || {
        said(&pebble, "register the account whose key is")
    });
    eventually("a word about it", || {
        said(&pebble, "externalAccountRequired")
    });
    pebble.stop();

    let account = pebble.sandbox().home().join("cache/acme_account+key");
    fs::write(&account, "garbage").unwrap();
    let boxyard = pebble.boxyard();
    pebble.serve_by(&boxyard);

    eventually("a word about it", || {
        said(&pebble, "is no private key for ECDSA on P-256")
    });
    assert_eq!(fs::read_to_string(account).unwrap(), "garbage");
}

#[test]
fn a_host_that_is_refused_does_not_hold_up_the_others_and_is_left_alone_for_a_while() {
    let mut pebble = Pebble::new();
    pebble.start(&json!({ "domainBlocklist": ["blocked.example.com"] }), &[]);
    pebble.serve(&["blocked.example.com", NAME]);

    pebble.served_anew(NAME, "");

    let log = pebble.sandbox().log("boxyard");
    assert!(log.contains("blocked.example.com"), "{log}");
    assert!(log.contains("retry_seconds=600"), "{log}");
}

#[test]
fn names_that_are_not_listed_are_never_asked_for() {
    let mut pebble = Pebble::new();
    pebble.start(&json!({}), &[]);
    pebble.serve(&[NAME]);
    let first = pebble.served_anew(NAME, "");

    let other = pebble.served("other.example.com");

    assert_eq!(
        other,
        Some(first),
        "it is told by the name in the certificate"
    );
    let log = pebble.sandbox().log("pebble");
    assert!(!log.contains("other.example.com"), "{log}");
}

#[test]
fn what_an_acme_server_cannot_be_asked_for_is_refused_at_the_start() {
    let good = json!({ "cachefile": "/tmp/never", "hosts": [NAME] });
    for (change, reason) in [
        (json!({ "hosts": [] }), "no host is named"),
        (json!({ "hosts": ["*.example.com"] }), "is a wildcard"),
        (json!({ "hosts": ["192.0.2.7"] }), "is an address"),
        (json!({ "hosts": ["../etc"] }), "is no DNS name"),
        (json!({ "cachefile": "" }), "no `cachefile` is named"),
        (json!({ "email": "somebody" }), "is no address of mail"),
        (
            json!({ "directoryurl": "http://acme.example" }),
            "does not begin with `https://`",
        ),
    ] {
        let mut section = good.clone();
        for (key, value) in change.as_object().unwrap() {
            section[key] = value.clone();
        }
        let http = json!({ "http": { "tls": { "letsencrypt": section } } });
        let refusal = Setup::new().config(&http).refuse();
        assert_eq!(refusal.status.code(), Some(64), "{}", refusal.log);
        assert!(refusal.log.contains(reason), "{reason}: {}", refusal.log);
    }
}

fn said(pebble: &Pebble, words: &str) -> Option<()> {
    pebble
        .sandbox()
        .log("boxyard")
        .contains(words)
        .then_some(())
}
