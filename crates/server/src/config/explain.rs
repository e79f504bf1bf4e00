//! What a configuration does, for a person who asks.

use super::Sources;
use super::check::{Effect, Seen};
use super::files::ReadValue;
use super::key::{Fate, Key};
use super::keys;
use super::node::{Node, Value};
use super::problem::{ConfigError, Problem, Visible};
use super::reading::Reading;

/// What stands for a value that nobody may see.
const HIDDEN: &str = "(hidden)";
/// Parts of names of values that are nobody's business, also where no key says so.
const SECRETS: [&str; 11] = [
    "secret",
    "password",
    "passwd",
    "token",
    "credential",
    "authorization",
    "cookie",
    "apikey",
    "accesskey",
    "accountkey",
    "connectionstring",
];

/// What a configuration comes to.
#[derive(Debug)]
pub struct Explanation {
    /// Every value that was written.
    pub rows: Vec<Row>,
    /// What holds and is not the default: path, value and what it does.
    pub settings: Vec<Setting>,
    /// What is accepted and does nothing, and why.
    pub notes: Vec<String>,
    /// What means nothing, and is only warned of.
    pub warnings: Vec<String>,
    /// What it cannot be served by.
    pub problems: Vec<Problem>,
}

/// A value that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The path of its key, or the name of a variable that means nothing.
    pub key: String,
    /// What becomes of it.
    pub effect: Effect,
    /// The value, unless it is a secret.
    pub value: String,
    /// The line or the variable that has it.
    pub origin: String,
}

/// A setting that is not the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The path of its key.
    pub key: String,
    /// The value, unless it is a secret.
    pub value: String,
    /// What it does.
    pub about: &'static str,
}

/// Explains a configuration; it is an error only where there is nothing that could be.
pub fn explain(sources: &Sources) -> Result<Explanation, ConfigError> {
    Ok(of(Reading::of(sources)?, sources))
}

/// Explains these bytes instead of a file, and reads no other file but by `files`.
pub fn explain_bytes(
    bytes: &[u8],
    sources: &Sources,
    files: ReadValue,
) -> Result<Explanation, ConfigError> {
    Ok(of(Reading::of_bytes(bytes, sources, files)?, sources))
}

fn of(reading: Reading, sources: &Sources) -> Explanation {
    let mut rows: Vec<_> = reading.checked.seen.iter().map(row).collect();
    rows.extend(reading.unknown_variables.iter().map(|name| Row {
        key: Visible(name).to_string(),
        effect: Effect::Unknown,
        value: HIDDEN.to_owned(),
        origin: "environment".to_owned(),
    }));
    let settings = reading.checked.seen.iter().filter_map(setting).collect();
    let notes = reading.checked.notes.clone();
    let outcome = reading.outcome(sources);
    Explanation {
        rows,
        settings,
        notes,
        warnings: outcome.warnings,
        problems: outcome.problems,
    }
}

fn row(seen: &Seen) -> Row {
    Row {
        key: Visible(&seen.place.to_string()).to_string(),
        effect: seen.effect,
        value: shown(seen),
        origin: Visible(&seen.value.origin.to_string()).to_string(),
    }
}

fn setting(seen: &Seen) -> Option<Setting> {
    let key = seen.key?;
    let value = shown(seen);
    let default = key.default.trim_matches('`');
    let is_default = value == default || key.path == "version";
    let holds = seen.effect == Effect::Works && !seen.value.is_empty() && !is_default;
    holds.then(|| Setting {
        key: Visible(&seen.place.to_string()).to_string(),
        value,
        about: about(key),
    })
}

