//! A small blocking HTTP/1.1 client that also sends what no well-behaved client would.
//!
//! [`Connection::send`] is the polite way. [`Connection::write`], [`Connection::trickle`], [`Connection::half_close`]
//! and [`Connection::reset`] are the others; [`Connection::read_response`] reads what comes back to any of them.

mod read;
mod request;
mod response;

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use bytes::Bytes;

use read::{Framing, copy_body, read_head};
pub use request::{Body, Request};
pub use response::{Headers, Response};

/// How long a peer may be silent before a test gives up on it.
const PATIENCE: Duration = Duration::from_mins(1);

/// A connection to a server, kept open from request to request.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    open: bool,
}

impl Connection {
    /// Connects to `address`.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream: BufReader::new(stream),
            open: true,
        })
    }

    /// Whether the last response left the connection open for another request.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Gives up on a peer that is silent for longer than this.
    pub fn set_patience(&self, patience: Duration) -> io::Result<()> {
        self.stream.get_ref().set_read_timeout(Some(patience))
    }

    /// Sends a request and reads its response.
    pub fn send(&mut self, request: &mut Request<'_>) -> io::Result<Response> {
        let mut body = Vec::new();
        let mut response = self.send_into(request, &mut body)?;
        response.body = Bytes::from(body);
        Ok(response)
    }

    /// Sends a request and copies the body of its response into `sink`; the response holds none.
    ///
    /// A server may answer before the request is through and close its side, so a failed write is only an error when
    /// nothing can be read either.
    pub fn send_into(
        &mut self,
        request: &mut Request<'_>,
        sink: &mut dyn Write,
    ) -> io::Result<Response> {
        let written = request.write_to(self.stream.get_mut());
        let response = self.read_response_into(request.method() == "HEAD", sink);
        match (written, response) {
            (Ok(()), response) => response,
            (Err(_), Ok(response)) => {
                self.open = false;
                Ok(response)
            }
            (Err(error), Err(_)) => {
                self.open = false;
                Err(error)
            }
        }
    }

    /// Writes bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Writes one byte in each `interval` until all are written or the server says something.
    ///
    /// Returns how many were written.
    pub fn trickle(&mut self, bytes: &[u8], interval: Duration) -> io::Result<usize> {
        let patience = self.stream.get_ref().read_timeout()?;
        self.stream.get_ref().set_read_timeout(Some(interval))?;
        let mut count = 0;
        for byte in bytes {
            if self.write(&[*byte]).is_err() {
                break;
            }
            count += 1;
            match self.stream.get_ref().peek(&mut [0]) {
                Err(error) if is_silence(&error) => {}
                _ => break,
            }
        }
        self.stream.get_ref().set_read_timeout(patience)?;
        Ok(count)
    }

    /// Says that nothing more will be sent, and goes on listening.
    pub fn half_close(&self) -> io::Result<()> {
        self.stream.get_ref().shutdown(Shutdown::Write)
    }

    /// Breaks the connection as a machine that loses its power does after a reboot: by a reset.
    pub fn reset(self) -> io::Result<()> {
        let at_once = Some(Duration::ZERO);
        rustix::net::sockopt::set_socket_linger(self.stream.get_ref(), at_once)?;
        Ok(())
    }

    /// Reads the response to a request that was written by hand.
    pub fn read_response(&mut self) -> io::Result<Response> {
        let mut body = Vec::new();
        let mut response = self.read_response_into(false, &mut body)?;
        response.body = Bytes::from(body);
        Ok(response)
    }

    /// Reads until the server closes, and returns what it still said.
    pub fn read_to_close(&mut self) -> io::Result<Vec<u8>> {
        self.open = false;
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => Err(error),
            _ => Ok(rest),
        }
    }

    /// Reads up to `size` bytes as they are, to stop in the middle of a response.
    pub fn read_some(&mut self, size: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; size];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Whether the server has said something, or closed, that was not read yet.
    pub fn has_answer(&self) -> io::Result<bool> {
        if !self.stream.buffer().is_empty() {
            return Ok(true);
        }
        self.stream.get_ref().set_nonblocking(true)?;
        let peeked = self.stream.get_ref().peek(&mut [0]);
        self.stream.get_ref().set_nonblocking(false)?;
        match peeked {
            Err(error) if is_silence(&error) => Ok(false),
            _ => Ok(true),
        }
    }

    /// Reads a response, past the interim ones (1xx).
    fn read_response_into(&mut self, to_head: bool, sink: &mut dyn Write) -> io::Result<Response> {
        let result = self.read_final(to_head, sink);
        if result.is_err() {
            self.open = false;
        }
        result
    }

    fn read_final(&mut self, to_head: bool, sink: &mut dyn Write) -> io::Result<Response> {
        let response = loop {
            if self.stream.fill_buf()?.is_empty() {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let head = read_head(&mut self.stream)?;
            if head.status >= 200 || head.status == 101 {
                break head;
            }
        };
        let framing = Framing::of(&response, to_head)?;
        copy_body(&mut self.stream, framing, sink)?;
        let closes = response
            .header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"));
        self.open = !closes && !matches!(framing, Framing::UntilClose);
        Ok(response)
    }
}

fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
