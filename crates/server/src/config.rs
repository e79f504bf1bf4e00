//! Distribution's `config.yml`, and what is asked of it.

mod duration;
mod environment;
mod keys;
mod node;
mod problem;
mod values;
mod yaml;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use tracing::level_filters::LevelFilter;

pub use problem::{ConfigError, Problem};

use crate::body::Pace;
use crate::log;
use node::{Node, Origin};
use values::{Values, fields};

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
    /// What in the configuration has no effect, for the log.
    pub notes: Vec<String>,
    /// What in the environment means nothing, for the log.
    pub warnings: Vec<String>,
}

/// Where things are kept, and what may be done to them.
#[derive(Clone, Debug)]
pub struct Storage {
    /// The folder that holds `docker/registry/v2`.
    pub root: PathBuf,
    /// The database, if it does not lie in the folder.
    pub database: Option<PathBuf>,
    /// How many threads may wait for the disk.
    pub threads: usize,
    /// Whether tags, manifests and blobs may be deleted.
    pub delete: bool,
    /// Whether a manifest may name what its repository does not hold.
    pub sparse: bool,
}

/// How things are served.
#[derive(Clone, Debug)]
pub struct Http {
    /// Where to listen, as Go has it.
    pub address: String,
    /// What URLs begin with; without it they are relative.
    pub host: Option<String>,
    /// Headers of every answer.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How long running requests have when the server stops.
    pub drain: Duration,
    /// Whether HTTP/2 is served.
    pub http2: bool,
    /// How fast a body must come.
    pub pace: Pace,
    /// How many connections there may be.
    pub connections: usize,
    /// How long a connection may rest between two requests.
    pub idle: Duration,
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
            log: read_log(values),
            storage: read_storage(values),
            http: read_http(values),
            notes: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

fn read_log(values: &mut Values<'_>) -> log::Settings {
    const LEVELS: [(&str, LevelFilter); 4] = [
        ("error", LevelFilter::ERROR),
        ("warn", LevelFilter::WARN),
        ("info", LevelFilter::INFO),
        ("debug", LevelFilter::DEBUG),
    ];
    const FORMATS: [(&str, log::Format); 3] = [
        ("text", log::Format::Text),
        ("json", log::Format::Json),
        ("logstash", log::Format::Logstash),
    ];
    let old = values.choice("loglevel", &LEVELS);
    let level = values.choice("log.level", &LEVELS).or(old);
    log::Settings {
        level: level.unwrap_or(LevelFilter::INFO),
        format: values.choice("log.formatter", &FORMATS).unwrap_or_default(),
        fields: values.node("log.fields").map(fields).unwrap_or_default(),
        access: !values.boolean("log.accesslog.disabled").unwrap_or(false),
    }
}

fn read_storage(values: &mut Values<'_>) -> Storage {
    const ROOT: &str = "/var/lib/registry";
    const LEAST_THREADS: usize = 25;
    if names_no_driver(values.node("storage")) {
        values.wrong(
            "storage",
            "no storage driver is named: expected `filesystem`",
        );
    }
    let root = values
        .text("storage.filesystem.rootdirectory")
        .unwrap_or(ROOT);
    let threads = values
        .number("storage.filesystem.maxthreads")
        .unwrap_or(100);
    let sparse = values.boolean("boxyard.manifests.sparse").unwrap_or(false);
    // It is the nearest that distribution has.
    let platforms = values.text("validation.manifests.indexes.platforms");
    Storage {
        root: PathBuf::from(root),
        database: values.text("database.path").map(PathBuf::from),
        threads: threads.max(LEAST_THREADS),
        delete: values.boolean("storage.delete.enabled").unwrap_or(false),
        sparse: sparse || platforms.is_some_and(|which| which.eq_ignore_ascii_case("none")),
    }
}

/// Whether `storage` has only the keys that say nothing about where; a driver of a wrong name has its own error.
fn names_no_driver(storage: Option<&Node>) -> bool {
    const OTHERS: [&str; 5] = ["cache", "delete", "maintenance", "redirect", "tag"];
    let names = storage.into_iter().flat_map(Node::entries);
    names
        .into_iter()
        .all(|(name, _)| OTHERS.contains(&name.as_str()))
}

fn read_http(values: &mut Values<'_>) -> Http {
    let pace = Pace::default();
    let relative = values.boolean("http.relativeurls").unwrap_or(false);
    let host = read_host(values).filter(|_| !relative);
    Http {
        address: values
            .text("http.addr")
            .unwrap_or("127.0.0.1:5000")
            .to_owned(),
        host,
        headers: read_headers(values),
        // Docker kills a container ten seconds after it was told to stop, and the tree wants its share of them.
        drain: values
            .duration("http.draintimeout")
            .filter(|drain| !drain.is_zero())
            .unwrap_or(Duration::from_secs(5)),
        http2: !values.boolean("http.http2.disabled").unwrap_or(false),
        pace: Pace {
            window: values
                .duration("boxyard.uploads.window")
                .unwrap_or(pace.window),
            bytes: values
                .number("boxyard.uploads.minimum")
                .map_or(pace.bytes, |bytes| bytes as u64),
        },
        connections: values
            .number("boxyard.connections.limit")
            .unwrap_or(4_096)
            .max(1),
        idle: values
            .duration("boxyard.connections.idletimeout")
            .unwrap_or(Duration::from_mins(2)),
    }
}

fn read_host(values: &mut Values<'_>) -> Option<String> {
    let text = values.text("http.host")?;
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let visible = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"<>\"?#".contains(&byte));
    if visible && rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')) {
        return Some(text.to_owned());
    }
    values.wrong(
        "http.host",
        &format!("`{text}` is no URL: expected one like `https://registry.example.com`"),
    );
    None
}

fn read_headers(values: &mut Values<'_>) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    let Some(node) = values.node("http.headers") else {
        return headers;
    };
    for (name, list) in node.entries() {
        for text in texts(list) {
            match (name.parse(), text.parse()) {
                (Ok(name), Ok(value)) => headers.push((name, value)),
                (Err(_), _) => {
                    values.wrong("http.headers", &format!("{name:?} is no name of a header"));
                }
                (_, Err(_)) => {
                    values.wrong("http.headers", &format!("{text:?} is no value of a header"));
                }
            }
        }
    }
    headers
}

/// The texts of a list; one alone needs no list around it.
fn texts(node: &Node) -> Vec<&str> {
    let nodes = node.items().iter().chain([node]);
    nodes
        .filter_map(|node| match &node.value {
            node::Value::Scalar(text) => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests;
