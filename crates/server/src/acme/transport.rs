//! Requests to the ACME server.

use std::fs;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::RETRY_AFTER;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// More than any answer of an ACME server has.
const MOST_BYTES: usize = 1 << 20;

/// Why no requests can be made.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The file of authorities cannot be read.
    #[error("read `{path}`")]
    Unreadable {
        /// What the configuration names.
        path: PathBuf,
        /// Why it cannot be read.
        #[source]
        source: std::io::Error,
    },
    /// The file has no certificates.
    #[error("`{path}` has no certificate in PEM")]
    Nothing {
        /// What the configuration names.
        path: PathBuf,
    },
    /// The client for HTTP is not to be made.
    #[error("prepare requests to the ACME server")]
    Client(#[from] reqwest::Error),
}

/// What makes requests, and remembers when a refusal said to come again.
#[derive(Clone, Debug)]
pub(super) struct Transport {
    client: Client,
    retry_after: Arc<Mutex<Option<Duration>>>,
}

impl Transport {
    /// Trusts the system's authorities, and those of the file.
    pub(super) fn new(authorities: Option<&Path>) -> Result<Self, TransportError> {
        let own = authorities.map(read_authorities).transpose()?;
        let client = Client::builder()
            .tls_certs_merge(own.unwrap_or_default())
            .https_only(true)
            .redirect(Policy::limited(3))
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .user_agent(concat!("boxyard/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            client,
            retry_after: Arc::default(),
        })
    }

    /// How long the last answers said to wait.
    pub(super) fn take_retry_after(&self) -> Option<Duration> {
        let mut told = self
            .retry_after
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        told.take()
    }

    async fn exchange(self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Error> {
        let (parts, body) = request.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(never) => match never {},
        };
        let request = self.client.request(parts.method, parts.uri.to_string());
        let sent = request.headers(parts.headers).body(body).send().await;
        let mut answer = sent.map_err(other)?;
        if answer.status().is_client_error() || answer.status().is_server_error() {
            let told = retry_after(answer.headers(), Timestamp::now());
            *self
                .retry_after
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = told;
        }
        let mut body = BytesMut::new();
        while let Some(piece) = answer.chunk().await.map_err(other)? {
            if body.len() + piece.len() > MOST_BYTES {
                return Err(Error::Str("an answer of reasonable length"));
            }
            body.extend_from_slice(&piece);
        }
        let mut response = Response::new(());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        Ok(BytesResponse {
            parts: response.into_parts().0,
            body: Box::new(body.freeze()),
        })
    }
}

impl HttpClient for Transport {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        Box::pin(self.clone().exchange(request))
    }
}

fn other(error: reqwest::Error) -> Error {
    Error::Other(Box::new(error))
}

/// The certificates of the file of authorities.
pub(super) fn read_authorities(path: &Path) -> Result<Vec<Certificate>, TransportError> {
    let pem = fs::read(path).map_err(|source| TransportError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(TransportError::Nothing {
            path: path.to_owned(),
        }),
    }
}

/// What `Retry-After` says: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::parse(text).ok()?.timestamp();
    date.duration_since(now).try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<Duration> {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
        retry_after(&headers, "2026-11-24T10:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_wait_is_told_in_seconds_or_as_a_date() {
        assert_eq!(told("120"), Some(Duration::from_mins(2)));
        let date = told("Tue, 24 Nov 2026 10:01:00 GMT");
        assert_eq!(date, Some(Duration::from_mins(1)));
        assert_eq!(told("Tue, 24 Nov 2026 09:00:00 GMT"), None);
        assert_eq!(told("soon"), None);
    }
}
