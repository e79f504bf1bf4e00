//! What is wrong with a configuration.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::node::Origin;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub(super) origin: Origin,
    pub(super) message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.origin, self.message)
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
        source: io::Error,
    },
    /// Everything that is wrong with it, in the order of its lines.
    #[error("{}", listed(.path.as_ref(), .problems))]
    Problems {
        /// The file, unless the variables of the environment are all there is.
        path: Option<PathBuf>,
        /// What is wrong.
        problems: Vec<Problem>,
    },
}

fn listed(path: Option<&PathBuf>, problems: &[Problem]) -> String {
    let mut text = match path {
        Some(path) => format!(
            "the configuration `{}` cannot be served by:",
            path.display()
        ),
        None => "the environment cannot be served by:".to_owned(),
    };
    for problem in problems {
        text.push_str("\n  ");
        text.push_str(&problem.to_string());
    }
    text
}
