//! Where to listen: what a service manager has opened already, an address, or a path.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use tokio::net::{TcpListener, TcpSocket, UnixListener, lookup_host};

use super::path::{self, PathError, SocketPath};
use super::socket::Socket;
use crate::config::{Http, Network};
use crate::peer::Address;

/// Connections that the kernel keeps for us until we accept them.
pub(super) const BACKLOG: u32 = 1_024;

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
    /// The path is taken, or not ours.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The service manager has opened something else than one socket for connections.
    #[error("take the socket that the service manager has opened (`LISTEN_FDS`)")]
    Activation(#[source] io::Error),
    /// It has opened several.
    #[error("the service manager has opened {count} sockets (`LISTEN_FDS`): expected one")]
    Several {
        /// How many.
        count: usize,
    },
}

/// A listener and the place that it got.
#[derive(Debug)]
pub(crate) struct Bound {
    listener: Listener,
    pub(crate) place: Place,
    /// Removed when nobody listens any more, if it is ours.
    _path: Option<SocketPath>,
}

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Where a registry listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An address.
    Tcp(SocketAddr),
    /// A path; none where somebody else has opened it and it has no name.
    Unix(Option<PathBuf>),
}

impl Place {
    /// Whether only this machine reaches it.
    pub(crate) fn is_near(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
        }
    }

    /// The same as a client on this machine has it.
    pub(crate) fn reachable(&self) -> Self {
        match self {
            Self::Tcp(address) if address.ip().is_unspecified() => {
                Self::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())))
            }
            place => place.clone(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(formatter),
            Self::Unix(Some(path)) => path.display().fmt(formatter),
            Self::Unix(None) => formatter.write_str("a socket without a name"),
        }
    }
}

impl Bound {
    /// The next connection.
    pub(crate) async fn accept(&self) -> io::Result<(Socket, Address)> {
        match &self.listener {
            Listener::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok((Socket::from(stream), Address::tcp(address)))
            }
            Listener::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Socket::from(stream), Address::Unix))
            }
        }
    }

    fn tcp(listener: TcpListener) -> io::Result<Self> {
        Ok(Self {
            place: Place::Tcp(listener.local_addr()?),
            listener: Listener::Tcp(listener),
            _path: None,
        })
    }

    fn unix(listener: UnixListener, path: Option<SocketPath>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        Ok(Self {
            place: Place::Unix(address.as_pathname().map(Path::to_owned)),
            listener: Listener::Unix(listener),
            _path: path,
        })
    }
}

/// Listens as the configuration says, unless a service manager has opened a socket for us.
pub(crate) async fn bind(http: &Http) -> Result<Bound, BindError> {
    if let Some(bound) = activated(ListenFd::from_env())? {
        tracing::info!(place = %bound.place, "listening on the socket that the service manager has opened, not on `http.addr`");
        return Ok(bound);
    }
    match http.network {
        Network::Tcp => tcp(&http.address).await,
        Network::Unix => {
            let path = Path::new(&http.address);
            let (listener, file) = path::listen(path, http.socket_mode)?;
            let failed = |source| BindError::Listen {
                address: http.address.clone(),
                source,
            };
            Bound::unix(listener, Some(file)).map_err(failed)
        }
    }
}

/// The one socket that was opened for us, if any was.
fn activated(mut opened: ListenFd) -> Result<Option<Bound>, BindError> {
    match opened.len() {
        0 => return Ok(None),
        1 => {}
        count => return Err(BindError::Several { count }),
    }
    let mut take = || {
        if let Ok(Some(listener)) = opened.take_tcp_listener(0) {
            listener.set_nonblocking(true)?;
            return Bound::tcp(TcpListener::from_std(listener)?).map(Some);
        }
        let Some(listener) = opened.take_unix_listener(0)? else {
            return Ok(None);
        };
        listener.set_nonblocking(true)?;
        Bound::unix(UnixListener::from_std(listener)?, None).map(Some)
    };
    take().map_err(BindError::Activation)
}

/// Listens on `address`, which is as Go has it: `:5000` is every address of the machine.
async fn tcp(address: &str) -> Result<Bound, BindError> {
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
    Bound::tcp(socket.listen(BACKLOG)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_alone_is_every_address() {
        let bound = tcp(":0").await.unwrap();

        assert!(!bound.place.is_near());
    }

    #[tokio::test]
    async fn a_name_is_looked_up() {
        let bound = tcp("localhost:0").await.unwrap();

        assert!(bound.place.is_near());
    }

    #[tokio::test]
    async fn a_taken_address_is_named() {
        let taken = tcp("127.0.0.1:0").await.unwrap();
        let address = taken.place.to_string();

        let error = tcp(&address).await.unwrap_err();

        assert!(error.to_string().contains(&address), "{error}");
    }

    #[test]
    fn every_address_is_reached_by_the_local_one() {
        let reached = |text: &str| {
            let place = Place::Tcp(text.parse().unwrap());
            place.reachable().to_string()
        };

        assert_eq!(reached("[::]:5000"), "127.0.0.1:5000");
        assert_eq!(reached("192.0.2.1:80"), "192.0.2.1:80");
    }
}
