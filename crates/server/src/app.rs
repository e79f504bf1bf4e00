//! What every request needs.

use std::sync::Arc;

use boxyard_auth::{Action, Gate, Identity, List, Permit};
use boxyard_oci::RepoName;
use boxyard_registry::Registry;
use http::HeaderMap;

use crate::body::Pace;
use crate::error::ApiError;
use crate::external::Outside;
use crate::health::Health;
use crate::links::Links;
use crate::metrics::Metrics;

/// The registry as HTTP serves it.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) registry: Arc<Registry>,
    pub(crate) gate: Gate,
    pub(crate) links: Links,
    /// How requests are seen from outside.
    pub(crate) outside: Outside,
    pub(crate) limits: Limits,
    /// Headers that the configuration adds to every answer.
    pub(crate) headers: HeaderMap,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) health: Arc<Health>,
}

/// What bounds a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The largest manifest, in bytes.
    pub(crate) manifest_bytes: usize,
    /// How fast a body must come.
    pub(crate) pace: Pace,
}

impl App {
    /// The caller's right to do `A` in `repo`.
    pub(crate) fn permit<A: Action>(&self, repo: &RepoName) -> Result<Permit<A>, ApiError> {
        Ok(self.gate.permit(&Identity::Anonymous, repo)?)
    }

    /// The caller's right to read the names of all repositories.
    pub(crate) fn list(&self) -> Result<List, ApiError> {
        Ok(self.gate.list(&Identity::Anonymous)?)
    }
}
