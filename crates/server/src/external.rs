//! How the registry is seen from outside: by which URL this client reaches it, and where this client really is.

mod forwarded;

use http::HeaderValue;
use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use ipnet::IpNet;

use crate::peer::{Address, Peer};

/// What the configuration says of the way to clients.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outside {
    /// The URL by which every client reaches the registry, if the configuration has one.
    pub(crate) host: Option<String>,
    /// What all paths begin with, without a slash at the end; empty for none.
    pub(crate) prefix: String,
    pub(crate) proxies: Proxies,
}

/// Whose forwarded headers are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Networks of proxies.
    pub networks: Vec<IpNet>,
    /// Whether whoever may open our socket is a proxy.
    pub unix: bool,
}

/// How one request is seen from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct External {
    /// Where the client is: for logs and for counting.
    pub(crate) client: Address,
    base: Base,
}

/// By what a client reaches us; it is put together where somebody asks, since nearly no answer says it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Base {
    /// By what the configuration says.
    Configured(String),
    /// By what it asks for.
    Asked {
        scheme: &'static str,
        /// What the proxy says that it asks for.
        told: Option<Authority>,
        /// What it says itself, which may be nonsense.
        asked: Option<HeaderValue>,
        prefix: String,
    },
}

impl Proxies {
    pub(crate) fn trusts(&self, address: Address) -> bool {
        match address.ip() {
            Some(ip) => self.networks.iter().any(|network| network.contains(&ip)),
            None => self.unix,
        }
    }
}

impl Outside {
    /// What is left of a path without the prefix that all paths have.
    ///
    /// The root of the host is ours as well, because load balancers look there.
    pub(crate) fn within<'a>(&self, path: &'a str) -> Option<&'a str> {
        if path == "/" {
            return Some(path);
        }
        let rest = path.strip_prefix(&self.prefix)?;
        rest.starts_with('/').then_some(rest)
    }

    /// Looks at one request.
    pub(crate) fn of(&self, request: &Parts, peer: &Peer) -> External {
        let told = if self.proxies.trusts(peer.address) {
            forwarded::read(&request.headers, |ip| {
                self.proxies.trusts(Address::Told(ip))
            })
        } else {
            forwarded::Told::default()
        };
        let client = told.client.map_or(peer.address, Address::Told);
        if let Some(host) = &self.host {
            let base = Base::Configured(host.trim_end_matches('/').to_owned());
            return External { client, base };
        }
        let is_secure = match told.scheme.as_deref() {
            Some("https") => true,
            Some("http") => false,
            _ => peer.is_secure,
        };
        let scheme = if is_secure { "https" } else { "http" };
        let base = Base::Asked {
            scheme,
            told: told.host.and_then(|host| clean(host.as_bytes())),
            asked: asked(request),
            prefix: self.prefix.clone(),
        };
        External { client, base }
    }
}

impl External {
    /// The URL of the registry as this client sees it, without a slash at the end; empty where the client does not say.
    pub(crate) fn base(&self) -> String {
        match &self.base {
            Base::Configured(base) => base.clone(),
            Base::Asked {
                scheme,
                told,
                asked,
                prefix,
            } => {
                let asked = || asked.as_ref().and_then(|asked| clean(asked.as_bytes()));
                let authority = told.clone().or_else(asked);
                authority.map_or_else(String::new, |authority| {
                    format!("{scheme}://{authority}{prefix}")
                })
            }
        }
    }
}

/// The host that the request itself is for.
fn asked(request: &Parts) -> Option<HeaderValue> {
    match request.uri.authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => request.headers.get(HOST).cloned(),
    }
}

