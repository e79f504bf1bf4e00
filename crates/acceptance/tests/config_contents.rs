//! What is in the files that a configuration names: certificates, passwords and the keys of tokens.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use boxyard_acceptance::Authority;
use boxyard_testkit::{Setup, binary};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What `config check` says of a configuration, and its exit status.
fn checked(folder: &Path, config: &Value, under: &[&str]) -> (Option<i32>, String) {
    let file = folder.join("config.yml");
    let mut whole = json!({
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": folder.join("registry")}},
    });
    for (key, value) in config.as_object().into_iter().flatten() {
        whole[key] = value.clone();
    }
    // One key a line, so that problems have lines of their own.
    let lines = serde_json::to_string_pretty(&whole).expect("write JSON");
    fs::write(&file, lines).expect("write a configuration");
    let mut words: Vec<_> = under.iter().map(PathBuf::from).collect();
    words.push(binary());
    let mut command = Command::new(&words[0]);
    command
        .args(&words[1..])
        .args(["config", "check"])
        .arg(&file);
    let output = command.output().expect("run the program");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// The problems of a key.
fn problems<'a>(said: &'a str, key: &str) -> Vec<&'a str> {
    let key = format!("\t`{key}`: ");
    let lines = said
        .lines()
        .filter(|line| line.starts_with("problem\tline "));
    lines.filter(|line| line.contains(&key)).collect()
}

/// A configuration in which every file is wrong, and something else as well.
fn all_wrong(folder: &Path) -> Value {
    let path = |name: &str, text: &str| {
        fs::write(folder.join(name), text).expect("write");
        folder.join(name)
    };
    json!({
        "auth": {
            "htpasswd": {"path": path("htpasswd", "alice:$2y$05$x\nno line\n")},
            "token": {
                "realm": "https://a/", "service": "s", "issuer": "i",
                "rootcertbundle": folder.join("gone.pem"),
                "jwks": path("jwks.json", "{\"keys\": 1}"),
            },
        },
        "http": {
            "addr": "127.0.0.1:0", "adr": "x", "draintimeout": "long",
            "tls": {
                "certificate": path("broken.crt", "-----BEGIN CERTIFICATE-----\nAA"),
                "key": path("empty.key", ""),
                "clientcas": [path("empty.pem", ""), folder.join("gone.pem")],
            },
        },
    })
}

/// What is said of them.
const WRONG: [(&str, &str); 9] = [
    ("auth.htpasswd.path", "line 2: "),
    ("auth.token.rootcertbundle", "No such file or directory"),
    ("auth.token.jwks", "it is no set of JSON Web Keys"),
    ("http.draintimeout", "`long` is no duration"),
    ("http.tls.certificate", "is no PEM"),
    ("http.tls.key", "holds no private key"),
    ("http.tls.clientcas", "empty.pem` holds no certificate"),
    ("http.tls.clientcas", "No such file or directory"),
    ("http.adr", "did you mean `http.addr`?"),
];

#[test]
fn everything_wrong_with_all_the_files_is_said_at_once_before_anything_is_opened() {
    let folder = TempDir::new().expect("make a folder");
    let root = folder.path().join("registry");
    // If it came to binding, this is what it would stumble over.
    let taken = TcpListener::bind("127.0.0.1:0").expect("listen");
    let address = taken.local_addr().expect("an address").to_string();
    let mut config = all_wrong(folder.path());
    config["http"]["addr"] = json!(address);

    let refusal = Setup::new().root(&root).config(&config).refuse();
    let (status, said) = checked(folder.path(), &config, &[]);

    assert_eq!(refusal.status.code(), Some(64), "{}", refusal.log);
    assert_eq!(status, Some(64), "{said}");
    for (key, expected) in WRONG {
        for text in [&refusal.log, &said] {
            let found = text
                .lines()
                .any(|line| line.contains(key) && line.contains(expected));
            assert!(found, "{key}: {expected}: {text}");
        }
    }
    assert_eq!(problems(&said, "http.tls.clientcas").len(), 2, "{said}");
    assert!(said.contains("served by: 9 problems"), "{said}");
    assert!(!refusal.log.contains(&address), "{}", refusal.log);
    assert!(!root.exists(), "nothing is opened");
}

