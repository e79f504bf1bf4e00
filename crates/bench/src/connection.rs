//! A client of HTTP/1.1 that costs as little as possible, so that the server is what is measured.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a server may take for one answer.
const PATIENCE: Duration = Duration::from_mins(1);
/// Bytes of a body read in one go.
const PIECE: usize = 1 << 20;

/// A connection that stays open from request to request.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    head: String,
    piece: Vec<u8>,
}

/// An answer, of whose body only the length is kept.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) length: u64,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream: BufReader::with_capacity(64 << 10, stream),
            head: String::new(),
            piece: vec![0; PIECE],
        })
    }

    /// Sends a request and reads its answer to the end.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        target: &str,
        headers: &str,
        body: &[u8],
    ) -> io::Result<Answer> {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: bench\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        );
        let stream = self.stream.get_mut();
        if body.len() <= 16 << 10 {
            let mut whole = head.into_bytes();
            whole.extend_from_slice(body);
            stream.write_all(&whole)?;
        } else {
            stream.write_all(head.as_bytes())?;
            stream.write_all(body)?;
        }
        self.answer(method)
    }

    /// The same, for a request that must be answered so.
    pub(crate) fn expect(
        &mut self,
        status: u16,
        (method, target): (&str, &str),
        headers: &str,
        body: &[u8],
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

    /// The body of a page that has a length, as text.
    pub(crate) fn page(&mut self, target: &str) -> io::Result<String> {
        let head = format!("GET {target} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n");
        self.stream.get_mut().write_all(head.as_bytes())?;
        let mut text = String::new();
        self.stream.read_to_string(&mut text)?;
        Ok(text)
    }

    fn answer(&mut self, method: &str) -> io::Result<Answer> {
        let mut is_chunked = false;
        let mut answer = Answer {
            status: 0,
            location: None,
            length: 0,
        };
        loop {
            self.head.clear();
            if self.stream.read_line(&mut self.head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = self.head.trim_end();
            if line.is_empty() {
                break;
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
        if method != "HEAD" && answer.status != 204 && answer.status != 304 {
            if is_chunked {
                answer.length = self.skip_chunks()?;
            } else {
                self.skip(answer.length)?;
            }
        }
        Ok(answer)
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
