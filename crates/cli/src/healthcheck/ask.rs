//! One question, over whatever the registry listens on.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, anyhow};
use boxyard_server::probe;

use super::target::{Place, Target};

/// How long the registry has to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest first line that is waited for.
const LONGEST: usize = 4_096;

/// What the registry says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A status of HTTP.
    Status(String),
    /// That it serves nobody without a certificate.
    WantsCertificate,
}

/// Asks, and reads no more than the status.
pub(super) fn ask(target: &Target) -> anyhow::Result<Answer> {
    let (stream, host) = connect(&target.place)?;
    if !target.is_secure {
        return Ok(Answer::Status(status_of(stream, &host, &target.path)?));
    }
    let stream = Box::new(probe::encrypt(stream, &host)?);
    match status_of(stream, &host, &target.path) {
        Ok(status) => Ok(Answer::Status(status)),
        Err(error) if wants_certificate(&error) => Ok(Answer::WantsCertificate),
        Err(error) => Err(error),
    }
}

/// What can be read and written.
trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

fn connect(place: &Place) -> anyhow::Result<(Box<dyn Stream>, String)> {
    match place {
        Place::Tcp { host, port } => {
            let address = format!("{host}:{port}").to_socket_addrs()?.next();
            let address = address.context("the name has no address")?;
            let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok((Box::new(stream), host.clone()))
        }
        Place::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok((Box::new(stream), "localhost".to_owned()))
        }
    }
}

fn status_of(mut stream: Box<dyn Stream>, host: &str, path: &str) -> anyhow::Result<String> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: boxyard-healthcheck\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut answer = Vec::new();
    let mut buffer = [0; 512];
    while !answer.contains(&b'\n') && answer.len() < LONGEST {
        match stream.read(&mut buffer)? {
            0 => break,
            count => answer.extend_from_slice(&buffer[..count]),
        }
    }
    let status = status(&String::from_utf8_lossy(&answer));
    status.ok_or_else(|| anyhow!("this is no answer of HTTP/1.1"))
}

/// The status in a first line such as `HTTP/1.1 200 OK`.
fn status(answer: &str) -> Option<String> {
    let rest = answer.strip_prefix("HTTP/1.")?;
    rest.split_whitespace().nth(1).map(ToOwned::to_owned)
}

fn wants_certificate(error: &anyhow::Error) -> bool {
    let inner = error.downcast_ref::<io::Error>();
    inner.is_some_and(probe::wants_certificate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_in_the_first_line() {
        assert_eq!(status("HTTP/1.1 200 OK\r\n").as_deref(), Some("200"));
        assert_eq!(status("SSH-2.0-x\r\n"), None);
    }
}
