//! Reading a response from the wire, strictly: what a lenient client would forgive is a mistake of the server.

use std::io::{self, BufRead, ErrorKind, Read, Write};

use bytes::Bytes;

use super::response::{Headers, Response};

/// How the end of a body is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Framing {
    Nothing,
    Length(u64),
    Chunks,
    UntilClose,
}

impl Framing {
    pub(super) fn of(response: &Response, to_head: bool) -> io::Result<Self> {
        if to_head || matches!(response.status, 101 | 204 | 304) {
            return Ok(Self::Nothing);
        }
        let lengths: Vec<&str> = response.headers.all("content-length").collect();
        let encoding = response.header("transfer-encoding");
        match (encoding, lengths.as_slice()) {
            (Some("chunked"), []) => Ok(Self::Chunks),
            (None, [length]) => length
                .parse()
                .map(Self::Length)
                .map_err(|_| garbled(length)),
            (None, []) => Ok(Self::UntilClose),
            _ => Err(garbled("contradicting framing headers")),
        }
    }
}

/// Reads the status line and the headers.
pub(super) fn read_head(stream: &mut impl BufRead) -> io::Result<Response> {
    let line = read_line(stream)?;
    let status = line
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| line.strip_prefix("HTTP/1.0 "))
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .ok_or_else(|| garbled(&line))?;
    Ok(Response {
        status,
        headers: read_headers(stream)?,
        body: Bytes::new(),
    })
}

/// Copies a body; one that ends early is an error.
pub(super) fn copy_body(
    stream: &mut impl BufRead,
    framing: Framing,
    sink: &mut dyn Write,
) -> io::Result<()> {
    match framing {
        Framing::Nothing => Ok(()),
        Framing::Length(length) => copy_exactly(stream, length, sink),
        Framing::Chunks => copy_chunks(stream, sink),
        Framing::UntilClose => io::copy(stream, sink).map(drop),
    }
}

fn copy_chunks(stream: &mut impl BufRead, sink: &mut dyn Write) -> io::Result<()> {
    loop {
        let line = read_line(stream)?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(digits, 16).map_err(|_| garbled(&line))?;
        if size == 0 {
            return read_headers(stream).map(drop);
        }
        copy_exactly(stream, size, sink)?;
        if !read_line(stream)?.is_empty() {
            return Err(garbled("bytes after a chunk"));
        }
    }
}

fn copy_exactly(stream: &mut impl BufRead, length: u64, sink: &mut dyn Write) -> io::Result<()> {
    let copied = io::copy(&mut stream.take(length), sink)?;
    if copied < length {
        let text = format!("the body ends after {copied} of {length} bytes");
        return Err(io::Error::new(ErrorKind::UnexpectedEof, text));
    }
    Ok(())
}

fn read_headers(stream: &mut impl BufRead) -> io::Result<Headers> {
    let mut headers = Vec::new();
    loop {
        let line = read_line(stream)?;
        if line.is_empty() {
            return Ok(Headers(headers));
        }
        let (name, value) = line.split_once(':').ok_or_else(|| garbled(&line))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    stream.take(64 * 1024).read_until(b'\n', &mut line)?;
    match line.strip_suffix(b"\r\n") {
        Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
        None if line.is_empty() => Err(ErrorKind::UnexpectedEof.into()),
        None => Err(garbled(&String::from_utf8_lossy(&line))),
    }
}

fn garbled(what: &str) -> io::Error {
    let text = format!("the response is garbled: `{}`", what.escape_debug());
    io::Error::new(ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut wire: &[u8]) -> io::Result<(Response, Vec<u8>, usize)> {
        let response = read_head(&mut wire)?;
        let mut body = Vec::new();
        copy_body(&mut wire, Framing::of(&response, false)?, &mut body)?;
        Ok((response, body, wire.len()))
    }

    #[test]
    fn a_body_of_a_length_leaves_the_next_response_alone() {
        let wire = b"HTTP/1.1 201 Created\r\nContent-LENGTH: 3\r\nX: 1\r\nx:2\r\n\r\nabcHTTP";

        let (response, body, left) = read(wire).unwrap();

        assert_eq!(
            (response.status, body.as_slice(), left),
            (201, &b"abc"[..], 4)
        );
        assert_eq!(response.headers.all("X").collect::<Vec<_>>(), ["1", "2"]);
    }

    #[test]
    fn chunks_are_joined_and_trailers_read() {
        let wire = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
            2;x=y\r\nab\r\nA\r\n0123456789\r\n0\r\nEtag: 1\r\n\r\nrest";

        let (_, body, left) = read(wire).unwrap();

        assert_eq!((body.as_slice(), left), (&b"ab0123456789"[..], 4));
    }

    #[test]
    fn a_body_that_ends_early_is_an_error() {
        let short = read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc");
        let unfinished = read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");

        assert_eq!(short.unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert_eq!(unfinished.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn two_lengths_are_refused() {
        let wire = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na";

        assert_eq!(read(wire).unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
