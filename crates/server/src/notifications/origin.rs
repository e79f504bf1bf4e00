//! Where a request comes from, as notifications say it.

use std::sync::Arc;

use http::header::{HOST, USER_AGENT};
use http::request::Parts;

use super::envelope::{Actor, Request};
use crate::external::External;
use crate::seen::Seen;

/// Where a request comes from; it travels with the request as one of its extensions.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// The id that the log gives the request.
    pub(crate) id: String,
    /// How it came; nothing for one from within.
    pub(crate) external: Option<External>,
    /// Who sent it, once that is known.
    pub(crate) seen: Arc<Seen>,
}

/// What an event says of the request that it is about.
#[derive(Debug)]
pub(crate) struct Told {
    pub(super) request: Request,
    pub(super) actor: Actor,
    /// What the URLs of targets begin with.
    pub(super) base: String,
}

impl Told {
    /// Reads what is told of a request.
    pub(crate) fn of(request: &Parts) -> Self {
        let origin = request.extensions.get::<Origin>();
        let external = origin.and_then(|origin| origin.external.as_ref());
        let authority = request.uri.authority().map(ToString::to_string);
        Self {
            request: Request {
                id: origin.map(|origin| origin.id.clone()).unwrap_or_default(),
                addr: external
                    .map(|external| external.client.to_string())
                    .unwrap_or_default(),
                host: authority.unwrap_or_else(|| header(request, &HOST)),
                method: request.method.to_string(),
                useragent: header(request, &USER_AGENT),
            },
            actor: Actor {
                name: origin.and_then(|origin| origin.seen.user().map(ToOwned::to_owned)),
            },
            base: external.map(External::base).unwrap_or_default(),
        }
    }
}

fn header(request: &Parts, name: &http::HeaderName) -> String {
    match request.headers.get(name) {
        Some(value) => String::from_utf8_lossy(value.as_bytes()).into_owned(),
        None => String::new(),
    }
}
