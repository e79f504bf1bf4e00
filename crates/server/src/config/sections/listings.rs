//! `catalog` and `tags`: how long a page may be.

use crate::config::key::{Key, idle};

pub(in crate::config) const KEYS: &[Key] = &[
    idle(
        "catalog",
        "a page has up to 10000 names, and a catalog without `n` is sent whole",
    ),
    idle(
        "tags",
        "a page has up to 10000 tags, and a list without `n` is sent whole",
    ),
];
