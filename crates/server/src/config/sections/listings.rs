//! `catalog` and `tags`: how long a page may be.

use crate::config::key::{Form, Key, Known, idle, part};

pub(in crate::config) const KEYS: &[Key] = &[
    idle(
        "catalog",
        "a page has up to 10000 names, and a catalog without `n` is sent whole",
    ),
    part("catalog.maxentries").form(Form::Number),
    idle(
        "tags",
        "a page has up to 10000 tags, and a list without `n` is sent whole",
    )
    .known(Known::Three),
    part("tags.maxtags").form(Form::Number).known(Known::Three),
];
