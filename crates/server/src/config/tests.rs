mod access;
mod documents;
mod http;
mod mistakes;

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tracing::level_filters::LevelFilter;

use super::yaml::Writer;
use super::*;
use crate::body::Pace;

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
fn storage_may_be_named_by_a_word() {
    let config = parsed("version: 0.1\nstorage: filesystem\n");

    assert_eq!(config.storage.root, Path::new("/var/lib/registry"));
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