#[test]
fn addresses_that_nobody_can_listen_on_are_told_by_a_check() {
    let folder = TempDir::new().expect("make a folder");
    let check = |http: Value| checked(folder.path(), &json!({ "http": http }), &[]);

    for wrong in ["nonsense", "localhost:99999", "localhost:", ":http"] {
        let (status, said) = check(json!({ "addr": wrong, "debug": { "addr": wrong } }));
        assert_eq!(status, Some(64), "{said}");
        for key in ["http.addr", "http.debug.addr"] {
            let list = problems(&said, key);
            assert!(
                list[0].contains(&format!("`{wrong}` is no address")),
                "{said}"
            );
        }
    }
    for right in [
        json!({ "addr": ":5000" }),
        json!({ "addr": "[::1]:0" }),
        json!({ "addr": "localhost:5000" }),
        json!({ "net": "unix", "addr": "registry.sock" }),
    ] {
        let (status, said) = check(right);
        assert_eq!(status, Some(0), "{said}");
    }
}

#[test]
fn each_kind_of_broken_certificate_has_its_key() {
    let folder = TempDir::new().expect("make a folder");
    let authority = Authority::new(folder.path(), "ca");
    let (one, other) = (authority.server("one"), authority.server("other"));
    let with = |tls: &Value| checked(folder.path(), &json!({"http": {"tls": tls}}), &[]);
    let mut foreign = one.tls();
    foreign["key"] = json!(other.key);
    let mut of_folder = one.tls();
    of_folder["key"] = json!(folder.path());

    let (status, said) = with(&foreign);
    assert_eq!(status, Some(64));
    let list = problems(&said, "http.tls.key");
    assert!(list[0].contains("does not belong to"), "{said}");

    let (status, said) = with(&of_folder);
    assert_eq!(status, Some(64));
    assert!(
        problems(&said, "http.tls.key")[0].contains("directory"),
        "{said}"
    );

    let (status, said) = with(&one.tls());
    assert_eq!(status, Some(0), "{said}");
    assert!(!said.contains("warning\t"), "{said}");
}

#[test]
fn what_is_served_nevertheless_is_warned_of() {
    let folder = TempDir::new().expect("make a folder");
    let authority = Authority::new(folder.path(), "ca");
    let passwords = folder.path().join("htpasswd");
    fs::write(&passwords, "alice:plain\n").expect("write");
    let tls = authority.expired_server("late").tls();

    let (status, said) = checked(
        folder.path(),
        &json!({"http": {"tls": tls}, "auth": {"htpasswd": {"path": passwords}}}),
        &[],
    );

    assert_eq!(status, Some(0), "{said}");
    let warnings: Vec<_> = said
        .lines()
        .filter(|line| line.starts_with("warning\t"))
        .collect();
    assert_eq!(warnings.len(), 2, "{said}");
    assert!(said.contains("it expired at 2001-01-01"), "{said}");
    assert!(said.contains("`alice` cannot log in by it"), "{said}");
}

#[test]
fn a_missing_password_file_is_announced_and_not_made_by_a_look() {
    let folder = TempDir::new().expect("make a folder");
    let at = |path: &Path| json!({"auth": {"htpasswd": {"path": path}}});
    let new = folder.path().join("htpasswd");

    let (status, said) = checked(folder.path(), &at(&new), &[]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("the server will make it"), "{said}");
    assert!(!new.exists());

    let (status, said) = checked(folder.path(), &at(&folder.path().join("no/file")), &[]);
    assert_eq!(status, Some(64), "{said}");
    assert_eq!(problems(&said, "auth.htpasswd.path").len(), 1, "{said}");
}

#[test]
fn files_that_may_not_be_read_are_named() {
    let folder = TempDir::new().expect("make a folder");
    let pair = Authority::new(folder.path(), "ca").server("one");
    let passwords = folder.path().join("htpasswd");
    fs::write(&passwords, "").expect("write");
    for path in [&pair.key, &passwords] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o000)).expect("change a mode");
    }
    let config = json!({
        "http": {"tls": pair.tls()}, "auth": {"htpasswd": {"path": passwords}},
    });

    // Root reads everything, unless it may not.
    let plain = "--bounding-set=-dac_override,-dac_read_search";
    let (status, said) = checked(folder.path(), &config, &["setpriv", plain]);

    assert_eq!(status, Some(64), "{said}");
    for key in ["http.tls.key", "auth.htpasswd.path"] {
        assert!(
            problems(&said, key)[0].contains("Permission denied"),
            "{said}"
        );
    }
}
