//! Distribution's `config.yml`, and what is asked of it.

mod check;
mod contents;
pub(crate) mod duration;
mod environment;
mod explain;
mod files;
mod key;
mod keys;
mod kubernetes;
mod node;
mod path;
mod problem;
mod reading;
mod reference;
mod secret;
mod sections;
mod size;
mod values;
mod yaml;

use std::path::PathBuf;

pub use check::Effect;
pub use explain::{Explanation, Row, Setting, explain, explain_bytes};
pub use files::{FileError, ReadValue};
pub use problem::{ConfigError, Problem};
pub use reference::reference;
pub use secret::Secret;
pub use sections::auth::{Auth, PasswordFile};
pub use sections::debug::Debug;
pub use sections::health::{Check, CheckSubject, HttpProbe};
pub use sections::http::{Http, Network};
pub use sections::letsencrypt::LetsEncrypt;
pub use sections::limits::Limits;
pub use sections::listings::Pages;
pub use sections::notifications::{Address, Endpoint, Notifications};
pub use sections::rules::Rules;
pub use sections::storage::Storage;
pub use sections::tls::{Clients, Source, Tls};
pub use sections::token::{Realm, TokenAuth};
pub use sections::tracing::Tracing;

use boxyard_registry::Collecting;

use crate::external::Proxies;
use crate::log;
use reading::Reading;
use values::Values;

/// A configuration that can be served by.
#[derive(Clone, Debug)]
pub struct Config {
    /// What is logged, and how.
    pub log: log::Settings,
    /// Where things are kept.
    pub storage: Storage,
    /// Who somebody is, and what they may do.
    pub auth: Auth,
    /// How they are served.
    pub http: Http,
    /// What only administrators ask for.
    pub debug: Debug,
    /// What must be well.
    pub health: Vec<Check>,
    /// Who is told what happens.
    pub notifications: Notifications,
    /// How connections are encrypted, if they are.
    pub tls: Option<Tls>,
    /// Which manifests are taken.
    pub rules: Rules,
    /// How many bytes of memory what was read lately may take, where that is said.
    pub cache: Option<usize>,
    /// When what nothing uses any more goes.
    pub collecting: Collecting,
    /// What bounds clients.
    pub limits: Limits,
    /// Whose word about clients counts.
    pub proxies: Proxies,
    /// Whether requests are traced, and where the traces go.
    pub tracing: Tracing,
    /// How long pages of lists may be.
    pub pages: Pages,
    /// What in the configuration has no effect, for the log.
    pub notes: Vec<String>,
    /// What in the environment means nothing, for the log.
    pub warnings: Vec<String>,
    /// What others than people have put into the environment, for the log of who looks closely.
    pub quiet: Vec<String>,
}

/// Where a configuration comes from, and what is asked of it.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file; without one the defaults hold.
    pub path: Option<PathBuf>,
    /// The variables of the environment.
    pub variables: Vec<(String, String)>,
    /// The names of variables whose values are no text.
    pub not_text: Vec<String>,
    /// Whether what is unknown is only a warning.
    pub lenient: bool,
    /// Whether what only a server needs, such as its certificates, must be there.
    pub serves: bool,
}

impl Config {
    /// Reads the file, or the defaults without one, and puts the variables over it.
    ///
    /// Everything that is wrong is found before anything is said.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        Reading::of(sources)?.config(sources)
    }

    /// Reads these bytes instead of a file, and no other file but by `files`.
    pub fn of_bytes(
        bytes: &[u8],
        sources: &Sources,
        files: ReadValue,
    ) -> Result<Self, ConfigError> {
        Reading::of_bytes(bytes, sources, files)?.config(sources)
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
            auth: sections::auth::read(values),
            http: sections::http::read(values),
            debug: sections::debug::read(values),
            health: sections::health::read(values),
            notifications: sections::notifications::read(values),
            tls: sections::tls::read(values),
            rules: sections::rules::read(values),
            cache: sections::cache::read(values),
            collecting: sections::collect::read(values),
            limits: sections::limits::read(values),
            pages: sections::listings::read(values),
            proxies: sections::proxies::read(values),
            tracing: sections::tracing::read(values),
            notes: Vec::new(),
            warnings: Vec::new(),
            quiet: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
