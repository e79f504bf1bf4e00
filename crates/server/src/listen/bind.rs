//! Where to listen.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket, lookup_host};

use super::socket::Socket;
use crate::peer::Address;

/// Connections that the kernel keeps for us until we accept them.
const BACKLOG: u32 = 1_024;

/// Why the address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address means nothing.
    #[error("find `{address}`, which `http.addr` names")]
    Lookup {
        /// What the configuration says.
        address: String,
        /// Why it was not found.
        #[source]
        source: io::Error,
    },
    /// The name has no address.
    #[error("`{address}`, which `http.addr` names, has no address")]
    Nothing {
        /// What the configuration says.
        address: String,
    },
    /// The address is taken, or not ours.
    #[error("listen on `{address}`, which `http.addr` names")]
    Listen {
        /// What the configuration says.
        address: String,
        /// Why it cannot be listened on.
        #[source]
        source: io::Error,
    },
}

/// A listener and the address that it got.
#[derive(Debug)]
pub(crate) struct Bound {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Bound {
    /// The next connection.
    pub(crate) async fn accept(&self) -> io::Result<(Socket, Address)> {
        let (stream, address) = self.listener.accept().await?;
        Ok((Socket::from(stream), Address::tcp(address)))
    }
}

/// Listens on `address`, which is as Go has it: `:5000` is every address of the machine.
pub(crate) async fn bind(address: &str) -> Result<Bound, BindError> {
    let failed = |source| BindError::Listen {
        address: address.to_owned(),
        source,
    };
    if let Some(port) = address.strip_prefix(':') {
        let everywhere = |host: &str| format!("{host}:{port}");
        // A kernel without IPv6 still has the other half.
        return match open(&everywhere("[::]")).await {
            Err(error) if has_no_ipv6(&error) => open(&everywhere("0.0.0.0")).await.map_err(failed),
            opened => opened.map_err(failed),
        };
    }
    let found = lookup_host(address)
        .await
        .map_err(|source| BindError::Lookup {
            address: address.to_owned(),
            source,
        })?;
    let mut found: Vec<SocketAddr> = found.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    let first = found.first().ok_or_else(|| BindError::Nothing {
        address: address.to_owned(),
    })?;
    listen(*first).map_err(failed)
}

async fn open(address: &str) -> io::Result<Bound> {
    match lookup_host(address).await?.next() {
        Some(address) => listen(address),
        None => Err(io::Error::from(io::ErrorKind::AddrNotAvailable)),
    }
}

fn has_no_ipv6(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Unsupported | io::ErrorKind::AddrNotAvailable
    )
}

fn listen(address: SocketAddr) -> io::Result<Bound> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit it, and so notice a client that has lost its network.
    socket.set_keepalive(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    Ok(Bound {
        address: listener.local_addr()?,
        listener,
    })
}

/// Where a client on this machine reaches the listener.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()))
    } else {
        address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_alone_is_every_address() {
        let bound = bind(":0").await.unwrap();

        assert!(bound.address.ip().is_unspecified());
    }

    #[tokio::test]
    async fn a_name_is_looked_up() {
        let bound = bind("localhost:0").await.unwrap();

        assert!(bound.address.ip().is_loopback());
    }

    #[tokio::test]
    async fn a_taken_address_is_named() {
        let taken = bind("127.0.0.1:0").await.unwrap();
        let address = taken.address.to_string();

        let error = bind(&address).await.unwrap_err();

        assert!(error.to_string().contains(&address), "{error}");
    }

    #[test]
    fn every_address_is_reached_by_the_local_one() {
        let reached = |text: &str| reachable(text.parse().unwrap()).to_string();

        assert_eq!(reached("[::]:5000"), "127.0.0.1:5000");
        assert_eq!(reached("192.0.2.1:80"), "192.0.2.1:80");
    }
}
