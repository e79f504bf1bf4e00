//! The access log: one line for each request, on standard output.
//!
//! As text it is the Combined Log Format, which is what distribution writes and what log readers know.
//! As JSON it has more.

use std::fmt::Write;
use std::time::Duration;

use http::header::{HOST, REFERER, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode, Version};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::{Format, Settings, Sink, go_duration};
use crate::peer::Address;

/// The longest piece of a request that a line repeats, in bytes.
const LONGEST: usize = 2_048;

/// Writes the lines, or does not.
#[derive(Clone, Debug)]
pub(crate) struct AccessLog {
    out: Option<Sink>,
    format: Format,
    fields: Map<String, Value>,
}

/// What a line says of the request itself.
#[derive(Debug)]
pub(crate) struct Entry {
    client: Address,
    at: Timestamp,
    method: String,
    target: String,
    host: String,
    version: Version,
    referer: String,
    agent: String,
}

/// What a line says of the request's end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome<'a> {
    pub(crate) id: &'a str,
    /// Who sent it, if that became known.
    pub(crate) user: Option<&'a str>,
    pub(crate) status: StatusCode,
    /// The type of the answer's content, if it has one.
    pub(crate) content_type: Option<&'a str>,
    /// Bytes of the answer's body that were handed to the connection.
    pub(crate) sent: u64,
    pub(crate) took: Duration,
}

impl AccessLog {
    /// Writes to `out` as the configuration says.
    pub(crate) fn new(settings: &Settings, out: Sink) -> Self {
        Self {
            out: Some(out).filter(|_| settings.access),
            format: settings.format,
            fields: settings.fields.clone(),
        }
    }

    /// Writes nothing.
    pub(crate) fn silent() -> Self {
        Self {
            out: None,
            format: Format::Text,
            fields: Map::new(),
        }
    }

    /// Whether anything is written.
    pub(crate) fn is_on(&self) -> bool {
        self.out.is_some()
    }

    pub(crate) fn write(&self, entry: &Entry, outcome: &Outcome<'_>) {
        let Some(out) = &self.out else {
            return;
        };
        let mut line = match self.format {
            Format::Text => entry.combined(outcome),
            Format::Json | Format::Logstash => self.json(entry, outcome),
        };
        line.push('\n');
        out.write(line);
    }

    fn json(&self, entry: &Entry, outcome: &Outcome<'_>) -> String {
        let mut line = self.fields.clone();
        let message = if outcome.status.as_u16() < 400 {
            "response completed"
        } else {
            "response completed with error"
        };
        let (time, text) = if self.format == Format::Logstash {
            line.insert("@version".to_owned(), json!("1"));
            ("@timestamp", "message")
        } else {
            ("time", "msg")
        };
        line.insert(time.to_owned(), json!(entry.at.to_string()));
        line.insert(text.to_owned(), json!(message));
        line.extend(entry.fields(outcome));
        Value::Object(line).to_string()
    }
}

impl Entry {
    /// Notes what will have been forgotten when the request is over.
    pub(crate) fn of(request: &Parts, client: Address) -> Self {
        let target = request
            .uri
            .path_and_query()
            .map_or("", |target| target.as_str());
        Self {
            client,
            at: Timestamp::now(),
            method: request.method.to_string(),
            target: clipped(target),
            host: host(request),
            version: request.version,
            referer: header(&request.headers, &REFERER),
            agent: header(&request.headers, &USER_AGENT),
        }
    }

    /// `host ident user [time] "request" status bytes "referer" "agent"`
    fn combined(&self, outcome: &Outcome<'_>) -> String {
        let time = self.at.to_zoned(TimeZone::UTC);
        let mut line = format!(
            "{} - {} [{}] ",
            self.client.host(),
            outcome.user.map_or_else(|| "-".to_owned(), word),
            time.strftime("%d/%b/%Y:%H:%M:%S %z")
        );
        let request = format!("{} {} {:?}", self.method, self.target, self.version);
        write!(
            line,
            "{} {} {}",
            quoted(&request),
            outcome.status.as_u16(),
            outcome.sent
        )
        .expect("a string takes every write");
        write!(line, " {} {}", quoted(&self.referer), quoted(&self.agent))
            .expect("a string takes every write");
        line
    }

