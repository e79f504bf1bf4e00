//! `middleware`, `redis` and `proxy`: sections of distribution that are not served here, or not yet.

use crate::config::key::{Key, has_active_items, idle, refused};
use crate::config::node::Node;

pub(in crate::config) const KEYS: &[Key] = &[
    refused(
        "middleware",
        "middleware is not there yet",
        has_active_middleware,
    ),
    idle("redis", "nothing is kept in redis"),
    refused(
        "proxy",
        "a pull-through cache is not there yet",
        |_, node| node.get("remoteurl").is_some_and(|url| !url.is_empty()),
    ),
];

fn has_active_middleware(root: &Node, node: &Node) -> bool {
    node.entries()
        .iter()
        .any(|(_, list)| has_active_items(root, list))
}
