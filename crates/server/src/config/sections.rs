//! The sections of the configuration, one a file: its keys, and what they are read into.

pub(super) mod auth;
pub(super) mod cache;
pub(super) mod collect;
pub(super) mod debug;
pub(super) mod elsewhere;
pub(super) mod health;
pub(super) mod http;
pub(super) mod letsencrypt;
pub(super) mod limits;
pub(super) mod listings;
pub(super) mod log;
pub(super) mod notifications;
pub(super) mod proxies;
pub(super) mod rules;
pub(super) mod storage;
pub(super) mod stores;
pub(super) mod tls;
pub(super) mod token;
pub(super) mod tracing;

use super::key::Key;

/// Keys that belong together.
#[derive(Debug)]
pub(super) struct Section {
    /// As Markdown.
    pub(super) title: &'static str,
    /// What it is for: a sentence, as Markdown.
    pub(super) about: &'static str,
    pub(super) keys: &'static [Key],
}

const fn section(title: &'static str, about: &'static str, keys: &'static [Key]) -> Section {
    Section { title, about, keys }
}

/// Every section, in the order of distribution's reference; ours are at the end.
pub(super) const ALL: &[Section] = &[
    section("`version` and `log`", "What is logged, and how.", log::KEYS),
    section(
        "`storage` and `database`",
        "Where things are kept, and what may be done to them.",
        storage::KEYS,
    ),
    section("`storage.s3`", "A store that is not there yet.", stores::S3),
    section(
        "`storage.s3aws`",
        "The same by its older name.",
        stores::S3AWS,
    ),
    section(
        "`storage.azure`, `storage.gcs`, `storage.swift`, `storage.oss` and `storage.rados`",
        "Stores that are not there yet.",
        stores::OTHERS,
    ),
    section(
        "`auth` and `access`",
        "Who somebody is, and what they may do.",
        auth::KEYS,
    ),
    section(
        "`auth.token`",
        "Tokens that another server issues.",
        token::KEYS,
    ),
    section(
        "`http`",
        "Where the registry listens, and what its answers look like.",
        http::KEYS,
    ),
    section(
        "`http.tls`",
        "Certificates, and what is asked of connections.",
        tls::KEYS,
    ),
    section(
        "`http.tls.letsencrypt` and `boxyard.letsencrypt`",
        "Certificates from an ACME server.",
        letsencrypt::KEYS,
    ),
    section(
        "`http.debug`",
        "What only administrators ask for.",
        debug::KEYS,
    ),
    section(
        "`notifications`",
        "Who is told what happened.",
        notifications::KEYS,
    ),
    section(
        "`health`",
        "What must be well for the registry to serve.",
        health::KEYS,
    ),
    section(
        "`catalog` and `tags`",
        "How long a page of a list may be.",
        listings::KEYS,
    ),
    section(
        "`validation` and `policy`",
        "Which manifests are taken.",
        rules::KEYS,
    ),
    section(
        "`boxyard.uploads` and `boxyard.connections`",
        "What bounds clients.",
        limits::KEYS,
    ),
    section(
        "`boxyard.cache`",
        "How much memory what was read lately may take.",
        cache::KEYS,
    ),
    section(
        "`boxyard.collect`",
        "When what nothing uses any more goes.",
        collect::KEYS,
    ),
    section(
        "`boxyard.trustedproxies`",
        "Whose word about clients counts.",
        proxies::KEYS,
    ),
    section(
        "`boxyard.tracing`",
        "Where traces of requests go, if anywhere.",
        tracing::KEYS,
    ),
    section(
        "`middleware`, `proxy`, `redis`, `compatibility` and `reporting`",
        "Sections of distribution that do nothing here, or nothing yet.",
        elsewhere::KEYS,
    ),
];
