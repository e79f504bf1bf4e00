//! `health`: what must be well for the registry to serve.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::config::key::{Form, Key, works};
use crate::config::node::{Node, Value};
use crate::config::values::Values;

pub(in crate::config) const KEYS: &[Key] = &[
    works(
        "health.storagedriver.enabled",
        "`false`",
        "Writes to the folder and reads from it; while a check fails, requests are answered with 503.",
    ).form(Form::Boolean),
    works(
        "health.storagedriver.interval",
        "`10s`",
        "How often the check runs; the other checks have one of their own.",
    ).form(Form::Duration),
    works(
        "health.storagedriver.threshold",
        "`0`",
        "How often in a row the check fails before that counts; the other checks have one of their own.",
    ).form(Form::Number),
    works(
        "health.file[].file",
        "required",
        "A file; the check is well while it is not there.",
    ).form(Form::Text),
    works(
        "health.file[].interval",
        "`10s`",
        "How often it is looked for.",
    ).form(Form::Duration),
    works(
        "health.file[].threshold",
        "`0`",
        "How often in a row it is found before that counts.",
    ).form(Form::Number),
    works(
        "health.http[].uri",
        "required",
        "A URL that is asked with HEAD.",
    ).form(Form::Text),
    works("health.http[].headers", "", "Headers to send along.").form(Form::Headers),
    works(
        "health.http[].statuscode",
        "`200`",
        "The status that must come back.",
    ).form(Form::Number),
    works(
        "health.http[].timeout",
        "`10s`",
        "How long the answer may take.",
    ).form(Form::Duration),
    works("health.http[].interval", "`10s`", "How often it is asked.").form(Form::Duration),
    works(
        "health.http[].threshold",
        "`0`",
        "How often in a row it fails before that counts.",
    ).form(Form::Number),
    works(
        "health.tcp[].addr",
        "required",
        "An address that must take connections.",
    ).form(Form::Text),
    works(
        "health.tcp[].timeout",
        "`10s`",
        "How long the connection may take.",
    ).form(Form::Duration),
    works("health.tcp[].interval", "`10s`", "How often it is tried.").form(Form::Duration),
    works(
        "health.tcp[].threshold",
        "`0`",
        "How often in a row it fails before that counts.",
    ).form(Form::Number),
];

/// How often a check runs unless the configuration says so.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long a peer has to answer unless the configuration says so.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Something that must be well.
#[derive(Clone, Debug)]
pub struct Check {
    /// The name under which its failure is told.
    pub name: String,
    /// How often it is looked at.
    pub interval: Duration,
    /// How often in a row it fails before that counts.
    pub threshold: u32,
    /// What is looked at.
    pub subject: CheckSubject,
}

/// What a check looks at.
#[derive(Clone, Debug)]
pub enum CheckSubject {
    /// The registry's own folder.
    Storage,
    /// A file, which must not be there.
    File(PathBuf),
    /// A server that answers a request.
    Http(Box<HttpProbe>),
    /// A server that takes connections.
    Tcp {
        /// Where it listens.
        address: String,
        /// How long it has.
        timeout: Duration,
    },
}

/// A request, and the answer that is expected to it.
#[derive(Clone, Debug)]
pub struct HttpProbe {
    /// Whom to ask for what.
    pub uri: reqwest::Url,
    /// What to send along; secrets may be in it.
    pub headers: HeaderMap,
    /// What must come back.
    pub status: StatusCode,
    /// How long it has.
    pub timeout: Duration,
}

pub(in crate::config) fn read(values: &mut Values<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    if values.boolean("health.storagedriver.enabled") == Some(true) {
        checks.push(Check {
            name: "storagedriver_filesystem".to_owned(),
            interval: interval(values, "health.storagedriver.interval"),
            threshold: threshold(values, "health.storagedriver.threshold"),
            subject: CheckSubject::Storage,
        });
    }
    items(values, "health.file", &mut checks, file);
    items(values, "health.http", &mut checks, http);
    items(values, "health.tcp", &mut checks, tcp);
    let mut names = HashSet::new();
    for check in &checks {
        if !names.insert(&check.name) {
            let name = &check.name;
            values.wrong("health", &format!("`{name}` is checked twice"));
        }
    }
    checks
}

