//! A configuration as a tree whose every node knows where it was written.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::path::{Step, steps};

/// Where something was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Nobody wrote it: it holds without a file.
    Default,
    /// A line of the file, counted from one.
    Line(usize),
    /// A variable of the environment.
    Variable(Arc<str>),
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) origin: Origin,
    pub(super) value: Value,
    /// The file that its text was read from, with `!file` or `_FILE`.
    pub(super) file: Option<PathBuf>,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing was written.
    Null,
    /// A text; what it means depends on who asks.
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::Line(line) => write!(formatter, "line {line}"),
            Self::Variable(name) => formatter.write_str(name),
        }
    }
}

impl Node {
    pub(super) fn null(origin: Origin) -> Self {
        Self::new(origin, Value::Null)
    }

    pub(super) fn new(origin: Origin, value: Value) -> Self {
        Self {
            origin,
            value,
            file: None,
        }
    }

    /// The value under `key`, if this is a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries()
            .iter()
            .find_map(|(name, node)| (name == key).then_some(node))
    }

    /// The value under a path such as `endpoints[0].url`.
    pub(super) fn at(&self, path: &str) -> Option<&Self> {
        steps(path).try_fold(self, |node, step| match step {
            Step::Key(key) => node.get(key),
            Step::Item(index) => node.items().get(index),
        })
    }

    /// The entries of a map; anything else has none.
    pub(super) fn entries(&self) -> &[(String, Self)] {
        match &self.value {
            Value::Map(entries) => entries,
            Value::Null | Value::Scalar(_) | Value::List(_) => &[],
        }
    }

    /// The items of a list; anything else has none.
    pub(super) fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            Value::Null | Value::Scalar(_) | Value::Map(_) => &[],
        }
    }

    /// Whether nothing is said: no value, an empty text, or only such things inside.
    pub(super) fn is_empty(&self) -> bool {
        match &self.value {
            Value::Null => true,
            Value::Scalar(text) => text.is_empty(),
            Value::List(items) => items.iter().all(Self::is_empty),
            Value::Map(entries) => entries.iter().all(|(_, node)| node.is_empty()),
        }
    }

    /// Puts `node` under a path, over whatever was there, and makes the maps and lists on the way.
    pub(super) fn put(&mut self, path: &[Part], node: Self) -> Result<(), PutError> {
        let Some((part, rest)) = path.split_first() else {
            *self = node;
            return Ok(());
        };
        if matches!(part, Part::Item(_)) && self.is_empty() {
            self.value = Value::List(Vec::new());
        }
        if let Value::List(items) = &mut self.value {
            let Part::Item(index) = part else {
                return Err(PutError::NoIndex);
            };
            if *index == items.len() {
                items.push(Self::null(node.origin.clone()));
            }
            let item = items.get_mut(*index).ok_or(PutError::Gap)?;
            return item.put(rest, node);
        }
        let key = part.to_string();
        let entries = self.as_map();
        let position = entries
            .iter()
            .position(|(name, _)| name.eq_ignore_ascii_case(&key));
        let position = position.unwrap_or_else(|| {
            entries.push((key, Self::null(node.origin.clone())));
            entries.len() - 1
        });
        entries[position].1.put(rest, node)
    }

    /// Makes what is under `key` a map, if it is a text, as in `storage: filesystem`.
    pub(super) fn expand(&mut self, key: &str) {
        if let Value::Map(entries) = &mut self.value
            && let Some((_, node)) = entries.iter_mut().find(|(name, _)| name == key)
            && matches!(node.value, Value::Scalar(_))
            && node.file.is_none()
        {
            node.as_map();
        }
    }

    /// Makes this a map; a text that stood here becomes its only key.
    fn as_map(&mut self) -> &mut Vec<(String, Self)> {
        if !matches!(self.value, Value::Map(_)) {
            let origin = self.origin.clone();
            let entries = match std::mem::replace(&mut self.value, Value::Null) {
                // What a file holds is a value, and may be a secret.
                Value::Scalar(text) if !text.is_empty() && self.file.is_none() => {
                    vec![(text, Self::null(origin))]
                }
                _ => Vec::new(),
            };
            self.value = Value::Map(entries);
            self.file = None;
        }
        match &mut self.value {
            Value::Map(entries) => entries,
            Value::Null | Value::Scalar(_) | Value::List(_) => {
                unreachable!("it was made a map just now")
            }
        }
    }
}

/// A part of a variable's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Key(String),
    /// An item of a list, or a key that looks like one.
    Item(usize),
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => formatter.write_str(key),
            Self::Item(index) => write!(formatter, "{index}"),
        }
    }
}

/// Why a value has no place in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PutError {
    /// A list has numbers for keys.
    #[error("a list was written there: expected a number in the variable's name")]
    NoIndex,
    /// A list has no gaps.
    #[error("the number is beyond the end of the list")]
    Gap,
}