fn about(key: &'static Key) -> &'static str {
    match key.fate {
        Fate::Part if key.about.is_empty() => keys::decider(key).about,
        _ => key.about,
    }
}

/// The value as a person may see it.
fn shown(seen: &Seen) -> String {
    if let Some(file) = &seen.value.file {
        let name = file.display().to_string();
        return Visible(&format!("(from {name})")).to_string();
    }
    if seen.value.is_empty() {
        return String::new();
    }
    let path = seen.place.to_string();
    let is_hidden = seen.key.is_none_or(|key| key.secret) || is_secret(&path);
    if is_hidden {
        return HIDDEN.to_owned();
    }
    Visible(&text(&seen.value)).to_string()
}

fn is_secret(name: &str) -> bool {
    let name = name.rsplit('.').next().unwrap_or(name).to_lowercase();
    SECRETS.iter().any(|secret| name.contains(secret))
}

/// The value as YAML on one line.
fn text(node: &Node) -> String {
    match &node.value {
        Value::Null => String::new(),
        Value::Scalar(text) => without_password(text),
        Value::List(items) => {
            let items: Vec<_> = items.iter().map(text_of_item).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(entries) => {
            let entries: Vec<_> = entries.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

fn text_of_item(node: &Node) -> String {
    if node.file.is_some() {
        HIDDEN.to_owned()
    } else {
        text(node)
    }
}

fn entry((name, node): &(String, Node)) -> String {
    if is_secret(name) {
        format!("{name}: {HIDDEN}")
    } else {
        format!("{name}: {}", text_of_item(node))
    }
}

/// A URL may have a user and his password before its host.
fn without_password(text: &str) -> String {
    let hidden = || {
        let (scheme, rest) = text.split_once("://")?;
        let host = rest.find('/').unwrap_or(rest.len());
        let at = rest[..host].rfind('@')?;
        Some(format!("{scheme}://{HIDDEN}{}", &rest[at..]))
    };
    hidden().unwrap_or_else(|| text.to_owned())
}

impl Explanation {
    /// Whether it can be served by.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(text: &str, variables: &[(&str, &str)]) -> Explanation {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yml");
        std::fs::write(&path, text).unwrap();
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let sources = Sources {
            path: Some(path),
            variables: variables.collect(),
            ..Sources::default()
        };
        explain(&sources).unwrap()
    }

    fn value(explanation: &Explanation, key: &str) -> String {
        let row = explanation.rows.iter().find(|row| row.key == key);
        row.unwrap_or_else(|| panic!("{key}: {:?}", explanation.rows))
            .value
            .clone()
    }

    const START: &str = "version: 0.1\nstorage: {filesystem: {rootdirectory: /r}}\n";

    #[test]
    fn every_value_says_what_becomes_of_it_and_where_it_stands() {
        let explanation = explained(
            &format!("{START}redis: {{db: 1}}\nhttp: {{adr: x}}\nlog: {{level: info}}\n"),
            &[("REGISTRY_HTTP_ADDR", ":6000")],
        );

        let rows: Vec<_> = explanation
            .rows
            .iter()
            .map(|row| (row.key.as_str(), row.effect, row.origin.as_str()))
            .collect();
        assert_eq!(
            rows,
            [
                ("version", Effect::Works, "line 1"),
                ("storage.filesystem.rootdirectory", Effect::Works, "line 2"),
                ("redis.db", Effect::Idle, "line 3"),
                ("http.adr", Effect::Unknown, "line 4"),
                ("http.addr", Effect::Works, "REGISTRY_HTTP_ADDR"),
                ("log.level", Effect::Works, "line 5"),
            ]
        );
        let settings: Vec<_> = explanation.settings.iter().map(|one| &one.key).collect();
        assert_eq!(settings, ["storage.filesystem.rootdirectory", "http.addr"]);
        assert_eq!(explanation.problems.len(), 1);
    }

    #[test]
    fn secrets_are_never_shown() {
        let explanation = explained(
            &format!(
                "{START}http: {{secret: s3cr3t}}\nredis: {{password: s3cr3t}}\nunknown: s3cr3t\n\
                 log: {{fields: {{apitoken: s3cr3t, where: 'https://me:s3cr3t@example.com/x'}}}}\n\
                 proxy: {{username: me, password: s3cr3t}}\n"
            ),
            &[("REGISTRY_HTTP_SECRE", "s3cr3t")],
        );

        assert!(!format!("{:?}", explanation.rows).contains("s3cr3t"));
        assert!(!format!("{:?}", explanation.settings).contains("s3cr3t"));
        assert_eq!(value(&explanation, "http.secret"), HIDDEN);
        assert_eq!(
            value(&explanation, "log.fields"),
            "{apitoken: (hidden), where: https://(hidden)@example.com/x}"
        );
    }
}