    /// What distribution says of an answer, under its names, and more.
    fn fields(&self, outcome: &Outcome<'_>) -> impl Iterator<Item = (String, Value)> {
        let user = outcome.user.map(|user| ("auth.user.name", json!(user)));
        let kind = outcome.content_type;
        let kind = kind.map(|kind| ("http.response.contenttype", json!(kind)));
        let referer = Some(&self.referer).filter(|referer| !referer.is_empty());
        let referer = referer.map(|referer| ("http.request.referer", json!(referer)));
        [
            ("level", json!("info")),
            ("http.request.id", json!(outcome.id)),
            ("http.request.method", json!(self.method)),
            ("http.request.uri", json!(self.target)),
            (
                "http.request.protocol",
                json!(format!("{:?}", self.version)),
            ),
            ("http.request.remoteaddr", json!(self.client.to_string())),
            ("http.request.host", json!(self.host)),
            ("http.request.useragent", json!(self.agent)),
            ("http.response.status", json!(outcome.status.as_u16())),
            ("http.response.written", json!(outcome.sent)),
            (
                "http.response.duration",
                json!(go_duration::text(outcome.took)),
            ),
            ("duration_ms", json!(outcome.took.as_secs_f64() * 1_000.0)),
        ]
        .into_iter()
        .chain(user)
        .chain(kind)
        .chain(referer)
        .map(|(name, value)| (name.to_owned(), value))
    }
}

/// The host that the request is for.
fn host(request: &Parts) -> String {
    let authority = request.uri.authority();
    authority.map_or_else(
        || header(&request.headers, &HOST),
        |authority| clipped(authority.as_str()),
    )
}

fn header(headers: &HeaderMap, name: &HeaderName) -> String {
    headers
        .get(name)
        .map(|value| clipped(&String::from_utf8_lossy(value.as_bytes())))
        .unwrap_or_default()
}

/// The beginning of a piece of a request, as much as is repeated anywhere.
pub(crate) fn clip(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}

fn clipped(text: &str) -> String {
    clip(text).to_owned()
}

/// A field between spaces, which a name that has some must not break.
fn word(text: &str) -> String {
    let mut word = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_whitespace() || character.is_control() || character == '"' {
            word.extend(character.escape_unicode());
        } else {
            word.push(character);
        }
    }
    word
}

/// A quoted field that cannot end early or break the line, whatever the client sent.
fn quoted(text: &str) -> String {
    let text = if text.is_empty() { "-" } else { text };
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => quoted.extend(control.escape_unicode()),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(agent: &[u8]) -> Entry {
        let request = http::Request::builder()
            .uri("/v2/a/tags/list?n=1")
            .header(USER_AGENT, agent)
            .body(())
            .unwrap();
        let client = Address::tcp("[::1]:4000".parse().unwrap());
        let mut entry = Entry::of(&request.into_parts().0, client);
        entry.at = "2026-11-23T20:00:00Z".parse().unwrap();
        entry
    }

    fn outcome(user: Option<&str>) -> Outcome<'_> {
        Outcome {
            id: "7",
            user,
            status: StatusCode::OK,
            content_type: Some("text/plain"),
            sent: 12,
            took: Duration::from_millis(2),
        }
    }

    #[test]
    fn a_line_of_text_is_in_the_combined_format() {
        let line = entry(b"docker/20.10").combined(&outcome(None));

        assert_eq!(
            line,
            r#"::1 - - [23/Nov/2026:20:00:00 +0000] "GET /v2/a/tags/list?n=1 HTTP/1.1" 200 12 "-" "docker/20.10""#
        );
    }

    #[test]
    fn what_a_client_sends_cannot_break_the_line() {
        let line = entry(b"evil\" 200 \\ \xff\t").combined(&outcome(None));

        assert!(
            line.ends_with("\"evil\\\" 200 \\\\ \u{fffd}\\u{9}\""),
            "{line}"
        );
    }

    #[test]
    fn a_line_of_json_has_the_configured_fields_and_the_request_id() {
        let settings = Settings {
            format: Format::Json,
            fields: Map::from_iter([("service".to_owned(), json!("registry"))]),
            ..Settings::default()
        };
        let log = AccessLog::new(&settings, Sink::discarding());

        let line: Value =
            serde_json::from_str(&log.json(&entry(b"x"), &outcome(Some("ann")))).unwrap();

        assert_eq!(line["service"], "registry");
        assert_eq!(line["http.request.id"], "7");
        assert_eq!(line["http.response.status"], 200);
        assert_eq!(line["time"], "2026-11-23T20:00:00Z");
        assert_eq!(line["auth.user.name"], "ann");
        assert_eq!(line["duration_ms"], 2.0);
        assert_eq!(line["http.response.duration"], "2ms");
        assert_eq!(line["http.response.contenttype"], "text/plain");
        assert_eq!(line["msg"], "response completed");
    }

    #[test]
    fn who_logged_in_is_named_and_cannot_break_the_line() {
        let line = entry(b"x").combined(&outcome(Some("ann b\n")));

        assert!(
            line.starts_with("::1 - ann\\u{20}b\\u{a} [23/Nov"),
            "{line}"
        );
    }
}
