//! `boxyard healthcheck`, for images that have no shell and no curl.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::config::{self, ConfigFile};

/// How long the registry has to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the registry at `url`, or where the configuration says that it listens, whether it serves.
pub(crate) fn run(url: Option<&str>, file: ConfigFile<'_>) -> anyhow::Result<()> {
    let target = match url {
        Some(url) => Target::of_url(url)?,
        None => Target::of_address(&config::load(file)?.http.address),
    };
    let status = ask(&target).with_context(|| format!("ask `{}`", target.authority))?;
    // A registry that wants to know who asks is a healthy one.
    match status.as_str() {
        "200" | "401" => Ok(()),
        other => bail!(
            "`{}{}` answers {other}: expected 200",
            target.authority,
            target.path
        ),
    }
}

/// Whom to ask for what.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    authority: String,
    path: String,
}

impl Target {
    fn of_url(url: &str) -> anyhow::Result<Self> {
        let rest = url.strip_prefix("http://");
        let rest = rest
            .with_context(|| format!("`{url}` is no URL that can be asked: expected `http://…`"))?;
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/v2/"),
        };
        let has_port = authority
            .rsplit(']')
            .next()
            .is_some_and(|end| end.contains(':'));
        Ok(Self {
            authority: if has_port {
                authority.to_owned()
            } else {
                format!("{authority}:80")
            },
            path: path.to_owned(),
        })
    }

    /// A registry that listens on every address is asked on this machine's own.
    fn of_address(address: &str) -> Self {
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "80"));
        let host = match host {
            "" | "0.0.0.0" | "[::]" => "127.0.0.1",
            host => host,
        };
        Self {
            authority: format!("{host}:{port}"),
            path: "/v2/".to_owned(),
        }
    }
}

/// The status of the answer.
fn ask(target: &Target) -> anyhow::Result<String> {
    let address = target
        .authority
        .to_socket_addrs()?
        .next()
        .context("the name has no address")?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let Target { authority, path } = target;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: boxyard-healthcheck\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    let mut buffer = [0; 512];
    while !answer.contains(&b'\n') && answer.len() < 4_096 {
        match stream.read(&mut buffer)? {
            0 => break,
            count => answer.extend_from_slice(&buffer[..count]),
        }
    }
    status(&String::from_utf8_lossy(&answer)).context("this is no answer of HTTP/1.1")
}

/// The status in a first line such as `HTTP/1.1 200 OK`.
fn status(answer: &str) -> Option<String> {
    let rest = answer.strip_prefix("HTTP/1.")?;
    rest.split_whitespace().nth(1).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(authority: &str, path: &str) -> Target {
        Target {
            authority: authority.to_owned(),
            path: path.to_owned(),
        }
    }

    #[test]
    fn a_url_names_host_port_and_path() {
        assert_eq!(
            Target::of_url("http://a:5000/v2/").unwrap(),
            target("a:5000", "/v2/")
        );
        assert_eq!(Target::of_url("http://a").unwrap(), target("a:80", "/v2/"));
        assert_eq!(
            Target::of_url("http://[::1]/x").unwrap(),
            target("[::1]:80", "/x")
        );
        assert!(Target::of_url("https://a").is_err());
    }

    #[test]
    fn an_address_to_listen_on_is_one_to_ask() {
        assert_eq!(
            Target::of_address(":5000"),
            target("127.0.0.1:5000", "/v2/")
        );
        assert_eq!(
            Target::of_address("[::]:5000"),
            target("127.0.0.1:5000", "/v2/")
        );
        assert_eq!(
            Target::of_address("localhost:80"),
            target("localhost:80", "/v2/")
        );
    }

    #[test]
    fn the_status_is_in_the_first_line() {
        assert_eq!(status("HTTP/1.1 200 OK\r\n").as_deref(), Some("200"));
        assert_eq!(status("SSH-2.0-x\r\n"), None);
    }
}
