//! The body of a request: how long the registry waits for it, and what becomes of the rest of it.

use std::sync::Arc;
use std::time::Duration;

use boxyard_registry::{Body, BodyError};
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::header::EXPECT;
use http::{Request, Version};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::seen::Seen;

/// How little a client may send before it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How long the registry waits for `bytes` more bytes.
    pub window: Duration,
    /// How many bytes must come within the window.
    pub bytes: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            window: Duration::from_mins(1),
            bytes: 16 << 10,
        }
    }
}

/// How much of a body that nobody wants is read, so that its sender gets to read the answer.
const DRAINED_BYTES: u64 = 256 << 20;
/// How long that may take in all.
const DRAINED_WITHIN: Duration = Duration::from_secs(30);
/// How long it may stop in between.
const DRAINED_IDLE: Duration = Duration::from_secs(5);

/// A request's body that has not been read to its end.
///
/// Dropping it reads on for a while in the background.
/// A client that sends first and reads later would otherwise see its connection reset, and never learn from the answer what was wrong.
#[derive(Debug)]
pub(crate) struct RequestBody {
    /// None once there is nothing more to read.
    incoming: Option<Incoming>,
    /// The client sends nothing before it is asked to, and reading would ask it to.
    waits_to_be_asked: bool,
    patience: Patience,
    seen: Arc<Seen>,
}

/// Why a body was not collected.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CollectError {
    /// It has more bytes than are taken.
    #[error("the body has more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// It ended early.
    #[error("receive the body")]
    Body(#[source] BodyError),
}

impl RequestBody {
    /// Takes the body out of a request.
    pub(crate) fn of(
        request: Request<Incoming>,
        pace: Pace,
        seen: Arc<Seen>,
    ) -> (http::request::Parts, Self) {
        let (parts, incoming) = request.into_parts();
        let expects = parts
            .headers
            .get(EXPECT)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        let body = Self {
            incoming: Some(incoming).filter(|incoming| !incoming.is_end_stream()),
            waits_to_be_asked: expects && parts.version == Version::HTTP_11,
            patience: Patience::new(pace),
            seen,
        };
        (parts, body)
    }

    /// Whether the client announced that nothing comes.
    pub(crate) fn is_empty(&self) -> bool {
        self.incoming.is_none()
    }

    /// How long the client says that the body is.
    pub(crate) fn announced(&self) -> Option<u64> {
        self.incoming
            .as_ref()
            .map_or(Some(0), |incoming| incoming.size_hint().exact())
    }

    /// The body as the registry takes it.
    pub(crate) fn into_stream(self) -> Body {
        Box::pin(stream::unfold(self, |mut body| async {
            let piece = body.next().await?;
            Some((piece, body))
        }))
    }

    /// The whole body, if it has at most `limit` bytes.
    pub(crate) async fn collect(mut self, limit: usize) -> Result<Bytes, CollectError> {
        let too_large = |length: u64| usize::try_from(length).is_ok_and(|length| length <= limit);
        let announced = self.announced().unwrap_or_default();
        if !too_large(announced) {
            return Err(CollectError::TooLarge { limit });
        }
        let mut whole = BytesMut::new();
        while let Some(piece) = self.next().await {
            let piece = piece.map_err(CollectError::Body)?;
            if piece.len() > limit - whole.len() {
                return Err(CollectError::TooLarge { limit });
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        self.waits_to_be_asked = false;
        loop {
            let incoming = self.incoming.as_mut()?;
            let waited = Instant::now();
            let Ok(frame) = timeout(self.patience.left(), incoming.frame()).await else {
                // It is not worth draining either.
                self.incoming = None;
                return Some(Err(BodyError::TooSlow));
            };
            match frame {
                None => {
                    self.incoming = None;
                    return None;
                }
                Some(Err(error)) => {
                    self.incoming = None;
                    return Some(Err(BodyError::Gone(error.into())));
                }
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    self.patience.arrived(waited.elapsed(), data.len());
                    self.seen.receive(data.len());
                    return Some(Ok(data));
                }
            }
        }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let Some(incoming) = self.incoming.take() else {
            return;
        };
        if self.waits_to_be_asked {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(drain(incoming));
        }
    }
}

/// Reads and forgets, within bounds.
async fn drain(mut incoming: Incoming) {
    let end = Instant::now() + DRAINED_WITHIN;
    let mut drained: u64 = 0;
    while drained < DRAINED_BYTES {
        let until = end.min(Instant::now() + DRAINED_IDLE);
        match timeout_at(until, incoming.frame()).await {
            Ok(Some(Ok(frame))) => drained += frame.data_ref().map_or(0, |data| data.len() as u64),
            Ok(Some(Err(_)) | None) | Err(_) => return,
        }
    }
    tracing::debug!(
        drained,
        "the rest of a body that nobody wants is too long to be read"
    );
}

/// What is left of the time in which the client must send something.
///
/// Only the time that is spent waiting for the client counts: a slow disk is not its fault.
#[derive(Clone, Copy, Debug)]
struct Patience {
    pace: Pace,
    left: Duration,
    arrived: u64,
}

impl Patience {
    fn new(pace: Pace) -> Self {
        Self {
            pace,
            left: pace.window,
            arrived: 0,
        }
    }

    fn left(&self) -> Duration {
        self.left
    }

    fn arrived(&mut self, waited: Duration, bytes: usize) {
        self.left = self.left.saturating_sub(waited);
        self.arrived += bytes as u64;
        if self.arrived >= self.pace.bytes {
            self.left = self.pace.window;
            self.arrived = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn patience() -> Patience {
        Patience::new(Pace {
            window: 10 * SECOND,
            bytes: 100,
        })
    }

    #[test]
    fn a_trickle_uses_the_window_up() {
        let mut patience = patience();

        for _ in 0..9 {
            patience.arrived(SECOND, 1);
        }

        assert_eq!(patience.left(), SECOND);
    }

    #[test]
    fn enough_bytes_open_a_new_window() {
        let mut patience = patience();

        patience.arrived(9 * SECOND, 99);
        patience.arrived(Duration::ZERO, 1);

        assert_eq!(patience.left(), 10 * SECOND);
    }

    #[test]
    fn time_that_nobody_waited_does_not_count() {
        let mut patience = patience();

        for _ in 0..1_000 {
            patience.arrived(Duration::ZERO, 1);
        }

        assert_eq!(patience.left(), 10 * SECOND);
    }
}
