//! A client that costs as little as possible, so that the server is what is measured.

mod http1;
mod http2;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::Bytes;

/// How long a server may take for one answer.
const PATIENCE: Duration = Duration::from_mins(2);

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1.
    Plain,
    /// HTTP/1.1 over TLS.
    Tls,
    /// HTTP/2 over TLS.
    Http2,
}

/// Where a server is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) address: SocketAddr,
    pub(crate) protocol: Protocol,
}

/// A connection that stays open from request to request.
pub(crate) enum Connection {
    Http1(http1::Connection),
    Http2(Box<http2::Connection>),
}

/// An answer, of whose body only the length is kept.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) length: u64,
}

impl Protocol {
    pub(crate) fn is_encrypted(self) -> bool {
        self != Self::Plain
    }
}

impl Connection {
    /// Connects; each request shows `token`.
    pub(crate) fn open(way: Way, token: &str) -> io::Result<Self> {
        Ok(match way.protocol {
            Protocol::Plain | Protocol::Tls => Self::Http1(http1::Connection::open(way, token)?),
            Protocol::Http2 => Self::Http2(Box::new(http2::Connection::open(way, token)?)),
        })
    }

    /// Sends a request with these lines of headers and reads its answer to the end.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        target: &str,
        headers: &str,
        body: &Bytes,
    ) -> io::Result<Answer> {
        match self {
            Self::Http1(connection) => connection.ask(method, target, headers, body),
            Self::Http2(connection) => connection.ask(method, target, headers, body),
        }
    }

    /// The same, for a request that must be answered so.
    pub(crate) fn expect(
        &mut self,
        status: u16,
        (method, target): (&str, &str),
        headers: &str,
        body: &Bytes,
    ) -> io::Result<Answer> {
        let answer = self.ask(method, target, headers, body)?;
        if answer.status != status {
            let message = format!(
                "{method} {target} is answered {} instead of {status}",
                answer.status
            );
            return Err(io::Error::other(message));
        }
        Ok(answer)
    }

    /// An answer with its headers, as text, on a connection of its own.
    pub(crate) fn page(way: Way, target: &str) -> io::Result<String> {
        let mut stream = connect(way)?;
        let head = format!("GET {target} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }
}

fn connect(way: Way) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(way.address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}