/// Reads the items of a list, each with the keys that every check has.
fn items(
    values: &mut Values<'_>,
    list: &str,
    checks: &mut Vec<Check>,
    read: fn(&mut Values<'_>, &str) -> Option<(String, CheckSubject)>,
) {
    for item in values.items(list) {
        if let Some((name, subject)) = read(values, &item) {
            checks.push(Check {
                name,
                interval: interval(values, &format!("{item}.interval")),
                threshold: threshold(values, &format!("{item}.threshold")),
                subject,
            });
        }
    }
}

fn interval(values: &mut Values<'_>, path: &str) -> Duration {
    let interval = values.duration(path);
    interval
        .filter(|interval| !interval.is_zero())
        .unwrap_or(INTERVAL)
}

fn threshold(values: &mut Values<'_>, path: &str) -> u32 {
    let threshold = values.number(path).unwrap_or(0);
    u32::try_from(threshold).unwrap_or(u32::MAX)
}

fn timeout(values: &mut Values<'_>, item: &str) -> Duration {
    let timeout = values.duration(&format!("{item}.timeout"));
    timeout
        .filter(|timeout| !timeout.is_zero())
        .unwrap_or(TIMEOUT)
}

fn required<'a>(values: &mut Values<'a>, key: &str, example: &str) -> Option<&'a str> {
    let text = values.text(key);
    if text.is_none() {
        values.wrong(key, &format!("is missing: expected one like `{example}`"));
    }
    text
}

fn file(values: &mut Values<'_>, item: &str) -> Option<(String, CheckSubject)> {
    let path = required(values, &format!("{item}.file"), "/run/registry.down")?;
    Some((path.to_owned(), CheckSubject::File(PathBuf::from(path))))
}

fn tcp(values: &mut Values<'_>, item: &str) -> Option<(String, CheckSubject)> {
    let timeout = timeout(values, item);
    let (key, example) = (format!("{item}.addr"), "database.example.com:5432");
    let address = required(values, &key, example)?.to_owned();
    if !is_peer(&address) {
        let message = format!("`{address}` is no address: expected one like `{example}`");
        values.wrong(&key, &message);
    }
    Some((address.clone(), CheckSubject::Tcp { address, timeout }))
}

/// Whether the text is a host, or nothing for this machine, and a port.
fn is_peer(text: &str) -> bool {
    let port = text.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    matches!(port, Some(Ok(port)) if port > 0)
}

fn http(values: &mut Values<'_>, item: &str) -> Option<(String, CheckSubject)> {
    let timeout = timeout(values, item);
    let headers = headers(values, &format!("{item}.headers"));
    let status = values.number(&format!("{item}.statuscode")).unwrap_or(200);
    let status = u16::try_from(status)
        .ok()
        .and_then(|status| StatusCode::from_u16(status).ok());
    if status.is_none() {
        values.wrong(&format!("{item}.statuscode"), "is no status of HTTP");
    }
    let text = required(
        values,
        &format!("{item}.uri"),
        "https://auth.example.com/health",
    )?;
    let uri = reqwest::Url::parse(text).ok();
    let uri = uri.filter(|uri| matches!(uri.scheme(), "http" | "https") && uri.has_host());
    let Some(uri) = uri else {
        values.wrong(
            &format!("{item}.uri"),
            &format!("`{text}` is no URL of HTTP"),
        );
        return None;
    };
    let probe = HttpProbe {
        headers,
        status: status?,
        timeout,
        uri,
    };
    Some((
        without_secrets(text, &probe.uri),
        CheckSubject::Http(Box::new(probe)),
    ))
}

/// The name of a check is shown and logged, and a password is not.
fn without_secrets(text: &str, uri: &reqwest::Url) -> String {
    if uri.username().is_empty() && uri.password().is_none() {
        return text.to_owned();
    }
    let mut public = uri.clone();
    // A URL with a host takes both.
    let _ = public.set_username("");
    let _ = public.set_password(None);
    public.to_string()
}

fn headers(values: &mut Values<'_>, path: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let entries = values.node(path).map_or(&[][..], Node::entries);
    for (name, list) in entries {
        for node in list.items().iter().chain([list]) {
            let Value::Scalar(text) = &node.value else {
                continue;
            };
            match (name.parse::<HeaderName>(), text.parse::<HeaderValue>()) {
                (Ok(name), Ok(mut value)) => {
                    value.set_sensitive(true);
                    headers.append(name, value);
                }
                _ => values.wrong(
                    path,
                    &format!("{name:?} is no header, or has no value of one"),
                ),
            }
        }
    }
    headers
}
