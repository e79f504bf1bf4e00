//! Distribution's `config.yml`, and what is asked of it.

mod duration;
mod environment;
mod key;
mod keys;
mod node;
mod problem;
mod reference;
mod sections;
mod values;
mod yaml;

use std::fs;
use std::path::Path;

pub use problem::{ConfigError, Problem};
pub use reference::reference;
pub use sections::http::Http;
pub use sections::limits::Limits;
pub use sections::rules::Rules;
pub use sections::storage::Storage;

use crate::external::Proxies;
use crate::log;
use node::Origin;
use values::Values;

/// What is served without a configuration.
const DEFAULT: &str = "
version: 0.1
storage: {filesystem: {rootdirectory: ./registry-data}, delete: {enabled: true}}
http: {addr: '127.0.0.1:5000'}
";

/// A configuration that can be served by.
#[derive(Clone, Debug)]
pub struct Config {
    /// What is logged, and how.
    pub log: log::Settings,
    /// Where things are kept.
    pub storage: Storage,
    /// How they are served.
    pub http: Http,
    /// Which manifests are taken.
    pub rules: Rules,
    /// What bounds clients.
    pub limits: Limits,
    /// Whose word about clients counts.
    pub proxies: Proxies,
    /// What in the configuration has no effect, for the log.
    pub notes: Vec<String>,
    /// What in the environment means nothing, for the log.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads the file, or the defaults without one, and puts the variables over it.
    ///
    /// Everything that is wrong is found before anything is said.
    pub fn load(
        path: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let text = match path {
            Some(path) => fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
                path: path.to_owned(),
                source,
            })?,
            None => DEFAULT.to_owned(),
        };
        Self::parse(&text, variables).map_err(|problems| ConfigError::Problems {
            path: path.map(ToOwned::to_owned),
            problems,
        })
    }

    fn parse(
        text: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<Problem>> {
        let mut root = yaml::parse(text, None).map_err(|error| {
            vec![Problem {
                origin: Origin::Line(error.line()),
                message: error.to_string(),
            }]
        })?;
        let applied = environment::apply(&mut root, variables);
        root.expand("storage");
        let checked = keys::check(&root);
        let mut values = Values::of(&root);
        let mut config = Self::read(&mut values);
        let mut problems = checked.problems;
        problems.extend(applied.problems);
        problems.extend(values.problems);
        if !problems.is_empty() {
            problems.sort_by_key(|problem| match problem.origin {
                Origin::Line(line) => line,
                Origin::Variable(_) => usize::MAX,
            });
            return Err(problems);
        }
        config.notes = checked.notes;
        config.warnings = applied.warnings;
        Ok(config)
    }

    fn read(values: &mut Values<'_>) -> Self {
        match values.text("version") {
            Some("0.1") => {}
            Some(_) => values.wrong("version", "only `0.1` is known"),
            None => values.wrong("version", "is missing: expected `version: 0.1`"),
        }
        Self {
            log: sections::log::read(values),
            storage: sections::storage::read(values),
            http: sections::http::read(values),
            rules: sections::rules::read(values),
            limits: sections::limits::read(values),
            proxies: sections::proxies::read(values),
            notes: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
