//! Certificates from an ACME server: the first, the next, and what goes wrong on the way.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use boxyard_acceptance::{Authority, Pebble};
use boxyard_testkit::{Setup, binary, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

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
    let end = pebble.expiry(NAME);

    let second = pebble.served_anew(NAME, &first);

    assert!(pebble.expiry(NAME) > end);

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
fn names_that_are_not_listed_are_refused_and_never_asked_for() {
    let mut pebble = Pebble::new();
    pebble.start(&json!({}), &[]);
    pebble.serve(&[NAME]);
    let first = pebble.served_anew(NAME, "");
    let curl = pebble
        .sandbox()
        .tool("curl -sS --insecure --connect-to ::127.0.0.1:5000");

    let refused = curl.fail("https://other.example.com:5000/v2/");

    assert!(refused.contains("unrecognized name"), "{refused}");
    let log = pebble.sandbox().log("pebble");
    assert!(!log.contains("other.example.com"), "{log}");
    assert!(said(&pebble, "`other.example.com` is none of").is_some());
    // Whoever says no name, such as a health check, and whoever writes it otherwise is served.
    curl.run("https://127.0.0.1:5000/v2/");
    let shouted = NAME.to_uppercase();
    assert_eq!(pebble.served(&shouted).as_deref(), Some(first.as_str()));
    pebble.boxyard().run("healthcheck config.yml");
}

#[test]
fn the_authority_of_the_acme_server_may_come_by_the_environment() {
    let mut pebble = Pebble::new();
    pebble.start(&json!({}), &[]);
    pebble.configure(&[NAME], Pebble::DIRECTORY, &json!({}));
    let boxyard = binary().display().to_string();

    pebble.serve_plainly_by(&boxyard);

    pebble.served_anew(NAME, "");
}

#[test]
fn what_distribution_got_is_served_and_renewed_by_the_same_account_and_back_again() {
    let mut pebble = Pebble::new();
    pebble.start(&json!({}), &[]);
    let directory = pebble.behind_proxy(None);
    pebble.configure(&[NAME], &directory, &json!({}));
    pebble.serve_plainly_by("registry-3.1.1");
    let first = pebble.served_anew(NAME, "");
    pebble.stop_program("registry-3.1.1");
    let boxyard = pebble.boxyard();

    pebble.serve_by(&boxyard);
    assert_eq!(pebble.served(NAME).as_deref(), Some(first.as_str()));
    pebble.stop();
    fs::remove_file(pebble.sandbox().home().join("cache").join(NAME)).unwrap();
    pebble.serve_by(&boxyard);
    let second = pebble.served_anew(NAME, &first);
    pebble.stop();
    pebble.serve_plainly_by("registry-3.1.1");

    assert_eq!(pebble.served(NAME).as_deref(), Some(second.as_str()));
    let log = pebble.sandbox().log("pebble");
    assert!(log.contains("There are now 1 accounts"), "{log}");
    assert!(!log.contains("There are now 2 accounts"), "{log}");
}

#[test]
fn an_account_that_the_server_has_lost_is_registered_anew_at_once() {
    let mut pebble = Pebble::new();
    pebble.start(&short(), &[]);
    pebble.serve(&[NAME]);
    let first = pebble.served_anew(NAME, "");

    // Pebble keeps what it knows in its memory.
    pebble.end();
    pebble.start(&json!({}), &[]);

    pebble.served_anew(NAME, &first);
    let log = pebble.sandbox().log("boxyard");
    assert!(!log.contains("could not"), "{log}");
}

#[test]
fn an_account_that_was_deactivated_is_named_with_what_to_do() {
    let mut pebble = Pebble::new();
    pebble.start(&short(), &[]);
    pebble.serve(&[NAME]);
    let first = pebble.served_anew(NAME, "");
    let cache = pebble.sandbox().home().join("cache");
    let account = cache.join("acme_account+key");
    let deactivate = format!("deactivate {} {}", Pebble::DIRECTORY, account.display());

    pebble.trouble().run(deactivate);
    eventually("a word about it", || {
        said(&pebble, "is deactivated at `https://127.0.0.1:14000/dir`")
    });
    assert!(said(&pebble, "move the file away").is_some());
    pebble.stop();
    fs::rename(&account, cache.join("old")).unwrap();
    let boxyard = pebble.boxyard();
    pebble.serve_by(&boxyard);

    pebble.served_anew(NAME, &first);
}

#[test]
fn what_is_damaged_in_the_folder_is_got_anew() {
    let names = ["a.example.com", "b.example.com", "c.example.com", NAME];
    let mut pebble = Pebble::new();
    pebble.start(&json!({}), &[]);
    pebble.serve(&names);
    let before = names.map(|name| pebble.served_anew(name, ""));
    pebble.stop();
    let file = |name: &str| pebble.sandbox().home().join("cache").join(name);
    let read = |name: &str| fs::read_to_string(file(name)).unwrap();
    let (whole, other) = (read(names[1]), read(NAME));
    fs::write(file(names[0]), "garbage").unwrap();
    fs::write(file(names[1]), &whole[..whole.len() / 3]).unwrap();
    fs::write(file(names[2]), &other).unwrap();

    let boxyard = pebble.boxyard();
    pebble.serve_by(&boxyard);

    for (name, before) in names.iter().zip(&before).take(3) {
        pebble.served_anew(name, before);
        let words = format!("host={name}");
        let log = pebble.sandbox().log("boxyard");
        let warned = log
            .lines()
            .any(|line| line.contains("is damaged; asking for a new one") && line.contains(&words));
        assert!(warned, "{name}: {log}");
    }
    assert_eq!(pebble.served(NAME).as_ref(), before.last());
}

#[test]
fn clients_must_show_certificates_and_the_acme_server_need_not() {
    let mut pebble = Pebble::new();
    let authority = Authority::new(pebble.sandbox().home(), "clients");
    authority.client("somebody");
    pebble.start(&json!({}), &[]);
    let tls = json!({ "clientcas": ["clients.crt"] });
    pebble.configure(&[NAME], Pebble::DIRECTORY, &tls);
    let boxyard = pebble.boxyard();
    pebble.serve_by(&boxyard);

    pebble.served_anew(NAME, "");

    let curl = format!("curl -sS --insecure --resolve {NAME}:5000:127.0.0.1");
    let curl = pebble.sandbox().tool(&curl);
    let url = format!("https://{NAME}:5000/v2/");
    let refused = curl.fail(&url);
    assert!(refused.contains("certificate required"), "{refused}");
    curl.run(format!("--cert somebody.crt --key somebody.key {url}"));
    // Who pretends to be the ACME server when nothing is to be proven gets nothing either.
    let pretend = format!("s_client -alpn acme-tls/1 -connect 127.0.0.1:5000 -servername {NAME}");
    pebble.sandbox().tool("openssl").fail(pretend);
}

#[test]
fn a_server_that_limits_orders_is_left_alone_as_long_as_it_says() {
    let mut pebble = Pebble::new();
    pebble.start(&json!({}), &[]);
    let directory = pebble.behind_proxy(Some(4_000));
    pebble.configure(&[NAME], &directory, &json!({}));
    let boxyard = pebble.boxyard();

    pebble.serve_by(&boxyard);

    eventually("a word about it", || said(&pebble, "retry_seconds=4000"));
    assert!(said(&pebble, "rateLimited").is_some());
    let orders = pebble.sandbox().log("proxy").matches("order-plz").count();
    assert_eq!(orders, 1);
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

#[test]
fn a_certificate_of_files_beside_a_folder_for_others_is_refused_as_distribution_does() {
    let folder = TempDir::new().unwrap();
    let authority = Authority::new(folder.path(), "ca");
    let mut tls = authority.server("one").tls();
    let setup = |tls: &Value| Setup::new().config(&json!({ "http": { "tls": tls } }));

    // What distribution's documentation shows with empty values is no wish.
    tls["letsencrypt"] = json!({ "cachefile": "", "email": "somebody@example.com", "hosts": [] });
    setup(&tls).start();
    tls["letsencrypt"]["cachefile"] = json!(folder.path().join("cache"));
    tls["letsencrypt"]["hosts"] = json!([NAME]);
    let refusal = setup(&tls).refuse();

    assert!(
        refusal.log.contains("expected one of them"),
        "{}",
        refusal.log
    );
    assert!(!folder.path().join("cache").exists());
}

fn said(pebble: &Pebble, words: &str) -> Option<()> {
    pebble
        .sandbox()
        .log("boxyard")
        .contains(words)
        .then_some(())
}
