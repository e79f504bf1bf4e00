//! What is sent.

use std::fmt;
use std::io::{self, Read, Write};

use bytes::Bytes;

/// How much of a streamed body goes out at once.
const PIECE: usize = 64 * 1024;

/// A request, as it goes over the wire: nothing in it is checked or corrected.
#[derive(Debug)]
pub struct Request<'a> {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Body<'a>,
}

/// The body of a request.
pub enum Body<'a> {
    /// No body and no header about it.
    None,
    /// Bytes with their `Content-Length`.
    Bytes(Bytes),
    /// A stream with a `Content-Length`, which may be wrong.
    Stream(Box<dyn Read + 'a>, u64),
    /// A stream with `Transfer-Encoding: chunked`.
    Chunked(Box<dyn Read + 'a>),
}

impl<'a> Request<'a> {
    /// A request without a body.
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Body::None,
        }
    }

    /// Adds a header, also one that is there already.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends these bytes.
    #[must_use]
    pub fn bytes(mut self, bytes: impl Into<Bytes>) -> Self {
        self.body = Body::Bytes(bytes.into());
        self
    }

    /// Sends this body.
    #[must_use]
    pub fn body(mut self, body: Body<'a>) -> Self {
        self.body = body;
        self
    }

    /// The method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// What follows the method: path and query.
    pub fn target(&self) -> &str {
        &self.target
    }

    pub(super) fn write_to(&mut self, wire: &mut impl Write) -> io::Result<()> {
        wire.write_all(self.head().as_bytes())?;
        match &mut self.body {
            Body::None => Ok(()),
            Body::Bytes(bytes) => wire.write_all(bytes),
            Body::Stream(stream, _) => copy(stream, wire, |piece, wire| wire.write_all(piece)),
            Body::Chunked(stream) => {
                copy(stream, wire, |piece, wire| {
                    write!(wire, "{:x}\r\n", piece.len())?;
                    wire.write_all(piece)?;
                    wire.write_all(b"\r\n")
                })?;
                wire.write_all(b"0\r\n\r\n")
            }
        }
    }

    fn head(&self) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let mut push = |name: &str, value: &str| {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        };
        for (name, value) in &self.headers {
            push(name, value);
        }
        match &self.body {
            Body::None => {}
            Body::Bytes(bytes) => push("Content-Length", &bytes.len().to_string()),
            Body::Stream(_, length) => push("Content-Length", &length.to_string()),
            Body::Chunked(_) => push("Transfer-Encoding", "chunked"),
        }
        head.push_str("\r\n");
        head
    }
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(f, "None"),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Stream(_, length) => write!(f, "a stream of {length} bytes"),
            Self::Chunked(_) => write!(f, "a stream in chunks"),
        }
    }
}

fn copy<W: Write>(
    from: &mut dyn Read,
    to: &mut W,
    mut put: impl FnMut(&[u8], &mut W) -> io::Result<()>,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece)? {
            0 => return Ok(()),
            count => put(&piece[..count], to)?,
        }
    }
}
