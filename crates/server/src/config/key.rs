//! What a key of the configuration is, and what becomes of it.

use super::node::{Node, Value};

/// A key by its path.
///
/// `endpoints[].url` is the key `url` of every item of the list `endpoints`.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) path: &'static str,
    /// What holds without it, as Markdown; empty where that is nothing.
    pub(super) default: &'static str,
    /// What it does, or why it does nothing: one sentence or two, as Markdown.
    pub(super) about: &'static str,
    pub(super) fate: Fate,
    pub(super) form: Form,
    /// Whether its value must never be shown.
    pub(super) secret: bool,
    /// An example of its value, as YAML; empty where the default shows it.
    pub(super) example: &'static str,
    /// Which registries know it.
    pub(super) known: Known,
}

/// Which registries know a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Distribution 2 and 3, unless it lies in a section of ours.
    Everywhere,
    /// Distribution 2 alone.
    Two,
    /// Distribution 3 alone.
    Three,
    /// We alone.
    Here,
}

/// What becomes of a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// It works.
    Works,
    /// It is accepted and does nothing, which does no harm; the log says why.
    Idle,
    /// It is not there yet, so that a configuration that asks for it is refused.
    ///
    /// The function tells whether this node, in the whole tree, asks for it.
    Refused(fn(&Node, &Node) -> bool),
    /// What holds for the key above it holds for it; it is there so that a mistake in its name is found.
    Part,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Nothing by itself: only keys lie below it.
    Keys,
    Text,
    /// `true` or `false`.
    Boolean,
    Number,
    /// As Go writes it: `1h30m`.
    Duration,
    /// A number of bytes: `64MiB`.
    Size,
    /// The path of a file that must be there.
    File,
    /// The path of a folder.
    Folder,
    /// One of these words, in whatever case.
    Choice(&'static [&'static str]),
    /// A list of texts; one alone needs no list around it.
    Texts,
    /// Names with a list of texts each.
    Headers,
    /// Names with whatever values.
    Fields,
}

impl Form {
    /// Whether a path that goes on with `rest` below such a value means something.
    pub(super) fn covers(self, rest: &str) -> bool {
        match self {
            Self::Fields => true,
            Self::Headers => {
                let name = rest.strip_suffix("[]").unwrap_or(rest);
                name.starts_with('.') && !name[1..].contains(['.', '['])
            }
            Self::Texts => rest == "[]",
            Self::Keys
            | Self::Text
            | Self::Boolean
            | Self::Number
            | Self::Duration
            | Self::Size
            | Self::File
            | Self::Folder
            | Self::Choice(_) => false,
        }
    }
}

impl Form {
    /// What is wrong with the kind of a value that nobody is going to read, if anything is.
    pub(super) fn misfit(self, node: &Node) -> Option<&'static str> {
        let is_text = |node: &Node| matches!(node.value, Value::Null | Value::Scalar(_));
        let (fits, expected) = match self {
            // What lies below is looked at by itself.
            Self::Keys => (!is_text(node), "expected keys below it"),
            Self::Headers | Self::Fields => (
                matches!(node.value, Value::Map(_)),
                "expected keys below it",
            ),
            Self::Texts => {
                let is_list = matches!(node.value, Value::List(_));
                let fits = is_text(node) || is_list && node.items().iter().all(is_text);
                (fits, "expected a list of texts")
            }
            Self::Text
            | Self::Boolean
            | Self::Number
            | Self::Duration
            | Self::Size
            | Self::File
            | Self::Folder
            | Self::Choice(_) => (is_text(node), "expected a text"),
        };
        (!fits && !node.is_empty()).then_some(expected)
    }
}

impl Key {
    const fn new(path: &'static str, about: &'static str, fate: Fate) -> Self {
        Self {
            path,
            default: "",
            about,
            fate,
            form: Form::Keys,
            secret: false,
            example: "",
            known: Known::Everywhere,
        }
    }

    /// Says how its value is written, so that what cannot lie below it is a mistake.
    pub(super) const fn form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    /// Says that its value must never be shown.
    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Says which registries know it.
    pub(super) const fn known(mut self, known: Known) -> Self {
        self.known = known;
        self
    }

    /// Shows a value, as YAML.
    pub(super) const fn example(mut self, example: &'static str) -> Self {
        self.example = example;
        self
    }
}

/// A key that works.
pub(super) const fn works(path: &'static str, default: &'static str, about: &'static str) -> Key {
    let mut key = Key::new(path, about, Fate::Works);
    key.default = default;
    key
}

/// A key that is accepted and does nothing.
pub(super) const fn idle(path: &'static str, why: &'static str) -> Key {
    Key::new(path, why, Fate::Idle)
}

/// A key whose feature is not there yet.
pub(super) const fn refused(
    path: &'static str,
    why: &'static str,
    asks: fn(&Node, &Node) -> bool,
) -> Key {
    Key::new(path, why, Fate::Refused(asks))
}

/// A key that shares the fate of the one above it.
pub(super) const fn part(path: &'static str) -> Key {
    Key::new(path, "", Fate::Part)
}

/// Whatever is written asks for the feature.
pub(super) fn always(_: &Node, _: &Node) -> bool {
    true
}

/// Whether the node is one of these words, in whatever case; nothing at all is, too.
pub(super) fn is_one_of(node: &Node, texts: &[&str]) -> bool {
    match &node.value {
        Value::Null => true,
        Value::Scalar(text) => texts.contains(&text.to_lowercase().as_str()),
        Value::List(_) | Value::Map(_) => false,
    }
}

/// Whether a switch is off, or absent.
pub(super) fn is_false(node: Option<&Node>) -> bool {
    node.is_none_or(|node| is_one_of(node, &["", "false", "no", "off", "n"]))
}

/// A list asks when one of its items is not switched off.
pub(super) fn has_active_items(_: &Node, node: &Node) -> bool {
    match &node.value {
        Value::List(items) => items.iter().any(|item| is_false(item.get("disabled"))),
        _ => !node.is_empty(),
    }
}
