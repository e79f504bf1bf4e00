//! `http.debug`: what only administrators ask for.

use crate::config::key::{Form, Key, works};
use crate::config::values::Values;

pub(in crate::config) const KEYS: &[Key] = &[
    works(
        "http.debug.addr",
        "",
        "Where administrators reach metrics, health and the level of the log; it has neither access control nor TLS.",
    ).form(Form::Text),
    works(
        "http.debug.prometheus.enabled",
        "`false`",
        "Counts requests, and serves what is counted on `http.debug.addr`.",
    ).form(Form::Boolean),
    works(
        "http.debug.prometheus.path",
        "`/metrics`",
        "The path under which Prometheus asks for it.",
    ).form(Form::Text),
];

/// What only administrators ask for.
#[derive(Clone, Debug)]
pub struct Debug {
    /// Where they are answered; without it nowhere.
    pub address: Option<String>,
    /// The path of the metrics, if they are served.
    pub metrics: Option<String>,
}

pub(in crate::config) fn read(values: &mut Values<'_>) -> Debug {
    let address = values.address("http.debug.addr").map(ToOwned::to_owned);
    let enabled = values.boolean("http.debug.prometheus.enabled");
    let path = values.text("http.debug.prometheus.path");
    if path.is_some_and(|path| !path.starts_with('/')) {
        values.wrong(
            "http.debug.prometheus.path",
            "expected a path, such as `/metrics`",
        );
    }
    Debug {
        metrics: enabled
            .filter(|enabled| *enabled && address.is_some())
            .map(|_| path.unwrap_or("/metrics").to_owned()),
        address,
    }
}
