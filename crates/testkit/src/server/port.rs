//! A port that stays ours while the server is down.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use crate::http::{Connection, Request};
use rustix::net::{AddressFamily, SocketAddrAny, SocketFlags, SocketType};

/// A free port on the loopback interface.
///
/// A socket is bound to it that never listens. The server may bind as well, as both allow reuse, but the kernel gives
/// the port to nobody who asks for any free one, so tests side by side do not take each other's between two runs.
#[derive(Debug)]
pub(super) struct Port {
    address: SocketAddr,
    _bound: OwnedFd,
}

impl Port {
    pub(super) fn reserve() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        let bound = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        rustix::net::sockopt::set_socket_reuseaddr(&bound, true)?;
        rustix::net::bind(&bound, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = SocketAddr::try_from(rustix::net::getsockname(&bound)? as SocketAddrAny)?;
        Ok(Self {
            address,
            _bound: bound,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Whether a server answers there and is done with starting.
pub(super) fn answers(address: SocketAddr) -> bool {
    let mut request = Request::new("GET", "/v2/").header("Host", &address.to_string());
    Connection::open(address)
        .and_then(|mut connection| connection.send(&mut request))
        .is_ok_and(|response| response.status < 500)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_server_can_listen_on_it_and_nobody_is_there_before() {
        let port = Port::reserve().unwrap();

        assert!(TcpStream::connect(port.address()).is_err());
        let _server = TcpListener::bind(port.address()).unwrap();
        assert!(TcpStream::connect(port.address()).is_ok());
    }
}
