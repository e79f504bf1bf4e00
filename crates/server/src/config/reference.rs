//! The reference of the keys, for the documentation.

use std::fmt::Write;

use super::environment::variable_of;
use super::key::{Fate, Form, Key, Known};
use super::keys::decider;
use super::sections::{self, Section};

/// Every key with its variable, its form, its default and what it does, as Markdown.
///
/// `docs/CONFIGURATION.md` holds this text between two marks, and a test compares the two.
pub fn reference() -> String {
    sections::ALL.iter().map(section).collect()
}

fn section(section: &Section) -> String {
    let mut text = format!("### {}\n\n{}\n\n", section.title, section.about);
    text.push_str("| key, variable | form | default | what it does |\n|---|---|---|---|\n");
    let keys = || section.keys.iter();
    for key in keys().filter(|key| is_told(key)) {
        let cells = [name(key), form(key.form), default(key), about(key)];
        line(&mut text, &cells);
    }
    for above in keys() {
        let is_below = |key: &&'static Key| !is_told(key) && decider(key).path == above.path;
        let parts: Vec<_> = keys()
            .filter(is_below)
            .map(|key| part(key, above))
            .collect();
        if !parts.is_empty() {
            let (path, parts) = (above.path, parts.join(", "));
            write!(text, "\nBelow `{path}`, and as it: {parts}.\n")
                .expect("a string takes every write");
        }
    }
    text.push('\n');
    text
}

/// Whether a key has a line of its own: a part of another one that does nothing has none.
fn is_told(key: &Key) -> bool {
    !matches!(key.fate, Fate::Part) || !key.about.is_empty()
}

fn name(key: &Key) -> String {
    let known = match key.known {
        _ if is_ours(key) => "<br>ours",
        Known::Everywhere | Known::Here => "",
        Known::Two => "<br>distribution 2 only",
        Known::Three => "<br>distribution 3 only",
    };
    let variable = match key.path {
        "version" => String::new(),
        path => format!("<br>`{}`", variable_of(path)),
    };
    format!("`{}`{variable}{known}", key.path)
}

/// A part by its path below the key that decides about it.
fn part(key: &Key, above: &Key) -> String {
    let known = match key.known {
        // The key above says so.
        known if known == above.known => "",
        Known::Everywhere | Known::Here => "",
        Known::Two => " (distribution 2)",
        Known::Three => " (distribution 3)",
    };
    let path = key.path[above.path.len()..].trim_start_matches('.');
    format!("`{path}`{known}")
}

/// Whether distribution does not know it, and leaves it alone.
fn is_ours(key: &Key) -> bool {
    const OURS: [&str; 3] = ["boxyard", "database", "access"];
    let first = key.path.split(['.', '[']).next().unwrap_or_default();
    key.known == Known::Here || OURS.contains(&first)
}

fn form(form: Form) -> String {
    let name = match form {
        Form::Keys => "",
        Form::Text => "text",
        Form::Boolean => "`true`, `false`",
        Form::Number => "number",
        Form::Duration => "duration",
        Form::Size => "size",
        Form::File => "path of a file",
        Form::Folder => "path of a folder",
        Form::Texts => "list of texts",
        Form::Headers => "names with lists of texts",
        Form::Fields => "names with values",
        Form::Choice(words) => {
            let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
            return words.join(", ");
        }
    };
    name.to_owned()
}

fn default(key: &Key) -> String {
    match (key.fate, key.default) {
        (Fate::Works, "") => "none".to_owned(),
        (_, default) => default.to_owned(),
    }
}

fn about(key: &'static Key) -> String {
    let why = if key.about.is_empty() {
        decider(key).about
    } else {
        key.about
    };
    let mut text = match key.fate {
        Fate::Works | Fate::Part => why.to_owned(),
        Fate::Idle => format!("**No effect**: {why}."),
        Fate::Refused(_) => format!("**Refused**: {why}."),
    };
    if key.secret {
        text.push_str(" A secret: never shown.");
    }
    if !key.example.is_empty() {
        write!(text, " Example: `{}`.", key.example).expect("a string takes every write");
    }
    text
}

fn line(text: &mut String, cells: &[String]) {
    for cell in cells {
        write!(text, "| {} ", cell.replace('|', "\\|")).expect("a string takes every write");
    }
    text.push_str("|\n");
}
