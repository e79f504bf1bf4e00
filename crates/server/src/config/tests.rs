use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use serde_json::json;
use tracing::level_filters::LevelFilter;

use std::path::Path;

use super::yaml::Writer;
use super::*;
use crate::body::Pace;
use crate::tls::ClientAuth;

const BEGIN_OF_KEYS: &str = "<!-- keys: `boxyard config reference` -->\n\n";
const END_OF_KEYS: &str = "<!-- end of keys -->";
/// What a fuzzer builds configurations of beside the keys.
const YAML: &[&str] = &[
    "!file ",
    "!!str ",
    "&a ",
    "*a",
    "<<: ",
    "---",
    "...",
    "%YAML 1.2",
    "? ",
    "|",
    ">-",
    "_FILE=",
    "true",
    "null",
    "1h30m",
    "64MiB",
    "0.1",
    "[]",
    "{}",
];

/// What the official image has, and Debian's package but for `auth`.
const OFFICIAL: &str = "
version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: /var/lib/registry
http:
  addr: :5000
  headers:
    X-Content-Type-Options: [nosniff]
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
";

fn read(text: &str, sources: &Sources) -> Result<Config, Vec<Problem>> {
    let reading = Reading::parse(text, Writer::File, sources, files::value);
    reading.config(sources).map_err(|error| match error {
        ConfigError::Problems { problems, .. } => problems,
        other @ ConfigError::Unreadable { .. } => panic!("{other}"),
    })
}

fn parsed(text: &str) -> Config {
    read(text, &Sources::default()).unwrap()
}

fn problems(text: &str) -> String {
    let mut list = String::new();
    for problem in read(text, &Sources::default()).unwrap_err() {
        writeln!(list, "{problem}").unwrap();
    }
    list
}

fn with_variables(variables: &[(&str, &str)]) -> Sources {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Sources {
        variables: variables.collect(),
        ..Sources::default()
    }
}

fn with(section: &str) -> String {
    format!("version: 0.1\nstorage: {{filesystem: {{rootdirectory: /r}}}}\n{section}\n")
}

#[test]
fn the_configuration_of_the_official_image_starts() {
    let config = parsed(OFFICIAL);

    assert_eq!(config.storage.root, Path::new("/var/lib/registry"));
    assert_eq!(config.http.address, ":5000");
    assert_eq!(config.http.headers[0].0, "x-content-type-options");
    assert_eq!(config.log.fields["service"], json!("registry"));
    assert!(!config.storage.delete);
    assert_eq!(config.health.len(), 1);
    assert_eq!(config.notes.len(), 1, "{:?}", config.notes);
}

#[test]
fn the_configuration_of_debian_has_a_password_file() {
    let config = parsed(&format!(
        "{OFFICIAL}auth:\n  htpasswd:\n    realm: basic-realm\n    path: /etc/docker/registry\n"
    ));

    let file = config.auth.passwords.unwrap();
    assert_eq!(file.realm, "basic-realm");
    assert_eq!(file.path, Path::new("/etc/docker/registry"));
    assert!(config.auth.rules.is_none());
}

#[test]
fn access_is_a_list_of_rules() {
    let config = parsed(&with(
        "auth: {htpasswd: {path: /p}}\n\
         access:\n- {who: anyone, repositories: '**', actions: [pull]}\n\
         - {who: [alice, 'certificate:ci'], repositories: ['team/**', app], actions: '*'}\n",
    ));

    let rules = config.auth.rules.unwrap();
    assert_eq!(rules.len(), 2);
    assert_eq!((rules[1].who.len(), rules[1].repositories.len()), (2, 2));
}

#[test]
fn what_is_wrong_with_access_is_said_where_it_is() {
    let list = problems(&with(
        "auth: {htpasswd: {path: /p}}\naccess:\n- {who: 'group:a', repositories: '[', actions: [pul]}\n\
         - {who: anyone, repositories: '**', action: pull}\n- x\n",
    ));

    for expected in [
        "line 5: `access[0].who`: `group:a` names nobody",
        "line 5: `access[0].repositories`: `[` is no pattern of repository names",
        "line 5: `access[0].actions`: `pul` is no action: expected `pull`, `push`, `delete` or `*`",
        "line 6: unknown key `access[1].action`: did you mean `access[1].actions`?",
        "line 6: `access[1].actions`: is missing",
    ] {
        assert!(list.contains(expected), "{expected}: {list}");
    }
}

