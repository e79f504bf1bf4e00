//! What is sent back.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use boxyard_registry::Piece;
use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt, TryStreamExt};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};

/// Why a body ends before its end: the connection is cut, so that nobody takes the rest for the whole.
pub(crate) type BodyFailure = Box<dyn Error + Send + Sync>;

/// The body of an answer.
pub(crate) struct ResponseBody(Content);

enum Content {
    Whole(Option<Bytes>),
    Stream {
        pieces: Pin<Box<dyn Stream<Item = Result<Piece, BodyFailure>> + Send>>,
        /// Bytes still to come, where that is known.
        left: Option<u64>,
    },
}

impl ResponseBody {
    pub(crate) fn empty() -> Self {
        Self(Content::Whole(None))
    }

    pub(crate) fn full(bytes: Bytes) -> Self {
        Self(Content::Whole(
            Some(bytes).filter(|bytes| !bytes.is_empty()),
        ))
    }

    /// A body of known length that arrives in pieces.
    pub(crate) fn pieces<S, E>(pieces: S, length: u64) -> Self
    where
        S: Stream<Item = Result<Piece, E>> + Send + 'static,
        E: Error + Send + Sync + 'static,
    {
        Self(Content::Stream {
            pieces: pieces.map_err(BodyFailure::from).boxed(),
            left: Some(length),
        })
    }

    /// A body whose length shows when it is made.
    pub(crate) fn chunks<S>(pieces: S) -> Self
    where
        S: Stream<Item = Result<Bytes, BodyFailure>> + Send + 'static,
    {
        Self(Content::Stream {
            pieces: pieces.map_ok(Piece::from).boxed(),
            left: None,
        })
    }

    /// Takes the body of an answer to a HEAD away, and leaves what says how long it would have been.
    ///
    /// hyper does so itself for HTTP/1; for HTTP/2 it would send the body, and clients take that for a broken stream.
    pub(crate) fn withhold(response: &mut Response<Self>) {
        let body = std::mem::replace(response.body_mut(), Self::empty());
        let length = body.size_hint().exact().filter(|length| *length > 0);
        if let Some(length) = length {
            let headers = response.headers_mut();
            headers.entry(CONTENT_LENGTH).or_insert(length.into());
        }
    }

    #[cfg(test)]
    pub(crate) fn into_bytes(self) -> Option<Bytes> {
        match self.0 {
            Content::Whole(bytes) => Some(bytes.unwrap_or_default()),
            Content::Stream { .. } => None,
        }
    }
}

impl Body for ResponseBody {
    type Data = Piece;
    type Error = BodyFailure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, BodyFailure>>> {
        match &mut self.0 {
            Content::Whole(bytes) => {
                Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes.into()))))
            }
            Content::Stream { pieces, left } => {
                let next = std::task::ready!(pieces.as_mut().poll_next(context));
                if let (Some(Ok(piece)), Some(left)) = (&next, left) {
                    *left = left.saturating_sub(piece.remaining() as u64);
                }
                Poll::Ready(next.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Whole(bytes) => bytes.is_none(),
            Content::Stream { left, .. } => *left == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Content::Stream { left, .. } => {
                left.map_or_else(SizeHint::default, SizeHint::with_exact)
            }
        }
    }
}

/// How many headers an answer has, nearly.
const HEADERS: usize = 12;

/// Builds an answer.
pub(crate) struct Answer(Response<ResponseBody>);

impl Answer {
    pub(crate) fn new(status: StatusCode) -> Self {
        let mut response = Response::new(ResponseBody::empty());
        *response.status_mut() = status;
        // Nearly every answer has so many, and a map that grows is made anew each time.
        response.headers_mut().reserve(HEADERS);
        Self(response)
    }

    pub(crate) fn header(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.0.headers_mut().insert(name, value.into());
        self
    }

    /// Adds a header whose value is made of parsed parts.
    pub(crate) fn text(self, name: HeaderName, value: &str) -> Self {
        let value =
            HeaderValue::from_str(value).expect("names, numbers and digests are visible text");
        self.header(name, value)
    }

    /// A body that is there already; a HEAD gets its length only.
    pub(crate) fn content(
        self,
        method: &Method,
        kind: HeaderValue,
        bytes: Bytes,
    ) -> Response<ResponseBody> {
        let length = bytes.len() as u64;
        let answer = self.header(CONTENT_TYPE, kind);
        answer.sized(method, length, || ResponseBody::full(bytes))
    }

    /// A body of `length` bytes that is only made for who reads it.
    pub(crate) fn sized(
        self,
        method: &Method,
        length: u64,
        body: impl FnOnce() -> ResponseBody,
    ) -> Response<ResponseBody> {
        let mut response = self.header(CONTENT_LENGTH, length).0;
        if *method != Method::HEAD {
            *response.body_mut() = body();
        }
        response
    }

    /// No body at all.
    pub(crate) fn done(self) -> Response<ResponseBody> {
        self.0
    }

    /// No body, and a length that says so; 204 and 304 have none.
    pub(crate) fn empty(self) -> Response<ResponseBody> {
        self.header(CONTENT_LENGTH, 0_u64).0
    }

    /// Any other body.
    pub(crate) fn body(mut self, body: ResponseBody) -> Response<ResponseBody> {
        *self.0.body_mut() = body;
        self.0
    }
}
