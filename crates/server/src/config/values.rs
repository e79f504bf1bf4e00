//! From texts to values, with every mistake noted.

use std::time::Duration;

use serde_json::{Map, Number, Value as Json};

use super::duration;
use super::node::{Node, Value};
use super::problem::Problem;

/// Reads values out of a tree and gathers what is wrong with them.
#[derive(Debug)]
pub(super) struct Values<'a> {
    root: &'a Node,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Values<'a> {
    pub(super) fn of(root: &'a Node) -> Self {
        Self {
            root,
            problems: Vec::new(),
        }
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

    pub(super) fn boolean(&mut self, path: &str) -> Option<bool> {
        let value = self.text(path)?;
        // YAML 1.1, which distribution reads, has all of these.
        let boolean = match value.to_lowercase().as_str() {
            "true" | "yes" | "on" | "y" => true,
            "false" | "no" | "off" | "n" => false,
            _ => {
                self.wrong(path, &format!("`{value}` is neither `true` nor `false`"));
                return None;
            }
        };
        Some(boolean)
    }

    pub(super) fn number(&mut self, path: &str) -> Option<usize> {
        let value = self.text(path)?;
        let number = value.parse().ok();
        if number.is_none() {
            self.wrong(
                path,
                &format!("`{value}` is no number that is not negative"),
            );
        }
        number
    }

    pub(super) fn duration(&mut self, path: &str) -> Option<Duration> {
        let value = self.text(path)?;
        let parsed = duration::parse(value);
        if parsed.is_none() {
            self.wrong(
                path,
                &format!("`{value}` is no duration: expected one like `90s` or `1h30m`"),
            );
        }
        parsed
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
                &format!("`{value}` is unknown: expected one of {}", names.join(", ")),
            );
        }
        found.map(|(_, value)| *value)
    }

    /// Notes a problem with what is under `path`, or with its absence.
    pub(super) fn wrong(&mut self, path: &str, message: &str) {
        let node = self.root.at(path).unwrap_or(self.root);
        self.problems.push(Problem {
            origin: node.origin.clone(),
            message: format!("`{path}`: {message}"),
        });
    }
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
