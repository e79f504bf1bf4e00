//! `auth` and `access`: who somebody is, and what they may do.

use crate::config::key::{Key, refused};
use crate::config::node::{Node, Value};

pub(in crate::config) const KEYS: &[Key] = &[refused(
    "auth",
    "access control is not there yet, and without it everybody may do everything",
    asks_for_access_control,
)];

fn asks_for_access_control(_: &Node, node: &Node) -> bool {
    match &node.value {
        Value::Null => false,
        Value::Scalar(name) => !matches!(name.as_str(), "" | "none"),
        Value::List(_) => true,
        Value::Map(entries) => entries.iter().any(|(name, _)| name != "none"),
    }
}
