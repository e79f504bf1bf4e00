//! The access log: one line for each request, on standard output.
//!
//! As text it is the Combined Log Format, which is what distribution writes and what log readers know.
//! As JSON it has more.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::Write;
use std::sync::Arc;
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
/// The buffer for lines of a thread is no longer than this between two of them.
const KEPT: usize = 16 << 10;

/// Writes the lines, or does not.
#[derive(Clone, Debug)]
pub(crate) struct AccessLog {
    out: Option<Sink>,
    format: Format,
    fields: Arc<Map<String, Value>>,
}

/// What a line says of the request itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) request: &'a Parts,
    pub(crate) client: Address,
    pub(crate) at: Timestamp,
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
            fields: Arc::new(settings.fields.clone()),
        }
    }

    /// Writes nothing.
    pub(crate) fn silent() -> Self {
        Self {
            out: None,
            format: Format::Text,
            fields: Arc::default(),
        }
    }

    /// Whether anything is written.
    pub(crate) fn is_on(&self) -> bool {
        self.out.is_some()
    }

    /// Writes a line, in a buffer that the thread keeps for the next one.
    pub(crate) fn write(&self, entry: Entry<'_>, outcome: &Outcome<'_>) {
        thread_local! {
            static LINE: RefCell<String> = const { RefCell::new(String::new()) };
        }
        let Some(out) = &self.out else {
            return;
        };
        LINE.with_borrow_mut(|line| {
            line.clear();
            match self.format {
                Format::Text => entry.combined(outcome, line),
                Format::Json | Format::Logstash => line.push_str(&self.json(entry, outcome)),
            }
            line.push('\n');
            out.write(line);
            line.shrink_to(KEPT);
        });
    }

    fn json(&self, entry: Entry<'_>, outcome: &Outcome<'_>) -> String {
        let mut line = Map::clone(&self.fields);
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

impl Entry<'_> {
    /// `host ident user [time] "request" status bytes "referer" "agent"`
    fn combined(&self, outcome: &Outcome<'_>, line: &mut String) {
        match self.client.ip() {
            Some(ip) => write!(line, "{ip}").expect("a string takes every write"),
            None => line.push_str("unix"),
        }
        line.push_str(" - ");
        match outcome.user {
            Some(user) => word(user, line),
            None => line.push('-'),
        }
        line.push_str(" [");
        time(self.at, line);
        line.push_str("] \"");
        quoted(clip(self.request.method.as_str()), line);
        line.push(' ');
        quoted(self.target(), line);
        line.push(' ');
        line.push_str(version(self.request.version));
        line.push_str("\" ");
        line.push_str(outcome.status.as_str());
        write!(line, " {}", outcome.sent).expect("a string takes every write");
        for name in [REFERER, USER_AGENT] {
            line.push_str(" \"");
            match header(&self.request.headers, &name) {
                Cow::Borrowed("") => line.push('-'),
                text => quoted(&text, line),
            }
            line.push('"');
        }
    }

    fn target(&self) -> &str {
        let target = self.request.uri.path_and_query();
        target.map_or("", |target| clip(target.as_str()))
    }

    /// The host that the request is for.
    fn host(&self) -> Cow<'_, str> {
        let authority = self.request.uri.authority();
        authority.map_or_else(
            || header(&self.request.headers, &HOST),
            |authority| clip(authority.as_str()).into(),
        )
    }

    /// What distribution says of an answer, under its names, and more.
    fn fields(&self, outcome: &Outcome<'_>) -> impl Iterator<Item = (String, Value)> {
        let user = outcome.user.map(|user| ("auth.user.name", json!(user)));
        let kind = outcome.content_type;
        let kind = kind.map(|kind| ("http.response.contenttype", json!(kind)));
        let headers = &self.request.headers;
        let referer = Some(header(headers, &REFERER)).filter(|referer| !referer.is_empty());
        let referer = referer.map(|referer| ("http.request.referer", json!(referer)));
        [
            ("level", json!("info")),
            ("http.request.id", json!(outcome.id)),
            (
                "http.request.method",
                json!(clip(self.request.method.as_str())),
            ),
            ("http.request.uri", json!(self.target())),
            (
                "http.request.protocol",
                json!(version(self.request.version)),
            ),
            ("http.request.remoteaddr", json!(self.client.to_string())),
            ("http.request.host", json!(self.host())),
            (
                "http.request.useragent",
                json!(header(headers, &USER_AGENT)),
            ),
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

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_11 => "HTTP/1.1",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/3.0",
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Cow<'a, str> {
    let value = headers.get(name).map_or(&[][..], |value| value.as_bytes());
    match str::from_utf8(value) {
        Ok(text) => clip(text).into(),
        Err(_) => clip(&String::from_utf8_lossy(value)).to_owned().into(),
    }
}

/// The beginning of a piece of a request, as much as is repeated anywhere.
pub(crate) fn clip(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}

/// The time to the second, which a thread formats once for all lines of that second.
fn time(at: Timestamp, line: &mut String) {
    thread_local! {
        static LAST: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
    }
    LAST.with_borrow_mut(|(second, text)| {
        if *second != at.as_second() {
            let time = at.to_zoned(TimeZone::UTC);
            *second = at.as_second();
            *text = time.strftime("%d/%b/%Y:%H:%M:%S %z").to_string();
        }
        line.push_str(text);
    });
}

/// A field between spaces, which a name that has some must not break.
fn word(text: &str, line: &mut String) {
    for character in text.chars() {
        if character.is_whitespace() || character.is_control() || character == '"' {
            line.extend(character.escape_unicode());
        } else {
            line.push(character);
        }
    }
}

/// A part of a quoted field, which cannot end it early or break the line, whatever the client sent.
fn quoted(text: &str, line: &mut String) {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    if text.bytes().all(is_plain) {
        // Nearly all of them.
        return line.push_str(text);
    }
    for character in text.chars() {
        match character {
            '"' | '\\' => line.extend(['\\', character]),
            control if control.is_control() => line.extend(control.escape_unicode()),
            other => line.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(agent: &[u8]) -> Parts {
        let request = http::Request::builder()
            .uri("/v2/a/tags/list?n=1")
            .header(USER_AGENT, agent)
            .body(())
            .unwrap();
        request.into_parts().0
    }

    fn entry(request: &Parts) -> Entry<'_> {
        Entry {
            request,
            client: Address::tcp("[::1]:4000".parse().unwrap()),
            at: "2026-11-23T20:00:00Z".parse().unwrap(),
        }
    }

    fn combined(agent: &[u8], outcome: &Outcome<'_>) -> String {
        let mut line = String::new();
        entry(&request(agent)).combined(outcome, &mut line);
        line
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
        let line = combined(b"docker/20.10", &outcome(None));

        assert_eq!(
            line,
            r#"::1 - - [23/Nov/2026:20:00:00 +0000] "GET /v2/a/tags/list?n=1 HTTP/1.1" 200 12 "-" "docker/20.10""#
        );
    }

    #[test]
    fn what_a_client_sends_cannot_break_the_line() {
        let line = combined(b"evil\" 200 \\ \xff\t", &outcome(None));

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
            serde_json::from_str(&log.json(entry(&request(b"x")), &outcome(Some("ann")))).unwrap();

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
        let line = combined(b"x", &outcome(Some("ann b\n")));

        assert!(
            line.starts_with("::1 - ann\\u{20}b\\u{a} [23/Nov"),
            "{line}"
        );
    }
}
