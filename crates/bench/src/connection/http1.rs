//! HTTP/1.1, plain and over TLS.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use bytes::Bytes;
use rustls::{ClientConnection, StreamOwned};

use super::{Answer, Protocol, Way, connect};
use crate::tls;

/// Bytes of a body read in one go.
const PIECE: usize = 1 << 20;
/// A body up to this is sent with its head, which saves a system call.
const SMALL: usize = 16 << 10;

pub(crate) struct Connection {
    stream: BufReader<Stream>,
    authorization: String,
    head: String,
    piece: Vec<u8>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Connection {
    pub(super) fn open(way: Way, token: &str) -> io::Result<Self> {
        let stream = connect(way)?;
        let stream = if way.protocol == Protocol::Tls {
            let config = tls::client(b"http/1.1").map_err(io::Error::other)?;
            let name = tls::NAME.try_into().map_err(io::Error::other)?;
            let session = ClientConnection::new(config, name).map_err(io::Error::other)?;
            Stream::Tls(Box::new(StreamOwned::new(session, stream)))
        } else {
            Stream::Plain(stream)
        };
        Ok(Self {
            stream: BufReader::with_capacity(64 << 10, stream),
            authorization: format!("Authorization: Bearer {token}\r\n"),
            head: String::new(),
            piece: vec![0; PIECE],
        })
    }

    pub(super) fn ask(
        &mut self,
        method: &str,
        target: &str,
        headers: &str,
        body: &Bytes,
    ) -> io::Result<Answer> {
        let mut head = format!(
            "{method} {target} HTTP/1.1\r\nHost: bench\r\nContent-Length: {}\r\n{}{headers}\r\n",
            body.len(),
            self.authorization
        )
        .into_bytes();
        let stream = self.stream.get_mut();
        if body.len() <= SMALL {
            head.extend_from_slice(body);
            stream.write_all(&head)?;
        } else {
            stream.write_all(&head)?;
            stream.write_all(body)?;
        }
        stream.flush()?;
        let (mut answer, is_chunked) = self.read_head()?;
        if method != "HEAD" && answer.status != 204 && answer.status != 304 {
            if is_chunked {
                answer.length = self.skip_chunks()?;
            } else {
                self.skip(answer.length)?;
            }
        }
        Ok(answer)
    }

    /// The head of an answer, and whether its body comes in chunks.
    fn read_head(&mut self) -> io::Result<(Answer, bool)> {
        let mut is_chunked = false;
        let mut answer = Answer::default();
        loop {
            self.head.clear();
            if self.stream.read_line(&mut self.head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = self.head.trim_end();
            if line.is_empty() {
                return Ok((answer, is_chunked));
            }
            if answer.status == 0 {
                let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
                answer.status = status.ok_or(io::ErrorKind::InvalidData)?;
                continue;
            }
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            if name.eq_ignore_ascii_case("content-length") {
                answer.length = value.trim().parse().unwrap_or(0);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                is_chunked = true;
            } else if name.eq_ignore_ascii_case("location") {
                answer.location = Some(value.trim().to_owned());
            }
        }
    }

    /// Reads a body that comes in chunks; how long it is.
    fn skip_chunks(&mut self) -> io::Result<u64> {
        let mut whole = 0;
        loop {
            self.head.clear();
            self.stream.read_line(&mut self.head)?;
            let length = u64::from_str_radix(self.head.trim(), 16);
            let length = length.map_err(|_| io::ErrorKind::InvalidData)?;
            self.skip(length + 2)?;
            if length == 0 {
                return Ok(whole);
            }
            whole += length;
        }
    }

    fn skip(&mut self, mut length: u64) -> io::Result<()> {
        while length > 0 {
            let most = usize::try_from(length).map_or(PIECE, |length| length.min(PIECE));
            let read = self.stream.read(&mut self.piece[..most])?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            length -= read as u64;
        }
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(buffer),
            Self::Tls(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
