//! What a key of the configuration is, and what becomes of it.

use super::node::{Node, Value};

/// A key by its path, and all that lies below it unless other keys do.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) path: &'static str,
    /// What holds without it, as Markdown; empty where that is nothing.
    pub(super) default: &'static str,
    /// What it does, or why it does nothing: one sentence or two, as Markdown.
    pub(super) about: &'static str,
    pub(super) fate: Fate,
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
}

/// A key that works.
pub(super) const fn works(path: &'static str, default: &'static str, about: &'static str) -> Key {
    Key {
        path,
        default,
        about,
        fate: Fate::Works,
    }
}

/// A key that is accepted and does nothing.
pub(super) const fn idle(path: &'static str, why: &'static str) -> Key {
    Key {
        path,
        default: "",
        about: why,
        fate: Fate::Idle,
    }
}

/// A key whose feature is not there yet.
pub(super) const fn refused(
    path: &'static str,
    why: &'static str,
    asks: fn(&Node, &Node) -> bool,
) -> Key {
    Key {
        path,
        default: "",
        about: why,
        fate: Fate::Refused(asks),
    }
}

/// Whatever is written asks for the feature.
pub(super) fn always(_: &Node, _: &Node) -> bool {
    true
}

/// Anything but emptiness asks for the feature.
pub(super) fn said(_: &Node, node: &Node) -> bool {
    !node.is_empty()
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

/// A section with a switch of its own asks when that is on.
pub(super) fn is_enabled(_: &Node, node: &Node) -> bool {
    !is_false(node.get("enabled"))
}

/// A list asks when one of its items is not switched off.
pub(super) fn has_active_items(_: &Node, node: &Node) -> bool {
    match &node.value {
        Value::List(items) => items.iter().any(|item| is_false(item.get("disabled"))),
        _ => !node.is_empty(),
    }
}
