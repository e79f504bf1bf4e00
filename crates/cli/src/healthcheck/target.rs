//! Whom to ask for what.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use boxyard_server::Config;
use boxyard_server::config::Network;

/// A registry, and a path of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) place: Place,
    pub(super) is_secure: bool,
    pub(super) path: String,
}

/// Where it listens.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A host and a port.
    Tcp { host: String, port: u16 },
    /// A path of this machine.
    Unix(PathBuf),
}

impl Target {
    pub(super) fn of_url(url: &str) -> anyhow::Result<Self> {
        if let Some(path) = url.strip_prefix("unix:") {
            return Ok(Self {
                place: Place::Unix(path.trim_start_matches("//").into()),
                is_secure: false,
                path: "/v2/".to_owned(),
            });
        }
        let (rest, is_secure) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (rest, false),
            (_, rest) => (
                rest.with_context(|| {
                    format!(
                        "`{url}` is no URL that can be asked: expected `http://…`, `https://…` or `unix:/…`"
                    )
                })?,
                true,
            ),
        };
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/v2/"),
        };
        let (host, port) = split(authority, if is_secure { 443 } else { 80 });
        ensure!(!host.is_empty(), "`{url}` names no host");
        Ok(Self {
            place: Place::Tcp { host, port },
            is_secure,
            path: path.to_owned(),
        })
    }

    pub(super) fn of_config(config: &Config) -> Self {
        let address = &config.http.address;
        let place = match config.http.network {
            Network::Tcp => Self::place_of(address),
            Network::Unix => Place::Unix(address.into()),
        };
        Self {
            place,
            is_secure: config.tls.is_some(),
            path: format!("{}/v2/", config.http.prefix),
        }
    }

    /// A registry that listens on every address is asked on this machine's own.
    fn place_of(address: &str) -> Place {
        let (host, port) = split(address, 80);
        let host = match host.as_str() {
            "" | "0.0.0.0" | "[::]" => "127.0.0.1".to_owned(),
            _ => host,
        };
        Place::Tcp { host, port }
    }
}

/// The host, with its brackets where it is of IPv6, and the port.
fn split(authority: &str, port: u16) -> (String, u16) {
    match authority.rsplit_once(':') {
        Some((host, number)) if !number.ends_with(']') => {
            (host.to_owned(), number.parse().unwrap_or(port))
        }
        _ => (authority.to_owned(), port),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "https" } else { "http" };
        match &self.place {
            Place::Tcp { host, port } => {
                write!(formatter, "{scheme}://{host}:{port}{}", self.path)
            }
            Place::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> String {
        Target::of_url(url).unwrap().to_string()
    }

    #[test]
    fn a_url_names_host_port_and_path() {
        assert_eq!(of("http://a:5000/v2/"), "http://a:5000/v2/");
        assert_eq!(of("http://a"), "http://a:80/v2/");
        assert_eq!(of("https://a"), "https://a:443/v2/");
        assert_eq!(of("http://[::1]/x"), "http://[::1]:80/x");
        assert_eq!(of("unix:/run/r.sock"), "unix:/run/r.sock");
        assert_eq!(of("unix:///run/r.sock"), "unix:/run/r.sock");
        for wrong in ["ftp://a", "a:5000", "http://", "https:///v2/"] {
            assert!(Target::of_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_address_to_listen_on_is_one_to_ask() {
        let of = |address| match Target::place_of(address) {
            Place::Tcp { host, port } => format!("{host}:{port}"),
            Place::Unix(path) => path.display().to_string(),
        };

        assert_eq!(of(":5000"), "127.0.0.1:5000");
        assert_eq!(of("0.0.0.0:5000"), "127.0.0.1:5000");
        assert_eq!(of("[::]:5000"), "127.0.0.1:5000");
        assert_eq!(of("[::1]:5000"), "[::1]:5000");
        assert_eq!(of("localhost:80"), "localhost:80");
    }
}
