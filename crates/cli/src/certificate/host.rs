//! Names and addresses of a registry, as people write them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// By what clients reach the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    pub(super) name: Name,
    port: Option<u16>,
}

/// A name or an address, without its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// A DNS name in lower case, perhaps with `*` as its first label.
    Dns(String),
    /// An address.
    Address(IpAddr),
}

/// Why something is no host.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    /// It is a URL.
    #[error("expected a host, perhaps with a port, and no URL: leave `{0}` away")]
    Url(String),
    /// What comes after the colon is no port.
    #[error("`{0}` is no port: expected a number from 1 to 65535")]
    Port(String),
    /// The rest is neither a name nor an address.
    #[error(
        "`{0}` is neither a DNS name nor an IP address: expected such as `registry.example.com`, \
         `*.example.com`, `192.0.2.7` or `[2001:db8::7]`"
    )]
    Name(String),
}

impl Host {
    /// The host and port by which an image is named, as in `HOST:PORT/image`, and which clients call their folders.
    ///
    /// Clients leave the port of HTTPS away where the name of the image does.
    pub(super) fn authority(&self, port: u16) -> String {
        match self.port.unwrap_or(port) {
            443 => self.name.to_string(),
            port => format!("{}:{port}", self.name),
        }
    }

    /// The port that was given with it.
    pub(super) fn port(&self) -> Option<u16> {
        self.port
    }

    /// What the files of its certificate are called.
    pub(super) fn file_name(&self) -> String {
        match &self.name {
            Name::Dns(name) => name.replace('*', "_"),
            Name::Address(address) => address.to_string().replace(':', "-"),
        }
    }
}

impl Name {
    /// Whether it stands for many names, so that no client has a folder for it.
    pub(super) fn is_wildcard(&self) -> bool {
        matches!(self, Self::Dns(name) if name.starts_with('*'))
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(HostError::Url(format!("{scheme}://")));
        }
        // An IPv6 address without brackets has colons of its own.
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            let name = Name::Address(address.into());
            return Ok(Self { name, port: None });
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, Some(parse_port(port)?)),
            _ => (text, None),
        };
        let name = parse_name(name).ok_or_else(|| HostError::Name(text.to_owned()))?;
        Ok(Self { name, port })
    }
}

fn parse_port(port: &str) -> Result<u16, HostError> {
    match port.parse() {
        Ok(0) | Err(_) => Err(HostError::Port(port.to_owned())),
        Ok(port) => Ok(port),
    }
}

fn parse_name(text: &str) -> Option<Name> {
    if let Some(inner) = text.strip_prefix('[') {
        let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
        return Some(Name::Address(address.into()));
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(Name::Address(address));
    }
    let name = text.to_ascii_lowercase();
    let plain = name.strip_prefix("*.").unwrap_or(&name);
    let mut labels = plain.split('.');
    let fits = name.len() <= 253 && labels.clone().all(is_label);
    // What ends in a number is an address that somebody mistyped.
    let is_number = labels
        .next_back()?
        .bytes()
        .all(|byte| byte.is_ascii_digit());
    (fits && !is_number).then_some(Name::Dns(name))
}

fn is_label(label: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=63).contains(&label.len())
        && label.bytes().all(inside)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(formatter)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => formatter.write_str(name),
            Self::Address(IpAddr::V6(address)) => write!(formatter, "[{address}]"),
            Self::Address(IpAddr::V4(address)) => address.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(text: &str) -> String {
        text.parse::<Host>().unwrap().authority(5000)
    }

    #[test]
    fn names_and_addresses_have_a_port_of_their_own_or_the_usual_one() {
        for (written, named) in [
            ("registry.example.com", "registry.example.com:5000"),
            ("Registry.Example.com:8443", "registry.example.com:8443"),
            ("registry.lan:443", "registry.lan"),
            ("192.0.2.7", "192.0.2.7:5000"),
            ("192.0.2.7:443", "192.0.2.7"),
            ("2001:db8::7", "[2001:db8::7]:5000"),
            ("[2001:db8::7]", "[2001:db8::7]:5000"),
            ("[2001:db8::7]:1", "[2001:db8::7]:1"),
            ("*.example.com", "*.example.com:5000"),
            ("localhost", "localhost:5000"),
        ] {
            assert_eq!(authority(written), named, "{written}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            ".",
            "a..b",
            "*",
            "*.",
            "a.*.b",
            "-a.b",
            "a-.b",
            "a_b",
            "a b",
            "ä.example",
            "192.0.2",
            "1.2.3.4.5",
            "[192.0.2.7]",
            "[::1",
            "a/b",
            "../a",
            "a:",
            "a:0",
            "a:65536",
            "a:b",
            "https://a",
            "a.",
        ] {
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
        assert!(
            format!("{}.example", "a".repeat(64))
                .parse::<Host>()
                .is_err()
        );
    }

    #[test]
    fn a_file_is_named_without_what_shells_and_filesystems_read_otherwise() {
        for (written, file) in [
            ("*.example.com", "_.example.com"),
            ("2001:db8::7", "2001-db8--7"),
            ("a.example:1", "a.example"),
        ] {
            assert_eq!(written.parse::<Host>().unwrap().file_name(), file);
        }
    }
}