#[test]
fn rules_about_people_need_a_way_to_know_them() {
    let rule = |who: &str| format!("access: [{{who: {who}, repositories: '**', actions: pull}}]");

    let list = problems(&with(&rule("alice")));
    assert!(list.contains("nobody can show who they are"), "{list}");
    assert!(parsed(&with(&rule("anyone"))).auth.passwords.is_none());
}

#[test]
fn an_authentication_that_is_not_known_is_refused_even_by_the_lenient() {
    let lenient = Sources {
        lenient: true,
        ..Sources::default()
    };

    for auth in [
        "auth: {ldap: {url: x}}",
        "auth: {htpasswd: {realm: r}}",
        "auth: ldap",
        "auth: [x]",
    ] {
        assert!(read(&with(auth), &lenient).is_err(), "{auth}");
    }
    assert!(read(&with("auth: none"), &lenient).is_ok());
}

#[test]
fn a_realm_that_would_break_a_header_and_certificates_without_authorities_are_refused() {
    let list = problems(&with(
        "auth: {htpasswd: {path: /p, realm: \"a\\\"b\"}, certificate: {name: email}}",
    ));

    assert!(
        list.contains("expected plain letters without quotes"),
        "{list}"
    );
    assert!(
        list.contains("expected `http.tls.clientcas` beside it"),
        "{list}"
    );
}

#[test]
fn tokens_of_another_server_are_believed_by_what_the_configuration_says() {
    let config = parsed(&with(
        "auth: {token: {realm: 'https://a/token', service: s, issuer: i, jwks: /k, signingalgorithms: [ES512]}}",
    ));

    let tokens = config.auth.tokens.unwrap();

    assert_eq!(tokens.realm, Realm::Url("https://a/token".to_owned()));
    assert_eq!(tokens.files.set.as_deref(), Some(Path::new("/k")));
    assert_eq!(tokens.expected.algorithms.len(), 1);

    let list = problems(&with(
        "auth: {token: {realm: 'a\"b', issuer: i, signingalgorithms: [ES512, none]}}",
    ));
    for expected in [
        "`auth.token.realm`: expected plain letters",
        "`auth.token.service`: is missing",
        "`auth.token`: no key may sign tokens",
        "`none` is none: expected some of EdDSA, HS256",
    ] {
        assert!(list.contains(expected), "{expected}: {list}");
    }
}

#[test]
fn no_configuration_is_a_working_one() {
    let config = Config::load(&Sources::default()).unwrap();

    assert_eq!(config.storage.root, Path::new("./registry-data"));
    assert_eq!(config.http.address, "127.0.0.1:5000");
    assert!(config.storage.delete);
}

#[test]
fn variables_hold_without_a_file_too() {
    let sources = with_variables(&[("REGISTRY_HTTP_ADDR", ":6000")]);

    let config = Config::load(&sources).unwrap();

    assert_eq!(config.http.address, ":6000");
}

#[test]
fn everything_wrong_is_said_at_once_in_the_order_of_lines() {
    let list = problems(
        "version: 0.2\nlog: {level: loud}\nstorage: {delete: {enabled: perhaps}}\nhttp: {hots: x}\n",
    );

    assert_eq!(
        list,
        "line 1: `version`: only `0.1` is known\n\
         line 2: `log.level`: `loud` is unknown: expected one of `error`, `warn`, `info`, `debug`\n\
         line 3: `storage`: no storage driver is named: expected `filesystem`\n\
         line 3: `storage.delete.enabled`: `perhaps` is neither `true` nor `false`\n\
         line 4: unknown key `http.hots`: did you mean `http.host`?\n"
    );
}

#[test]
fn a_file_that_is_no_yaml_hides_no_mistake_of_a_variable() {
    let sources = with_variables(&[("REGISTRY_HTTP_ADDR", "["), ("REGISTRY_HTTP_ADR", "x")]);

    let list = read("a: [", &sources).unwrap_err();

    let list: Vec<_> = list.iter().map(Problem::origin).collect();
    assert_eq!(list.len(), 2, "{list:?}");
    assert_eq!(list[1], "REGISTRY_HTTP_ADDR");
}

#[test]
fn an_unknown_tag_hides_nothing_else() {
    let list = problems("!x y");

    assert!(list.contains("unknown tag `!x`"), "{list}");
    assert!(list.contains("`version`: is missing"), "{list}");
}

