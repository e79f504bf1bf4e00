//! Where it listens, what its answers say of that, and TLS.

use super::*;
use crate::tls::ClientAuth;

#[test]
fn urls_are_relative_unless_a_host_says_otherwise() {
    let http = |section: &str| parsed(&with(section)).http;

    assert_eq!(http("").host, None);
    assert_eq!(
        http("http: {host: 'https://r.example:8443'}")
            .host
            .as_deref(),
        Some("https://r.example:8443")
    );
    assert!(http("http: {host: 'https://r.example', relativeurls: true}").relative);
}

#[test]
fn proxies_are_networks_addresses_or_our_own_socket() {
    let proxies =
        |list: &str| parsed(&with(&format!("boxyard: {{trustedproxies: {list}}}"))).proxies;

    let several = proxies("[10.0.0.0/8, '2001:db8::/32', 192.0.2.1, unix]");
    let one = proxies("127.0.0.0/8");

    assert_eq!(several.networks.len(), 3);
    assert!(several.unix);
    assert_eq!((one.networks.len(), one.unix), (1, false));
    for wrong in ["proxy.example", "10.0.0.0/33", "[[10.0.0.1]]"] {
        let list = problems(&with(&format!("boxyard: {{trustedproxies: {wrong}}}")));
        assert!(list.contains("is no network"), "{list}");
    }
}

#[test]
fn a_host_must_be_a_url() {
    for host in [
        "r.example",
        "ftp://r.example",
        "https://",
        "https:///x",
        "https://a b",
        "https://a?b",
    ] {
        let list = problems(&with(&format!("http: {{host: '{host}'}}")));
        assert!(list.contains("is no URL"), "{host}: {list}");
    }
}

#[test]
fn the_registry_may_listen_at_a_path() {
    let http = |section: &str| parsed(&with(section)).http;

    let usual = http("");
    let socket = http("http: {net: unix, addr: /run/r.sock}\nboxyard: {socketmode: '0660'}");

    assert_eq!((usual.network, usual.socket_mode), (Network::Tcp, None));
    assert_eq!(
        (socket.network, socket.socket_mode),
        (Network::Unix, Some(0o660))
    );
    for mode in ["rw", "'0999'", "'01777'"] {
        let list = problems(&with(&format!("boxyard: {{socketmode: {mode}}}")));
        assert!(list.contains("is no mode"), "{mode}: {list}");
    }
}

#[test]
fn a_prefix_has_one_slash_in_front() {
    let prefix = |text: &str| {
        parsed(&with(&format!("http: {{prefix: '{text}'}}")))
            .http
            .prefix
    };

    for text in ["", "/"] {
        assert_eq!(prefix(text), "");
    }
    for text in ["a/b", "/a/b", "/a/b/", "a/b/"] {
        assert_eq!(prefix(text), "/a/b");
    }
    for text in ["/a?b", "/a//b", "/../a", "/a b", "https://r.example/a"] {
        let list = problems(&with(&format!("http: {{prefix: '{text}'}}")));
        assert!(list.contains("is no path"), "{text}: {list}");
    }
}

#[test]
fn tls_has_distributions_keys() {
    let tls = |section: &str| {
        parsed(&with(&format!(
            "http: {{tls: {{certificate: /c, key: /k, {section}}}}}"
        )))
        .tls
        .unwrap()
    };

    let plain = tls("");
    let chosen = tls(
        "minimumtls: tls1.3, ciphersuites: [TLS_AES_128_GCM_SHA256], clientcas: [/a, /b], clientauth: verify-client-cert-if-given",
    );

    assert!(!plain.only_1_3 && plain.suites.is_empty() && plain.clients.is_none());
    assert!(chosen.only_1_3 && chosen.suites.len() == 1);
    let clients = chosen.clients.unwrap();
    assert_eq!(clients.cas.len(), 2);
    assert_eq!(clients.mode, ClientAuth::VerifyIfGiven);
    assert_eq!(
        tls("clientcas: /a").clients.unwrap().mode,
        ClientAuth::RequireAndVerify
    );
}

#[test]
fn what_is_wrong_with_tls_is_said() {
    let pair = "certificate: /c, key: /k";
    let table = [
        ("certificate: /c".to_owned(), "`http.tls.key` is missing"),
        ("key: /k".to_owned(), "`http.tls.certificate` is missing"),
        (
            "clientcas: [/a]".to_owned(),
            "`http.tls.certificate` is missing",
        ),
        (
            format!("{pair}, clientauth: require-any-client-cert"),
            "`http.tls.clientcas` is missing",
        ),
        (
            format!("{pair}, clientcas: [/a], clientauth: sometimes"),
            "expected one of `request-client-cert`, `require-any-client-cert`",
        ),
        (
            format!("{pair}, clientcas: {{a: b}}"),
            "expected a list of texts",
        ),
        (format!("{pair}, minimumtls: tls1.1"), "`tls1.1` is broken"),
        (format!("{pair}, minimumtls: ssl3"), "`ssl3` is unknown"),
        (
            format!("{pair}, ciphersuites: [TLS_RSA_WITH_AES_128_CBC_SHA]"),
            "is too weak to be served here; there are `TLS_AES_256_GCM_SHA384`",
        ),
        (
            format!("{pair}, ciphersuites: [ROT13]"),
            "`ROT13` is no cipher suite",
        ),
    ];

    for (section, expected) in table {
        let list = problems(&with(&format!("http: {{tls: {{{section}}}}}")));
        assert!(list.contains(expected), "{section}: {list}");
    }
}

#[test]
fn headers_must_be_headers() {
    let list = problems(&with("http: {headers: {'a b': [x], X-A: [\"a\\nb\"]}}"));

    assert_eq!(list.lines().count(), 2, "{list}");
}
