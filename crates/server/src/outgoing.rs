//! Clients by which the registry itself asks other servers.

use std::net::IpAddr;

use reqwest::{Client, ClientBuilder, Url};

/// Begins a client for one server.
///
/// A server on this machine is asked directly, whatever proxy the environment names: programs in Go do so, distribution among them, and a proxy elsewhere could not reach it.
pub(crate) fn client_for(url: &Url) -> ClientBuilder {
    if is_near(url) {
        Client::builder().no_proxy()
    } else {
        Client::builder()
    }
}

/// Whether the URL names this machine, by a literal address or as `localhost`.
pub(crate) fn is_near(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<IpAddr>();
    address.map_or(host == "localhost", |address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_its_names() {
        let near = |url: &str| is_near(&url.parse().unwrap());

        assert!(near("http://127.0.0.1:1/x") && near("http://127.9.9.9/"));
        assert!(near("https://[::1]:1/") && near("http://LOCALHOST/"));
        assert!(!near("http://192.0.2.1/") && !near("http://localhost.example.com/"));
    }
}
