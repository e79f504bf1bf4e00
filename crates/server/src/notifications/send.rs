//! One attempt to tell an endpoint of one event.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use tokio::time::{Instant, timeout_at};

use super::envelope::MEDIA_TYPE;
use crate::config::Endpoint;
use crate::outgoing::client_for;

/// How often an endpoint may send its events elsewhere.
const HOPS: usize = 5;
/// How much of an answer is read, so that its connection can be used again.
const READ_BYTES: usize = 64 << 10;

/// Sends to one endpoint.
#[derive(Debug)]
pub(super) struct Sender {
    client: Client,
    url: Url,
    headers: HeaderMap,
    timeout: Duration,
}

/// Why an endpoint has not answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// There was no whole answer in time.
    #[error("there was no answer within {0:?}")]
    TooSlow(Duration),
    /// The connection failed.
    #[error("the request failed")]
    Failed(#[source] reqwest::Error),
    /// It sends its events to where they must not go.
    #[error("it sends events on to another address, `{to}`: name that one in `url` if it is right")]
    Elsewhere {
        /// The other origin.
        to: String,
    },
    /// It sends its events on and on.
    #[error("it sends events on more than {HOPS} times")]
    Circle,
}

impl Sender {
    /// Makes a sender; that fails where the system's certificates cannot be read at all.
    pub(super) fn to(endpoint: &Endpoint) -> Result<Self, reqwest::Error> {
        let client = client_for(endpoint.url.url())
            .redirect(Policy::none())
            .user_agent(concat!("boxyard/", env!("CARGO_PKG_VERSION")))
            .pool_max_idle_per_host(1)
            .build()?;
        Ok(Self {
            client,
            url: endpoint.url.url().clone(),
            headers: endpoint.headers.clone(),
            timeout: endpoint.timeout,
        })
    }

    /// Sends one event; an answer of any status is one.
    pub(super) async fn send(&self, payload: &Bytes) -> Result<StatusCode, SendError> {
        let deadline = Instant::now() + self.timeout;
        let response = timeout_at(deadline, self.follow(payload)).await;
        let response = response.map_err(|_| SendError::TooSlow(self.timeout))??;
        let status = response.status();
        // What it says beside its status is of no use, and may have no end.
        let _late = timeout_at(deadline, skip(response)).await;
        Ok(status)
    }

    /// Sends the event to where the endpoint wants it, as long as that is the same host.
    async fn follow(&self, payload: &Bytes) -> Result<Response, SendError> {
        let mut url = self.url.clone();
        for _ in 0..=HOPS {
            let response = self.post(url.clone(), payload).await?;
            match next(&url, &response) {
                None => return Ok(response),
                Some(next) if may_follow(&self.url, &next) => url = next,
                Some(next) => {
                    let to = next.origin().ascii_serialization();
                    return Err(SendError::Elsewhere { to });
                }
            }
        }
        Err(SendError::Circle)
    }

    async fn post(&self, url: Url, payload: &Bytes) -> Result<Response, SendError> {
        let mut headers = self.headers.clone();
        headers.append(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        let request = self.client.post(url).headers(headers).body(payload.clone());
        // The URL may have a password.
        let failed = |error: reqwest::Error| SendError::Failed(error.without_url());
        request.send().await.map_err(failed)
    }
}

/// Where the same request is to be sent, if the endpoint says so; the older kinds of redirects would make another request of it.
fn next(url: &Url, response: &Response) -> Option<Url> {
    let status = response.status();
    if status != StatusCode::TEMPORARY_REDIRECT && status != StatusCode::PERMANENT_REDIRECT {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    url.join(location).ok()
}

/// Whether what is configured for `from` may be sent to `to` too: the same origin, or the same host by TLS.
fn may_follow(from: &Url, to: &Url) -> bool {
    let upgraded = from.scheme() == "http" && to.scheme() == "https";
    from.origin() == to.origin() || (upgraded && from.host() == to.host())
}

async fn skip(mut response: Response) {
    let mut read = 0;
    while let Ok(Some(piece)) = response.chunk().await {
        read += piece.len();
        if read > READ_BYTES {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_follow_only_to_the_same_host_and_never_out_of_tls() {
        let follows =
            |from: &str, to: &str| may_follow(&from.parse().unwrap(), &to.parse().unwrap());

        assert!(follows("http://a.test/x", "http://a.test/y"));
        assert!(follows("http://a.test/x", "https://a.test/x"));
        assert!(!follows("http://a.test/x", "http://b.test/x"));
        assert!(!follows("http://a.test/x", "http://a.test:8080/x"));
        assert!(!follows("https://a.test/x", "http://a.test/x"));
        assert!(!follows("http://a.test/x", "https://b.test/x"));
        assert!(!follows("http://a.test/x", "file:///etc/passwd"));
    }
}
