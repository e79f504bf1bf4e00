//! Requests and answers, over connections that are kept.

use std::io;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream::poll_fn;
use futures_util::{Stream, TryStreamExt};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::endpoint::Endpoint;
use crate::error::ClientError;

/// An answer whose body is still to be read.
pub type Answer = Response<Incoming>;

/// The longest answer that is read whole, such as a manifest or a page of a listing.
const WHOLE: usize = 64 << 20;
/// Connections that are kept for the next request.
const IDLE: usize = 16;

/// What is sent.
pub struct Content(UnsyncBoxBody<Bytes, io::Error>);

impl Content {
    /// Nothing.
    pub fn empty() -> Self {
        Self::bytes(Bytes::new())
    }

    /// Bytes that are there already.
    pub fn bytes(bytes: Bytes) -> Self {
        Self(
            Full::new(bytes)
                .map_err(|never| match never {})
                .boxed_unsync(),
        )
    }

    /// Bytes as somebody sends them, who ends early by an error; the request's `Content-Length` says how many.
    pub fn pieces(mut receiver: mpsc::Receiver<io::Result<Bytes>>) -> Self {
        Self::stream(poll_fn(move |context| receiver.poll_recv(context)))
    }

    /// Bytes as they come; the request's `Content-Length` says how many.
    pub fn stream<S>(pieces: S) -> Self
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        Self(StreamBody::new(pieces.map_ok(Frame::data)).boxed_unsync())
    }
}

/// A client of one registry; it opens as many connections as it has requests at once.
#[derive(Debug)]
pub struct Client {
    endpoint: Endpoint,
    idle: Mutex<Vec<SendRequest<UnsyncBoxBody<Bytes, io::Error>>>>,
}

impl Client {
    /// Connects, so that it is known that somebody is there.
    pub async fn connect(endpoint: Endpoint) -> Result<Self, ClientError> {
        let client = Self {
            endpoint,
            idle: Mutex::default(),
        };
        let first = client.open().await?;
        client.keep(first);
        Ok(client)
    }

    /// Sends a request and waits for the head of its answer.
    pub async fn send(&self, request: Request<Content>) -> Result<Answer, ClientError> {
        let kept = self.take();
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.open().await?,
        };
        let request = request.map(|content| content.0);
        let answer = connection.send_request(request).await;
        let answer = answer.map_err(ClientError::Http)?;
        self.keep(connection);
        Ok(answer)
    }

    /// Sends a request, and makes an error of an answer that is none of success.
    pub(crate) async fn ask(&self, request: Request<Content>) -> Result<Answer, ClientError> {
        let answer = self.send(request).await?;
        if answer.status().is_success() {
            Ok(answer)
        } else {
            Err(refusal(answer).await)
        }
    }

    /// The same, where 404 is an answer.
    pub(crate) async fn find(
        &self,
        request: Request<Content>,
    ) -> Result<Option<Answer>, ClientError> {
        let answer = self.send(request).await?;
        match answer.status() {
            StatusCode::NOT_FOUND => {
                whole(answer).await?;
                Ok(None)
            }
            status if status.is_success() => Ok(Some(answer)),
            _ => Err(refusal(answer).await),
        }
    }

    async fn open(&self) -> Result<SendRequest<UnsyncBoxBody<Bytes, io::Error>>, ClientError> {
        let stream = self
            .endpoint
            .connect()
            .await
            .map_err(ClientError::Connect)?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(ClientError::Http)?;
        tokio::spawn(connection);
        Ok(sender)
    }

    /// A connection whose last answer was read to its end.
    fn take(&self) -> Option<SendRequest<UnsyncBoxBody<Bytes, io::Error>>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|connection| !connection.is_closed());
        let ready = idle.iter().position(SendRequest::is_ready)?;
        Some(idle.swap_remove(ready))
    }

    fn keep(&self, connection: SendRequest<UnsyncBoxBody<Bytes, io::Error>>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(connection);
        }
    }
}

/// A request to `path` without a body.
pub(crate) fn request(method: Method, path: &str) -> Request<Content> {
    with_content(method, path, Content::empty())
}

/// A request to `path`, which is made of parsed names.
pub(crate) fn with_content(method: Method, path: &str, content: Content) -> Request<Content> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "boxyard")
        .body(content)
        .expect("names, digests and tags are valid in a path")
}

/// The whole body of an answer that is not long.
pub(crate) async fn whole(answer: Answer) -> Result<Bytes, ClientError> {
    match Limited::new(answer.into_body(), WHOLE).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(ClientError::Answer(error.to_string())),
    }
}

/// What an answer says that is none of success.
async fn refusal(answer: Answer) -> ClientError {
    let status = answer.status().as_u16();
    let body = match whole(answer).await {
        Ok(body) => body,
        Err(error) => return error,
    };
    let errors = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    let message = errors["errors"][0]["message"].as_str();
    let message = message.map_or_else(
        || String::from_utf8_lossy(&body[..body.len().min(500)]).into_owned(),
        ToOwned::to_owned,
    );
    ClientError::Refused { status, message }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Content")
    }
}
