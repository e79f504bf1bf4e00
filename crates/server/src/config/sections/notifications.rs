//! `notifications`: who is told what happens.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::Url;

use crate::config::key::{Form, Key, works};
use crate::config::values::Values;

/// What happens, as `ignore.actions` names it.
const ACTIONS: [&str; 4] = ["pull", "push", "mount", "delete"];

pub(in crate::config) const KEYS: &[Key] = &[
    works(
        "notifications.events.includereferences",
        "`false`",
        "Whether the event of a manifest has the descriptors of what the manifest names.",
    )
    .form(Form::Boolean),
    works(
        "notifications.endpoints",
        "",
        "A list of those who are told what happens, by a POST for each event. What was not delivered waits on disk and survives a restart.",
    ),
    works(
        "notifications.endpoints[].name",
        "required",
        "The endpoint's name in logs and metrics, by which it keeps what waits for it. No other endpoint may have it.",
    )
    .form(Form::Text),
    works(
        "notifications.endpoints[].disabled",
        "`false`",
        "Treats the endpoint as if it were not in the list.",
    )
    .form(Form::Boolean),
    works(
        "notifications.endpoints[].url",
        "required",
        "Where events are sent: an `http://` or `https://` URL.",
    )
    .form(Form::Text)
    .secret(),
    works(
        "notifications.endpoints[].headers",
        "",
        "Headers of every request, such as `Authorization`; each has a list of values. They are never logged.",
    )
    .form(Form::Headers)
    .secret(),
    works(
        "notifications.endpoints[].timeout",
        "`1s`",
        "How long one request may take.",
    )
    .form(Form::Duration),
    works(
        "notifications.endpoints[].threshold",
        "`10`",
        "How many requests in a row may fail before there is a pause between them.",
    )
    .form(Form::Number),
    works(
        "notifications.endpoints[].backoff",
        "`1s`",
        "How long that pause is.",
    )
    .form(Form::Duration),
    works(
        "notifications.endpoints[].ignoredmediatypes",
        "",
        "The older name of `ignore.mediatypes`.",
    )
    .form(Form::Texts),
    works(
        "notifications.endpoints[].ignore.mediatypes",
        "",
        "Events of content of these types are not sent.",
    )
    .form(Form::Texts),
    works(
        "notifications.endpoints[].ignore.actions",
        "",
        "Events of these actions are not sent: `push`, `pull`, `mount`, `delete`.",
    )
    .form(Form::Texts),
    works(
        "boxyard.notifications.events",
        "`100000`",
        "How many events may wait for an endpoint; beyond that the oldest are dropped, which the log and a metric say.",
    )
    .form(Form::Number),
    works(
        "boxyard.notifications.bytes",
        "`256MiB`",
        "How many bytes the events that wait for an endpoint may have together.",
    )
    .form(Form::Size),
];

/// Who is told what happens.
#[derive(Clone, Debug)]
pub struct Notifications {
    /// Whether the event of a manifest has the descriptors of what the manifest names.
    pub references: bool,
    /// Who is told.
    pub endpoints: Vec<Endpoint>,
    /// How many events may wait for each.
    pub most_events: u64,
    /// How many bytes these may have.
    pub most_bytes: u64,
}

/// Somebody who is told what happens.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub url: Address,
    /// What every request has; each value is marked as sensitive.
    pub headers: HeaderMap,
    /// How long a request may take.
    pub timeout: Duration,
    /// How many failures in a row open the breaker.
    pub threshold: usize,
    /// How long an open breaker waits between two requests.
    pub backoff: Duration,
    /// Types of content that it does not want to hear of.
    pub ignored_media_types: HashSet<String>,
    /// What it does not want to hear of.
    pub ignored_actions: HashSet<String>,
}

/// A URL that may have a password, which its texts do not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Url);

impl Address {
    fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(Self(url))
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.0.origin().ascii_serialization();
        write!(formatter, "{origin}{}", self.0.path())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Address({self})")
    }
}

pub(in crate::config) fn read(values: &mut Values<'_>) -> Notifications {
    let references = values.boolean("notifications.events.includereferences");
    let events = values.number("boxyard.notifications.events");
    let bytes = values.size("boxyard.notifications.bytes");
    Notifications {
        references: references.unwrap_or(false),
        endpoints: read_endpoints(values),
        most_events: events.map_or(100_000, |events| events as u64),
        most_bytes: bytes.unwrap_or(256 << 20),
    }
}

fn read_endpoints(values: &mut Values<'_>) -> Vec<Endpoint> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    let mut names = HashSet::new();
    let items = values.items("notifications.endpoints");
    if items.is_empty() {
        let node = values.node("notifications.endpoints");
        if node.is_some_and(|node| !node.is_empty()) {
            values.wrong("notifications.endpoints", "expected a list");
        }
    }
    for item in items {
        let disabled = values.boolean(&format!("{item}.disabled"));
        if disabled.unwrap_or(false) {
            continue;
        }
        let Some(endpoint) = read_endpoint(values, &item) else {
            continue;
        };
        if !names.insert(endpoint.name.clone()) {
            let message = format!("another endpoint is named `{}` as well", endpoint.name);
            values.wrong(&format!("{item}.name"), &message);
        }
        endpoints.push(endpoint);
    }
    endpoints
}

