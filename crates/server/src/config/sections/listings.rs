//! `catalog` and `tags`: how long a page may be.

use crate::config::key::{Form, Key, Known, works};
use crate::config::values::Values;

/// What distribution has without a word about it.
const USUAL: usize = 1_000;

pub(in crate::config) const KEYS: &[Key] = &[
    works(
        "catalog.maxentries",
        "`1000`",
        "How many repositories a client may ask for by `n`; more is answered 400. Without `n` the catalog is sent whole.",
    )
    .form(Form::Number),
    works(
        "tags.maxtags",
        "`1000`",
        "How many tags a page has at most; who asks for more by `n` gets this many and a link to the next ones. Without `n` all tags are sent.",
    )
    .form(Form::Number)
    .known(Known::Three),
];

/// How long pages may be.
#[derive(Clone, Copy, Debug)]
pub struct Pages {
    /// Repositories of the catalog.
    pub catalog: usize,
    /// Tags of a repository.
    pub tags: usize,
}

impl Default for Pages {
    fn default() -> Self {
        Self {
            catalog: USUAL,
            tags: USUAL,
        }
    }
}

pub(in crate::config) fn read(values: &mut Values<'_>) -> Pages {
    // Distribution takes a negative number for none here, and nothing else does.
    let catalog = values.text("catalog.maxentries");
    let is_negative = catalog.is_some_and(|text| text.parse::<i64>().is_ok_and(|size| size < 0));
    let catalog = if is_negative {
        None
    } else {
        values.number("catalog.maxentries")
    };
    let or_usual = |size: Option<usize>| size.filter(|size| *size > 0).unwrap_or(USUAL);
    Pages {
        catalog: or_usual(catalog),
        tags: or_usual(values.number("tags.maxtags")),
    }
}
