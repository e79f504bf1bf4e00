//! What every request needs.

use std::sync::Arc;

use boxyard_oci::RepoName;
use boxyard_registry::{Happening, Registry, Teller};
use http::HeaderMap;
use http::request::Parts;

use crate::access::Access;
use crate::body::Pace;
use crate::config::Pages;
use crate::external::Outside;
use crate::health::Health;
use crate::links::Links;
use crate::metrics::Metrics;
use crate::notifications::{Notifier, Told};
use crate::traces::Traces;

/// The registry as HTTP serves it.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) registry: Arc<Registry>,
    /// Who may do what.
    pub(crate) access: Access,
    pub(crate) links: Links,
    /// How requests are seen from outside.
    pub(crate) outside: Outside,
    pub(crate) limits: Limits,
    /// Tells others what happens.
    pub(crate) notifier: Notifier,
    /// Headers that the configuration adds to every answer.
    pub(crate) headers: HeaderMap,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) health: Arc<Health>,
    pub(crate) traces: Traces,
}

/// What bounds a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The largest manifest, in bytes.
    pub(crate) manifest_bytes: usize,
    /// How fast a body must come.
    pub(crate) pace: Pace,
    /// Whether nobody may write.
    pub(crate) read_only: bool,
    /// How long pages may be.
    pub(crate) pages: Pages,
}

impl App {
    /// Whether anything will ask where this request comes from: those who are told of it, or the start page.
    pub(crate) fn asks_for_origin(&self, request: &Parts) -> bool {
        self.notifier.listens() || request.uri.path().ends_with('/')
    }

    /// Who tells of what this request changes.
    pub(crate) fn teller(&self, request: &Parts) -> Arc<dyn Teller> {
        self.notifier.teller(|| Told::of(request))
    }

    /// Tells of what this request pulls.
    pub(crate) fn pulled(&self, request: &Parts, repo: &RepoName, pull: Happening<'_>) {
        self.notifier.pulled(repo, pull, || Told::of(request));
    }
}
