//! From a file and the environment to a checked tree.

use super::check::{self, Checked};
use super::contents;
use super::environment::{self, Applied};
use super::files::{self, ReadValue};
use super::node::{Node, Origin, Value};
use super::problem::Problem;
use super::values::Values;
use super::yaml::{self, Source, Writer, YamlError};
use super::{Config, ConfigError, Sources};

/// What is served without a configuration.
const DEFAULT: &str = "
version: 0.1
storage: {filesystem: {rootdirectory: ./registry-data}, delete: {enabled: true}}
http: {addr: '127.0.0.1:5000', h2c: {enabled: true}}
";
/// Keys whose value may be the name of the only key below them, as in `storage: filesystem`.
const NAMED_BY_A_WORD: [&str; 2] = ["storage", "auth"];

/// A configuration as it was written, and all that is wrong with how.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) root: Node,
    pub(super) checked: Checked,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<String>,
    /// The names of variables that mean nothing.
    pub(super) unknown_variables: Vec<String>,
    quiet: Vec<String>,
    /// Whether it is no YAML, so that there is nothing to read values from.
    broken: bool,
}

impl Reading {
    /// Reads the file that the sources name.
    pub(super) fn of(sources: &Sources) -> Result<Self, ConfigError> {
        let text = match &sources.path {
            Some(path) => files::text(path, files::CONFIG_BYTES).map_err(|source| {
                let path = path.clone();
                ConfigError::Unreadable { path, source }
            })?,
            None => DEFAULT.to_owned(),
        };
        let writer = match sources.path {
            Some(_) => Writer::File,
            None => Writer::Defaults,
        };
        Ok(Self::parse(&text, writer, sources, files::value))
    }

    /// Reads what stands for the file; the reader of other files is given, so that nothing else is touched.
    pub(super) fn of_bytes(
        bytes: &[u8],
        sources: &Sources,
        files: ReadValue,
    ) -> Result<Self, ConfigError> {
        let text = files::checked(bytes.to_vec(), files::CONFIG_BYTES).map_err(|source| {
            let path = sources.path.clone().unwrap_or_default();
            ConfigError::Unreadable { path, source }
        })?;
        Ok(Self::parse(&text, Writer::File, sources, files))
    }

    /// Reads a text that stands for the file.
    pub(super) fn parse(
        text: &str,
        writer: Writer<'_>,
        sources: &Sources,
        files: ReadValue,
    ) -> Self {
        let (mut root, mut problems) = match yaml::parse(text, Source { writer, files }) {
            Ok(document) => (document.root, document.problems),
            Err(error) => return Self::broken(&error, sources, files),
        };
        let variables = sources.variables.iter().cloned();
        let applied = environment::apply(&mut root, variables, files);
        problems.extend(environment::not_text(&sources.not_text));
        for key in NAMED_BY_A_WORD {
            root.expand(key);
        }
        forget_default_store(&mut root);
        let mut checked = check::check(&root);
        let Applied {
            problems: wrong,
            mut warnings,
            unknown,
            quiet,
        } = applied;
        problems.extend(wrong);
        problems.append(&mut checked.problems);
        if sources.lenient {
            let mild = problems.extract_if(.., |problem| problem.mild);
            warnings.extend(mild.map(|problem| problem.to_string()));
        }
        Self {
            root,
            checked,
            problems,
            warnings,
            unknown_variables: unknown,
            quiet,
            broken: false,
        }
    }

    /// A file without values, beside which only the variables can be looked at.
    fn broken(error: &YamlError, sources: &Sources, files: ReadValue) -> Self {
        let mut root = Node::null(Origin::Line(1));
        let applied = environment::apply(&mut root, sources.variables.iter().cloned(), files);
        let line = Origin::Line(error.line());
        let mut problems = vec![Problem::new(line, error.to_string())];
        problems.extend(environment::not_text(&sources.not_text));
        problems.extend(applied.problems);
        Self {
            root,
            checked: Checked::default(),
            problems,
            warnings: applied.warnings,
            unknown_variables: applied.unknown,
            quiet: applied.quiet,
            broken: true,
        }
    }

    /// What the values mean, unless something is wrong with them.
    pub(super) fn config(self, sources: &Sources) -> Result<Config, ConfigError> {
        let outcome = self.outcome(sources);
        outcome.config.ok_or(ConfigError::Problems {
            path: sources.path.clone(),
            problems: outcome.problems,
            warnings: outcome.warnings,
        })
    }

    /// What the values mean, and everything that there is to say about them.
    pub(super) fn outcome(self, sources: &Sources) -> Outcome {
        let mut outcome = Outcome {
            config: None,
            problems: self.problems,
            warnings: self.warnings.clone(),
        };
        if !self.broken {
            let mut values = Values::of(&self.root, sources.serves);
            let mut config = Config::read(&mut values);
            if sources.serves {
                contents::check(&config, &mut values);
            }
            outcome.problems.append(&mut values.problems);
            config.notes = self.checked.notes;
            config.warnings = self.warnings;
            config.quiet = self.quiet;
            let tracing = &mut config.tracing;
            tracing.complete(&sources.variables, &mut config.warnings);
            outcome.warnings.clone_from(&config.warnings);
            outcome.warnings.append(&mut values.doubts);
            outcome.config = Some(config).filter(|_| outcome.problems.is_empty());
        }
        let order = |one: &Problem, other: &Problem| one.order().cmp(&other.order());
        outcome.problems.sort_by(order);
        outcome
    }
}

/// What a configuration comes to.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Nothing where something is wrong.
    pub(super) config: Option<Config>,
    /// What is wrong, in the order of its lines.
    pub(super) problems: Vec<Problem>,
    /// What is said at the start, and what the server itself will say of the files that are named.
    pub(super) warnings: Vec<String>,
}

/// A variable that names another store than the one that holds without a file replaces it.
fn forget_default_store(root: &mut Node) {
    let Value::Map(entries) = &mut root.value else {
        return;
    };
    let storage = entries.iter_mut().find(|(name, _)| name == "storage");
    if let Some((_, node)) = storage
        && super::sections::storage::drivers(node).len() > 1
        && let Value::Map(entries) = &mut node.value
    {
        entries.retain(|(name, node)| name != "filesystem" || node.origin != Origin::Default);
    }
}