#[test]
fn an_empty_configuration_lacks_version_and_storage() {
    let list = problems("");

    assert!(list.contains("`version`: is missing"), "{list}");
    assert!(list.contains("no storage driver"), "{list}");
}

#[test]
fn storage_may_be_named_by_a_word() {
    let config = parsed("version: 0.1\nstorage: filesystem\n");

    assert_eq!(config.storage.root, Path::new("/var/lib/registry"));
}

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

#[test]
fn our_own_keys_hold() {
    let config = parsed(&with(
        "database: {path: /fast/boxyard.db}\n\
         boxyard:\n  manifests: {sparse: yes}\n  uploads: {window: 10s, minimum: 100}\n  connections: {limit: 7, idletimeout: 5m}\n",
    ));

    assert!(config.rules.sparse);
    assert_eq!(
        config.storage.database.as_deref(),
        Some(Path::new("/fast/boxyard.db"))
    );
    assert_eq!(
        config.limits.pace,
        Pace {
            window: Duration::from_secs(10),
            bytes: 100
        }
    );
    assert_eq!(config.limits.connections, 7);
    assert_eq!(config.limits.idle, Duration::from_mins(5));
}

#[test]
fn an_old_log_level_holds_unless_there_is_a_new_one() {
    let level = |section: &str| parsed(&with(section)).log.level;

    assert_eq!(level("loglevel: debug"), LevelFilter::DEBUG);
    assert_eq!(
        level("loglevel: debug\nlog: {level: Error}"),
        LevelFilter::ERROR
    );
}

#[test]
fn what_a_file_holds_is_shown_by_no_mistake() {
    fn secret(path: &Path) -> Result<String, FileError> {
        let text = path.starts_with("/a").then(|| "s3cr3t: [s3cr3t".to_owned());
        text.ok_or(FileError::Kind("a folder"))
    }
    let text = "version: 0.1\nstorage: !file /a\nauth: !file /a\nlog: {level: !file /a}\n\
                http: {addr: !file /a, host: !file /a, headers: {a: !file /a}, tls: {minimumtls: !file /a, ciphersuites: [!file /a]}}\n\
                health: {http: [{uri: !file /a}]}\n\
                boxyard: {trustedproxies: [!file /a], uploads: {window: !file /a}}\n";

    let reading = Reading::parse(text, Writer::File, &Sources::default(), secret);
    let error = reading.config(&Sources::default()).unwrap_err();

    let list = error.to_string();
    assert!(!list.contains("s3cr3t"), "{list}");
    assert!(
        list.contains("line 4: `log.level`: what its file holds is not taken: expected one of"),
        "{list}"
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let sources = Sources {
        path: Some("/no/such/config.yml".into()),
        ..Sources::default()
    };

    let error = Config::load(&sources).unwrap_err();

    assert!(error.to_string().contains("/no/such/config.yml"));
}

/// With `BOXYARD_WRITE_REFERENCE` set it writes what it otherwise compares.
fn compare(file: &str, current: impl FnOnce(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(file);
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let current = current(&written);
    if std::env::var_os("BOXYARD_WRITE_REFERENCE").is_some() {
        return std::fs::write(&path, current).unwrap();
    }
    assert!(
        written == current,
        "{file} is not current: run `BOXYARD_WRITE_REFERENCE=1 cargo test -p boxyard_server reference_of_the_keys`"
    );
}

#[test]
fn the_documentation_has_the_reference_of_the_keys() {
    compare("docs/CONFIGURATION.md", |text| {
        let (before, rest) = text.split_once(BEGIN_OF_KEYS).unwrap();
        let (_, after) = rest.split_once(END_OF_KEYS).unwrap();
        format!("{before}{BEGIN_OF_KEYS}{}{END_OF_KEYS}{after}", reference())
    });
}

#[test]
fn the_fuzzer_has_the_words_of_the_reference_of_the_keys() {
    compare("fuzz/dictionaries/config", |_| {
        let names = keys::all().flat_map(|key| key.path.split('.'));
        let names = names.map(|name| format!("{}:", name.trim_end_matches("[]")));
        let variables = keys::all().map(|key| environment::variable_of(key.path) + "=");
        let more = YAML.iter().map(|word| (*word).to_owned());
        let words: BTreeSet<_> = names.chain(variables).chain(more).collect();
        let lines: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
        lines.join("\n") + "\n"
    });
}
