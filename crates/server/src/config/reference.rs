//! The reference of the keys, for the documentation.

use std::fmt::Write;

use super::key::{Fate, Key};
use super::keys;

/// Every key with its default and what it does, as Markdown.
///
/// `docs/CONFIGURATION.md` holds this text between two marks, and a test compares the two.
pub fn reference() -> String {
    let mut text = String::new();
    text.push_str("### Keys that work\n\n| key | default | what it does |\n|---|---|---|\n");
    for key in of(|fate| matches!(fate, Fate::Works)) {
        let default = if key.default.is_empty() {
            "none"
        } else {
            key.default
        };
        line(&mut text, &[key.path, default, key.about]);
    }
    text.push_str("\n### Keys that are refused\n\n| key | why |\n|---|---|\n");
    for key in of(|fate| matches!(fate, Fate::Refused(_))) {
        line(&mut text, &[key.path, key.about]);
    }
    text.push_str("\n### Keys that have no effect\n\n| key | why |\n|---|---|\n");
    for key in of(|fate| matches!(fate, Fate::Idle)) {
        line(&mut text, &[key.path, key.about]);
    }
    text
}

fn of(fits: fn(Fate) -> bool) -> impl Iterator<Item = &'static Key> {
    keys::all().filter(move |key| fits(key.fate))
}

fn line(text: &mut String, cells: &[&str]) {
    let (path, rest) = cells.split_first().expect("a line has a first cell");
    write!(text, "| `{path}`").expect("a string takes every write");
    for cell in rest {
        write!(text, " | {cell}").expect("a string takes every write");
    }
    text.push_str(" |\n");
}
