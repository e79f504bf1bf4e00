//! One line of the program's log.

use std::fmt::Write;

use jiff::Timestamp;
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

impl Line<'_> {
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
            let value = match value {
                Value::String(text) => word(text),
                other => word(&other.to_string()),
            };
            write!(line, " {name}={value}").expect("a string takes every write");
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
}
