//! From texts to values, with every mistake noted.

use std::time::Duration;

use serde_json::{Map, Number, Value as Json};

use super::duration;
use super::node::{Node, Origin, Value};
use super::path::{Step, steps};
use super::problem::{Problem, shown};
use super::size;

/// Reads values out of a tree and gathers what is wrong with them.
#[derive(Debug)]
pub(super) struct Values<'a> {
    root: &'a Node,
    serves: bool,
    pub(super) problems: Vec<Problem>,
    /// What is served by, and may not be meant.
    pub(super) doubts: Vec<String>,
}

impl<'a> Values<'a> {
    pub(super) fn of(root: &'a Node, serves: bool) -> Self {
        Self {
            root,
            serves,
            problems: Vec::new(),
            doubts: Vec::new(),
        }
    }

    /// Whether what only a server needs, such as its certificates, must be there.
    ///
    /// Who merely looks at the folder may not be allowed to read them.
    pub(super) fn serves(&self) -> bool {
        self.serves
    }

    pub(super) fn node(&self, path: &str) -> Option<&'a Node> {
        self.root.at(path)
    }

    /// The text under `path`, unless nothing or an empty one is there.
    pub(super) fn text(&mut self, path: &str) -> Option<&'a str> {
        let node = self.root.at(path)?;
        match &node.value {
            Value::Null => None,
            Value::Scalar(text) => Some(text.as_str()).filter(|text| !text.is_empty()),
            Value::List(_) | Value::Map(_) => {
                self.wrong(path, "expected a text");
                None
            }
        }
    }

    /// The texts of a list, of which one alone needs no list around it.
    pub(super) fn texts(&mut self, path: &str) -> Vec<&'a str> {
        let Some(node) = self.root.at(path) else {
            return Vec::new();
        };
        let items = match &node.value {
            Value::List(items) => items.as_slice(),
            Value::Null => &[],
            Value::Scalar(_) | Value::Map(_) => std::slice::from_ref(node),
        };
        let texts = items.iter().filter_map(|item| match &item.value {
            Value::Scalar(text) => Some(text.as_str()),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        });
        let texts: Vec<_> = texts.collect();
        if texts.len() < items.len() {
            self.wrong(path, "expected a list of texts");
        }
        texts.into_iter().filter(|text| !text.is_empty()).collect()
    }

    /// The paths of the items of a list: `endpoints[0]`, `endpoints[1]`.
    pub(super) fn items(&self, path: &str) -> Vec<String> {
        let items = self.root.at(path).map_or(0, |node| node.items().len());
        (0..items).map(|index| format!("{path}[{index}]")).collect()
    }

    /// A number of bytes.
    pub(super) fn size(&mut self, path: &str) -> Option<u64> {
        let value = self.text(path)?;
        let parsed = size::parse(value);
        if parsed.is_none() {
            self.wrong(
                path,
                &format!(
                    "{} is no number of bytes: expected one like `64MiB` or `1000000`",
                    shown(value)
                ),
            );
        }
        parsed
    }

    pub(super) fn boolean(&mut self, path: &str) -> Option<bool> {
        let value = self.text(path)?;
        // YAML 1.1, which distribution reads, has all of these.
        let boolean = match value.to_lowercase().as_str() {
            "true" | "yes" | "on" | "y" => true,
            "false" | "no" | "off" | "n" => false,
            _ => {
                self.wrong(
                    path,
                    &format!("{} is neither `true` nor `false`", shown(value)),
                );
                return None;
            }
        };
        Some(boolean)
    }

    pub(super) fn number(&mut self, path: &str) -> Option<usize> {
        let value = self.text(path)?;
        let number = number(value);
        if number.is_none() {
            let message = format!("{} is no whole number from 0 on", shown(value));
            self.wrong(path, &message);
        }
        number
    }

    pub(super) fn duration(&mut self, path: &str) -> Option<Duration> {
        let value = self.text(path)?;
        let parsed = duration::parse(value);
        if parsed.is_none() {
            self.wrong(
                path,
                &format!(
                    "{} is no duration: expected one like `90s` or `1h30m`",
                    shown(value)
                ),
            );
        }
        parsed
    }

    /// An address to listen on, as Go has it: `:5000` is every address of the machine.
    pub(super) fn address(&mut self, path: &str) -> Option<&'a str> {
        let text = self.text(path)?;
        let port = text.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        if !matches!(port, Some(Ok(_))) {
            self.wrong(
                path,
                &format!("{} is no address: expected one like `127.0.0.1:5000`, or `:5000` for all of the machine", shown(text)),
            );
        }
        Some(text)
    }

    /// The value that `choices` has for the text, in whatever case.
    pub(super) fn choice<T: Copy>(&mut self, path: &str, choices: &[(&str, T)]) -> Option<T> {
        let value = self.text(path)?;
        let found = choices
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(value));
        if found.is_none() {
            let names: Vec<_> = choices
                .iter()
                .map(|(name, _)| format!("`{name}`"))
                .collect();
            self.wrong(
                path,
                &format!(
                    "{} is unknown: expected one of {}",
                    shown(value),
                    names.join(", ")
                ),
            );
        }
        found.map(|(_, value)| *value)
    }

    /// Notes a problem with what is under `path`, or with its absence.
    pub(super) fn wrong(&mut self, path: &str, message: &str) {
        let origin = self.origin(path);
        let message = match self.root.at(path) {
            Some(node) if tells(message, node) => without_value(message),
            _ => message.to_owned(),
        };
        self.problems
            .push(Problem::new(origin, format!("`{path}`: {message}")));
    }

    /// Notes what is only worth a warning.
    pub(super) fn doubt(&mut self, path: &str, message: &str) {
        let doubt = Problem::mild(self.origin(path), format!("`{path}`: {message}"));
        self.doubts.push(doubt.to_string());
    }

    /// Where `path` was written, or the nearest that was of what it lies in.
    fn origin(&self, path: &str) -> Origin {
        let mut node = self.root;
        for step in steps(path) {
            let inner = match step {
                Step::Key(key) => node.get(key),
                Step::Item(index) => node.items().get(index),
            };
            let Some(inner) = inner else { break };
            node = inner;
        }
        node.origin.clone()
    }
}

