//! The sections of the configuration, one a file: its keys, and what they are read into.

pub(super) mod auth;
pub(super) mod debug;
pub(super) mod elsewhere;
pub(super) mod health;
pub(super) mod http;
pub(super) mod limits;
pub(super) mod listings;
pub(super) mod log;
pub(super) mod notifications;
pub(super) mod proxies;
pub(super) mod rules;
pub(super) mod storage;
pub(super) mod tls;

use super::key::Key;

/// The keys of every section, in the order of distribution's reference; ours are at the end.
pub(super) const ALL: &[&[Key]] = &[
    log::KEYS,
    storage::KEYS,
    auth::KEYS,
    http::KEYS,
    tls::KEYS,
    debug::KEYS,
    notifications::KEYS,
    health::KEYS,
    listings::KEYS,
    rules::KEYS,
    limits::KEYS,
    proxies::KEYS,
    elsewhere::KEYS,
];
