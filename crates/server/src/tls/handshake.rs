//! How an encrypted connection begins.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::server::{Acceptor, ClientHello};
use tokio::io::AsyncWriteExt;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::{CHALLENGE, HTTP2, Origin, Tls, suites};
use crate::listen::socket::Socket;

/// The first byte of what a client of TLS says.
const HANDSHAKE: u8 = 0x16;
/// The fatal alert `unrecognized_name` in a record of its own (RFC 8446, section 6.2).
const UNRECOGNIZED_NAME: [u8; 7] = [0x15, 0x03, 0x03, 0, 2, 2, 112];
/// What a client hears that does not speak TLS but HTTP.
const PLAIN: &str = "HTTP/1.1 400 Bad Request\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 71\r\n\
    Connection: close\r\n\r\n\
    Client sent an HTTP request to an HTTPS server: ask with https:// here\n";

/// An encrypted connection.
#[derive(Debug)]
pub(crate) struct Secured {
    pub(crate) stream: Box<TlsStream<Socket>>,
    /// The verified chain of the client's certificate; empty without one.
    pub(crate) certificates: Arc<[CertificateDer<'static>]>,
    pub(crate) is_http2: bool,
}

/// Why there is no encrypted connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    /// It went away before it said anything, as scanners and load balancers do.
    #[error("the connection was closed before anything was said")]
    Silent(#[source] Option<io::Error>),
    /// It speaks HTTP without TLS.
    #[error("the client sent an HTTP request without TLS")]
    Plain,
    /// It asks for a name that is not ours.
    #[error("`{name}` is none of `http.tls.letsencrypt.hosts`")]
    Name {
        /// What the client asked for.
        name: String,
    },
    /// It speaks something else.
    #[error("what the client sent is neither TLS nor HTTP")]
    Other,
    /// The two did not agree.
    #[error("client and server did not agree on TLS")]
    Failed(#[source] io::Error),
    /// A challenge was looked at, and nothing else was wanted.
    #[error("the answer to a challenge was looked at")]
    Challenge,
}

impl Tls {
    /// Makes an encrypted connection, or gives the socket back to be closed.
    pub(crate) async fn accept(
        &self,
        mut socket: Socket,
    ) -> Result<Secured, (HandshakeError, Option<Socket>)> {
        match socket.first().await {
            Ok(Some(HANDSHAKE)) => {}
            Ok(Some(byte)) if byte.is_ascii_uppercase() => {
                // If the client does not hear it, nobody does.
                let _ = socket.write_all(PLAIN.as_bytes()).await;
                return Err((HandshakeError::Plain, Some(socket)));
            }
            Ok(Some(_)) => return Err((HandshakeError::Other, Some(socket))),
            Ok(None) => return Err((HandshakeError::Silent(None), None)),
            Err(error) => return Err((HandshakeError::Silent(Some(error)), None)),
        }
        let mut acceptor = LazyConfigAcceptor::new(Acceptor::default(), socket);
        let start = match (&mut acceptor).await {
            Ok(start) => start,
            Err(error) => return Err((HandshakeError::Failed(error), acceptor.take_io())),
        };
        if let Some(name) = self.foreign_name(&start.client_hello()) {
            let mut socket = start.io;
            let _ = socket.write_all(&UNRECOGNIZED_NAME).await;
            return Err((HandshakeError::Name { name }, Some(socket)));
        }
        let config = self.config(&start.client_hello());
        let shaken = start.into_stream(config).into_fallible().await;
        let stream = shaken.map_err(|(error, io)| (HandshakeError::Failed(error), Some(io)))?;
        self.secured(stream).await
    }

    fn config(&self, hello: &ClientHello<'_>) -> Arc<ServerConfig> {
        let current = self.current();
        let mut protocols = hello.alpn().into_iter().flatten();
        match current.challenge {
            Some(challenge) if protocols.any(|name| name == CHALLENGE) => challenge,
            _ if suites::is_aes_wanted(hello.cipher_suites()) => current.usual,
            _ => current.by_client,
        }
    }

    /// What the client asks for, if it is a name that is not served.
    fn foreign_name(&self, hello: &ClientHello<'_>) -> Option<String> {
        let Origin::Live { names, .. } = &self.origin else {
            return None;
        };
        let name = hello.server_name()?;
        (!names.has(name)).then(|| name.to_owned())
    }

    async fn secured(
        &self,
        mut stream: TlsStream<Socket>,
    ) -> Result<Secured, (HandshakeError, Option<Socket>)> {
        let (_, session) = stream.get_ref();
        let is_http2 = match session.alpn_protocol() {
            Some(CHALLENGE) => {
                let _ = stream.shutdown().await;
                return Err((HandshakeError::Challenge, Some(stream.into_inner().0)));
            }
            protocol => protocol == Some(HTTP2),
        };
        let shown = session.peer_certificates().filter(|_| self.verifies());
        let certificates = shown.unwrap_or_default().iter().cloned().collect();
        Ok(Secured {
            stream: Box::new(stream),
            certificates,
            is_http2,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_plain_http_has_the_length_that_it_says() {
        let (head, body) = PLAIN.split_once("\r\n\r\n").unwrap();

        assert!(
            head.contains(&format!("Content-Length: {}", body.len())),
            "{}",
            body.len()
        );
    }
}