/// A number as YAML 1.1 has it, which distribution reads: `0x10` and `010` are numbers of other bases.
fn number(text: &str) -> Option<usize> {
    let text = text.replace('_', "");
    let digits = text.strip_prefix('+').unwrap_or(&text);
    let (digits, base) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&digits[2..], 16),
        [b'0', b'b' | b'B', ..] => (&digits[2..], 2),
        [b'0', b'o' | b'O', ..] => (&digits[2..], 8),
        [b'0', _, ..] => (&digits[1..], 8),
        _ => (digits, 10),
    };
    if digits.starts_with('+') {
        return None;
    }
    usize::from_str_radix(digits, base).ok()
}

/// Whether a message shows what a file holds, which may be a secret: the wrong file is soon named.
fn tells(message: &str, node: &Node) -> bool {
    const ENOUGH: usize = 16;
    if node.file.is_some()
        && let Value::Scalar(text) = &node.value
    {
        let begin: String = text.chars().take(ENOUGH).collect();
        return message.to_lowercase().contains(&begin.to_lowercase());
    }
    let inside = node.entries().iter().map(|(_, node)| node);
    inside
        .chain(node.items())
        .any(|inner| tells(message, inner))
}

fn without_value(message: &str) -> String {
    let expected = message.rfind(": expected ");
    let expected = expected.map_or("", |start| &message[start..]);
    format!("what its file holds is not taken{expected}")
}

/// The fields of a map as JSON.
pub(super) fn fields(node: &Node) -> Map<String, Json> {
    node.entries()
        .iter()
        .map(|(name, node)| (name.clone(), json(node)))
        .collect()
}

fn json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Scalar(text) => match (text.as_str(), text.parse::<i64>()) {
            ("true", _) => Json::Bool(true),
            ("false", _) => Json::Bool(false),
            (_, Ok(number)) => Json::Number(Number::from(number)),
            _ => Json::String(text.clone()),
        },
        Value::List(items) => Json::Array(items.iter().map(json).collect()),
        Value::Map(_) => Json::Object(fields(node)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_yaml_1_1_has_them() {
        let table = [
            ("0", Some(0)),
            ("12", Some(12)),
            ("+12", Some(12)),
            ("1_000", Some(1_000)),
            ("0x10", Some(16)),
            ("0b11", Some(3)),
            ("0o17", Some(15)),
            ("017", Some(15)),
            ("", None),
            ("-1", None),
            ("0x", None),
            ("08", None),
            ("++1", None),
            ("0x+1", None),
            ("1.5", None),
            ("99999999999999999999999", None),
        ];

        for (text, expected) in table {
            assert_eq!(number(text), expected, "{text}");
        }
    }
}
