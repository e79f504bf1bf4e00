//! One line of the program's log.

use std::fmt::Write;
use std::io::IsTerminal;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use tracing::Level;

use super::Format;

/// What a line says, before it has a form.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) at: Timestamp,
    pub(super) level: Level,
    pub(super) message: String,
    /// The configured fields, then those of the request, then those of the line.
    pub(super) fields: Vec<(&'a str, &'a Value)>,
}

/// A terminal that shows the log to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Terminal {
    /// It shows colours.
    Coloured,
    /// It does not, or the person does not want it to.
    Plain,
}

impl Terminal {
    /// The terminal behind standard error, if one is there.
    pub(super) fn of_errors() -> Option<Self> {
        if !std::io::stderr().is_terminal() {
            return None;
        }
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Some(if unwanted || is_dumb {
            Self::Plain
        } else {
            Self::Coloured
        })
    }
}

impl Line<'_> {
    /// The line for a person: the time of day, the level, the message, and the rest behind it.
    pub(super) fn on(&self, terminal: Terminal) -> String {
        let (dim, end) = match terminal {
            Terminal::Coloured => ("\x1b[2m", "\x1b[0m"),
            Terminal::Plain => ("", ""),
        };
        let colour = match (terminal, self.level) {
            (Terminal::Plain, _) => "",
            (_, Level::ERROR) => "\x1b[1;31m",
            (_, Level::WARN) => "\x1b[33m",
            (_, Level::INFO) => "\x1b[32m",
            (_, _) => "\x1b[34m",
        };
        let time = self.at.to_zoned(TimeZone::system());
        let mut line = format!(
            "{dim}{}{end} {colour}{:<5}{end} {}",
            time.strftime("%H:%M:%S%.3f"),
            self.level,
            printable(&self.message)
        );
        for (name, value) in &self.fields {
            let value = value_word(value);
            write!(line, " {dim}{name}={end}{value}").expect("a string takes every write");
        }
        line.push('\n');
        line
    }

    pub(super) fn render(&self, format: Format) -> String {
        match format {
            Format::Text => self.text(),
            Format::Json => self.json(&[
                ("level", json!(self.level_name())),
                ("msg", json!(self.message)),
                ("time", json!(self.at.to_string())),
            ]),
            Format::Logstash => self.json(&[
                ("@timestamp", json!(self.at.to_string())),
                ("@version", json!("1")),
                ("level", json!(self.level_name())),
                ("message", json!(self.message)),
            ]),
        }
    }

    fn text(&self) -> String {
        let mut line = format!(
            "time=\"{}\" level={} msg={}",
            self.at,
            self.level_name(),
            word(&self.message)
        );
        for (name, value) in &self.fields {
            write!(line, " {name}={}", value_word(value)).expect("a string takes every write");
        }
        line.push('\n');
        line
    }

    fn json(&self, head: &[(&str, Value)]) -> String {
        let fields = self
            .fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).clone()));
        let mut object: Map<String, Value> = fields.collect();
        object.extend(
            head.iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        format!("{}\n", Value::Object(object))
    }

    /// The names that `logrus` has.
    fn level_name(&self) -> &'static str {
        match self.level {
            Level::ERROR => "error",
            Level::WARN => "warning",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        }
    }
}

fn value_word(value: &Value) -> String {
    match value {
        Value::String(text) => word(text),
        other => word(&other.to_string()),
    }
}

/// A message that cannot move the terminal's cursor, whoever had a part in it.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let escaped = character.is_control().then(|| character.escape_unicode());
            let plain = (!character.is_control()).then_some(character);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

/// A value of `logfmt`: quoted unless it is one plain word.
fn word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/@^+:".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("{text:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(format: Format) -> String {
        let (service, count) = (json!("registry"), json!(3));
        let line = Line {
            at: "2026-11-23T20:00:00Z".parse().unwrap(),
            level: Level::WARN,
            message: "it is\nlate".to_owned(),
            fields: vec![("service", &service), ("count", &count)],
        };
        line.render(format)
    }

    #[test]
    fn text_is_logfmt_on_one_line() {
        assert_eq!(
            rendered(Format::Text),
            "time=\"2026-11-23T20:00:00Z\" level=warning msg=\"it is\\nlate\" service=registry count=3\n"
        );
    }

    #[test]
    fn json_has_the_names_of_distribution() {
        let line: Value = serde_json::from_str(&rendered(Format::Json)).unwrap();

        assert_eq!(line["msg"], "it is\nlate");
        assert_eq!(line["level"], "warning");
        assert_eq!(line["count"], 3);
    }

    #[test]
    fn logstash_has_its_own_names() {
        let line: Value = serde_json::from_str(&rendered(Format::Logstash)).unwrap();

        assert_eq!(line["@version"], "1");
        assert_eq!(line["message"], "it is\nlate");
        assert_eq!(line["service"], "registry");
    }

    #[test]
    fn a_person_at_a_terminal_reads_the_message_first_and_nothing_moves_the_cursor() {
        let peer = json!("a b");
        let line = Line {
            at: "2026-11-23T20:00:00Z".parse().unwrap(),
            level: Level::WARN,
            message: "gone\x1b[2J".to_owned(),
            fields: vec![("peer", &peer)],
        };

        let plain = line.on(Terminal::Plain);
        let coloured = line.on(Terminal::Coloured);

        assert!(
            plain.ends_with(" WARN  gone\\u{1b}[2J peer=\"a b\"\n"),
            "{plain}"
        );
        assert!(coloured.contains("\x1b[33mWARN "), "{coloured}");
    }
}