/// A host and perhaps a port, but no name of a user.
fn clean(bytes: &[u8]) -> Option<Authority> {
    let authority = Authority::try_from(bytes).ok()?;
    (!bytes.contains(&b'@')).then_some(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> Parts {
        let request = headers
            .iter()
            .fold(http::Request::builder(), |request, (name, value)| {
                request.header(*name, *value)
            });
        request.body(()).unwrap().into_parts().0
    }

    fn behind(network: &str) -> Outside {
        Outside {
            proxies: Proxies {
                networks: vec![network.parse().unwrap()],
                unix: false,
            },
            ..Outside::default()
        }
    }

    fn peer(address: &str) -> Peer {
        Peer::plain(Address::tcp(address.parse().unwrap()))
    }

    const FORWARDED: &[(&str, &str)] = &[
        ("host", "inner:5000"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "r.example"),
    ];

    #[test]
    fn a_client_reaches_us_by_what_it_asks_for() {
        let mut secure = peer("192.0.2.1:7");
        secure.is_secure = true;
        let request = request(&[("host", "r.example:5000")]);

        let plain = Outside::default().of(&request, &peer("192.0.2.1:7"));
        let secure = Outside::default().of(&request, &secure);

        assert_eq!(plain.base(), "http://r.example:5000");
        assert_eq!(secure.base(), "https://r.example:5000");
        assert_eq!(plain.client.to_string(), "192.0.2.1:7");
    }

    #[test]
    fn proxies_are_believed_and_others_are_not() {
        let request = request(FORWARDED);

        let proxied = behind("10.0.0.0/8").of(&request, &peer("10.1.2.3:7"));
        let forged = behind("10.0.0.0/8").of(&request, &peer("192.0.2.66:7"));

        assert_eq!(proxied.base(), "https://r.example");
        assert_eq!(proxied.client.to_string(), "192.0.2.1");
        assert_eq!(forged.base(), "http://inner:5000");
        assert_eq!(forged.client.to_string(), "192.0.2.66:7");
    }

    #[test]
    fn a_proxy_on_our_socket_is_believed_where_the_configuration_says_so() {
        let request = request(FORWARDED);
        let peer = Peer::plain(Address::Unix);
        let mut outside = Outside::default();

        let before = outside.of(&request, &peer);
        outside.proxies.unix = true;
        let after = outside.of(&request, &peer);

        assert_eq!(before.client, Address::Unix);
        assert_eq!(after.client.to_string(), "192.0.2.1");
    }

    #[test]
    fn a_configured_url_counts_more_than_what_anybody_says() {
        let mut outside = behind("10.0.0.0/8");
        outside.host = Some("https://public.example/".to_owned());

        let external = outside.of(&request(FORWARDED), &peer("10.1.2.3:7"));

        assert_eq!(external.base(), "https://public.example");
        assert_eq!(external.client.to_string(), "192.0.2.1");
    }

    #[test]
    fn nonsense_of_a_proxy_is_not_passed_on() {
        let request = request(&[
            ("host", "inner"),
            ("x-forwarded-proto", "javascript"),
            ("x-forwarded-host", "a@b"),
        ]);

        let external = behind("10.0.0.0/8").of(&request, &peer("10.1.2.3:7"));

        assert_eq!(external.base(), "http://inner");
    }

    #[test]
    fn paths_are_those_below_the_prefix() {
        let within = |path| {
            let prefix = "/registry".to_owned();
            let outside = Outside {
                prefix,
                ..Outside::default()
            };
            outside.within(path).map(str::to_owned)
        };

        assert_eq!(within("/registry/v2/").as_deref(), Some("/v2/"));
        assert_eq!(within("/registry/").as_deref(), Some("/"));
        assert_eq!(within("/").as_deref(), Some("/"));
        for other in ["/v2/", "/registryx/v2/", "/registry", "*"] {
            assert_eq!(within(other), None, "{other}");
        }
        assert_eq!(Outside::default().within("/v2/"), Some("/v2/"));
    }

    #[test]
    fn the_prefix_belongs_to_the_url() {
        let outside = Outside {
            prefix: "/registry".to_owned(),
            ..Outside::default()
        };

        let named = outside.of(&request(&[("host", "a")]), &peer("192.0.2.1:7"));
        let nameless = outside.of(&request(&[]), &peer("192.0.2.1:7"));

        assert_eq!(named.base(), "http://a/registry");
        assert_eq!(nameless.base(), "");
    }
}