fn read_endpoint(values: &mut Values<'_>, item: &str) -> Option<Endpoint> {
    let key = |name: &str| format!("{item}.{name}");
    let name = values.text(&key("name"));
    if name.is_none() {
        values.wrong(&key("name"), "is missing");
    }
    let url = read_url(values, &key("url"));
    let mut ignored_media_types = read_set(values, &key("ignoredmediatypes"));
    ignored_media_types.extend(read_set(values, &key("ignore.mediatypes")));
    let threshold = values.number(&key("threshold"));
    let endpoint = Endpoint {
        headers: read_headers(values, &key("headers")),
        timeout: read_duration(values, &key("timeout")),
        threshold: threshold.filter(|threshold| *threshold > 0).unwrap_or(10),
        backoff: read_duration(values, &key("backoff")),
        ignored_media_types,
        ignored_actions: read_actions(values, &key("ignore.actions")),
        name: name?.to_owned(),
        url: url?,
    };
    Some(endpoint)
}

fn read_url(values: &mut Values<'_>, path: &str) -> Option<Address> {
    let Some(text) = values.text(path) else {
        values.wrong(path, "is missing");
        return None;
    };
    let address = Address::parse(text);
    if address.is_none() {
        // The text itself may have a password.
        values.wrong(path, "expected a URL such as `https://example.com/events`");
    }
    address
}

/// A duration that is at least something, as distribution has it.
fn read_duration(values: &mut Values<'_>, path: &str) -> Duration {
    let duration = values.duration(path).filter(|duration| !duration.is_zero());
    duration.unwrap_or(Duration::from_secs(1))
}

fn read_set(values: &mut Values<'_>, path: &str) -> HashSet<String> {
    let texts = values.texts(path).into_iter();
    texts.map(ToOwned::to_owned).collect()
}

fn read_actions(values: &mut Values<'_>, path: &str) -> HashSet<String> {
    let actions = read_set(values, path);
    let known = |action: &String| ACTIONS.contains(&action.as_str());
    if !actions.iter().all(known) {
        let known = ACTIONS.map(|action| format!("`{action}`")).join(", ");
        values.wrong(path, &format!("expected some of {known}"));
    }
    actions
}

fn read_headers(values: &mut Values<'_>, path: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(node) = values.node(path) else {
        return headers;
    };
    for (name, _) in node.entries() {
        let path = format!("{path}.{name}");
        let Ok(parsed) = name.parse::<HeaderName>() else {
            values.wrong(&path, "is no name of a header");
            continue;
        };
        for text in values.texts(&path) {
            match HeaderValue::from_str(text) {
                Ok(mut value) => {
                    value.set_sensitive(true);
                    headers.append(parsed.clone(), value);
                }
                Err(_) => values.wrong(&path, "a value cannot be sent"),
            }
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::files;
    use crate::config::yaml::{self, Source, Writer};

    fn read_from(text: &str) -> (Notifications, Vec<String>) {
        let source = Source {
            writer: Writer::File,
            files: files::value,
        };
        let root = yaml::parse(text, source).unwrap().root;
        let mut values = Values::of(&root, true);
        let read = read(&mut values);
        let problems = values.problems.iter().map(ToString::to_string).collect();
        (read, problems)
    }

    #[test]
    fn an_endpoint_has_distributions_defaults() {
        let (read, problems) =
            read_from("notifications: {endpoints: [{name: a, url: 'http://a.test/x'}]}");

        let endpoint = &read.endpoints[0];
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(endpoint.timeout, Duration::from_secs(1));
        assert_eq!(
            (endpoint.threshold, endpoint.backoff),
            (10, endpoint.timeout)
        );
        assert!(!read.references);
    }

    #[test]
    fn everything_that_an_endpoint_may_say_is_read() {
        let (read, problems) = read_from(
            "
notifications:
  events: {includereferences: true}
  endpoints:
  - name: a
    url: https://user:word@a.test/x?token=t
    headers: {Authorization: [Bearer secret], X-One: plain}
    timeout: 500ms
    threshold: 3
    backoff: 2s
    ignoredmediatypes: [old/type]
    ignore: {mediatypes: [new/type], actions: [pull]}
  - {name: b, disabled: true}
boxyard: {notifications: {events: 5, bytes: 6}}
",
        );

        assert!(problems.is_empty(), "{problems:?}");
        let endpoint = &read.endpoints[0];
        assert_eq!(read.endpoints.len(), 1);
        assert_eq!(endpoint.timeout, Duration::from_millis(500));
        assert_eq!(endpoint.headers.len(), 2);
        assert_eq!(endpoint.ignored_media_types.len(), 2);
        assert!(endpoint.ignored_actions.contains("pull"));
        assert_eq!((read.most_events, read.most_bytes), (5, 6));
        let shown = format!("{read:?} {}", endpoint.url);
        for secret in ["secret", "word", "token", "plain"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_said_with_its_line() {
        let (_, problems) = read_from(
            "
notifications:
  endpoints:
  - name: a
    url: http://a.test
  - name: a
    url: http://b.test
  - url: a.test
    timeout: 5
    threshold: x
  - name: c
    url: http://c.test
    ignore: {actions: [pul]}
    headers: {'a b': [c]}
",
        );

        let expected = [
            ("line 6", "[1].name`: another endpoint is named `a` as well"),
            ("line 8", "[2].name`: is missing"),
            (
                "line 8",
                "[2].url`: expected a URL such as `https://example.com/events`",
            ),
            (
                "line 10",
                "[2].threshold`: `x` is no whole number from 0 on",
            ),
            (
                "line 9",
                "[2].timeout`: `5` is no duration: expected one like `90s` or `1h30m`",
            ),
            ("line 14", "[3].headers.a b`: is no name of a header"),
            (
                "line 13",
                "[3].ignore.actions`: expected some of `pull`, `push`, `mount`, `delete`",
            ),
        ];
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for (line, what) in expected {
            let is_it = |problem: &String| problem.starts_with(line) && problem.ends_with(what);
            assert!(problems.iter().any(is_it), "{line} {what}: {problems:#?}");
        }
    }
}
