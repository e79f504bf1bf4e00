//! Who is at the other end of a connection.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;

/// The other end of one connection: a client, or a proxy in front of it.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: Address,
    /// Whether the connection is encrypted.
    pub(crate) is_secure: bool,
    /// The certificate by which it has shown who it is, with the chain that leads to a CA of the configuration.
    ///
    /// It is empty unless the chain was verified: a certificate that anybody can make shows nothing.
    pub(crate) certificates: Arc<[CertificateDer<'static>]>,
}

/// From where somebody speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Address {
    /// The other end of a TCP connection.
    Tcp(SocketAddr),
    /// What a trusted proxy says of its client.
    Told(IpAddr),
    /// Somebody on this machine who may open our socket.
    Unix,
}

impl Peer {
    /// Somebody of whom only the address is known.
    pub(crate) fn plain(address: Address) -> Self {
        Self {
            address,
            is_secure: false,
            certificates: Arc::new([]),
        }
    }
}

impl Address {
    /// The address of a TCP connection; a listener for both families sees those of IPv4 as parts of IPv6.
    pub(crate) fn tcp(address: SocketAddr) -> Self {
        Self::Tcp(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }

    /// The address without a port, by which clients are counted.
    pub(crate) fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Tcp(address) => Some(address.ip()),
            Self::Told(ip) => Some(ip),
            Self::Unix => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(formatter),
            Self::Told(ip) => ip.fmt(formatter),
            Self::Unix => formatter.write_str("unix"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_ipv4_is_one_whatever_the_listener_is() {
        let address = Address::tcp("[::ffff:192.0.2.1]:7".parse().unwrap());

        assert_eq!(address.to_string(), "192.0.2.1:7");
        assert_eq!(address.ip(), Some("192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn a_socket_of_this_machine_has_no_address() {
        assert_eq!(Address::Unix.ip(), None);
        assert_eq!(Address::Unix.to_string(), "unix");
    }
}
