//! What is wrong with a configuration.

use std::fmt::{self, Write};
use std::path::PathBuf;

use super::files::FileError;
use super::node::Origin;

/// How many problems are shown at once.
const SHOWN: usize = 100;
/// How much of a value is shown, in characters.
const VALUE: usize = 80;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub(super) origin: Origin,
    pub(super) message: String,
    /// Whether it is only a warning for who wants it so.
    pub(super) mild: bool,
}

impl Problem {
    /// Something that cannot be served by.
    pub(super) fn new(origin: Origin, message: impl Into<String>) -> Self {
        Self {
            origin,
            message: message.into(),
            mild: false,
        }
    }

    /// Something that means nothing here, and that `--lenient` forgives.
    pub(super) fn mild(origin: Origin, message: impl Into<String>) -> Self {
        Self {
            origin,
            message: message.into(),
            mild: true,
        }
    }

    /// The file comes first, in the order of its lines, and then the variables.
    pub(super) fn order(&self) -> (usize, &str) {
        match &self.origin {
            Origin::Default => (0, ""),
            Origin::Line(line) => (*line, ""),
            Origin::Variable(name) => (usize::MAX, name),
        }
    }
}

impl Problem {
    /// The line or the variable that is wrong, fit for a terminal.
    pub fn origin(&self) -> String {
        Visible(&self.origin.to_string()).to_string()
    }

    /// What is wrong with it, fit for a terminal.
    pub fn message(&self) -> String {
        Visible(&self.message).to_string()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.origin(), self.message())
    }
}

/// A text of a stranger's, so that it cannot move the cursor of the terminal that shows it.
#[derive(Debug)]
pub(super) struct Visible<'a>(pub(super) &'a str);

impl fmt::Display for Visible<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if character.is_control() {
                write!(formatter, "{}", character.escape_default())?;
            } else {
                formatter.write_char(character)?;
            }
        }
        Ok(())
    }
}

/// A value as a message shows it.
pub(super) fn shown(value: &str) -> String {
    match value.char_indices().nth(VALUE) {
        Some((end, _)) => format!("`{}…`", &value[..end]),
        None => format!("`{value}`"),
    }
}

/// Why a configuration cannot be served by.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read the configuration `{}`", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why it cannot.
        #[source]
        source: FileError,
    },
    /// Everything that is wrong with it, in the order of its lines.
    #[error("{}", listed(.path.as_ref(), .problems, .warnings))]
    Problems {
        /// The file, unless the variables of the environment are all there is.
        path: Option<PathBuf>,
        /// What is wrong.
        problems: Vec<Problem>,
        /// What would only have been warned of, and may be the cause of it.
        warnings: Vec<String>,
    },
}

fn listed(path: Option<&PathBuf>, problems: &[Problem], warnings: &[String]) -> String {
    let mut text = match path {
        Some(path) => format!(
            "the configuration `{}` cannot be served by:",
            path.display()
        ),
        None => "the environment cannot be served by:".to_owned(),
    };
    list(&mut text, problems);
    if !warnings.is_empty() {
        text.push_str("\nbeside that:");
        list(&mut text, warnings);
    }
    text
}

/// Shows the first of them, one a line.
fn list(text: &mut String, items: &[impl fmt::Display]) {
    for item in items.iter().take(SHOWN) {
        text.push_str("\n  ");
        text.push_str(&item.to_string());
    }
    if let more @ 1.. = items.len().saturating_sub(SHOWN) {
        text.push_str("\n  and ");
        text.push_str(&more.to_string());
        text.push_str(" more");
    }
}
