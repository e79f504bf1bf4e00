//! One request from its first byte to its line in the access log.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use boxyard_registry::{Piece, Shortcut};
use bytes::Buf;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::Instrument;

use crate::access::Asked;
use crate::activity::Activity;
use crate::app::App;
use crate::body::RequestBody;
use crate::log::about;
use crate::log::access::{AccessLog, Outcome};
use crate::metrics::handler::Handler;
use crate::metrics::http::Ended;
use crate::notifications::Origin;
use crate::peer::Peer;
use crate::received::Received;
use crate::request_id::RequestId;
use crate::response::{BodyFailure, ResponseBody};
use crate::seen::Seen;
use crate::traces::Trace;
use crate::v2;
use crate::v2::headers::{API_VERSION, REQUEST_ID};

/// The status that the access log gives a request whose client left before it was answered.
const CLIENT_LEFT: u16 = 499;

/// Answers the requests of one connection.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) app: Arc<App>,
    pub(crate) log: AccessLog,
    pub(crate) peer: Peer,
    pub(crate) activity: Arc<Activity>,
    /// Where it is said which file is sent.
    pub(crate) shortcut: Arc<Shortcut>,
}

impl Service {
    pub(crate) async fn call(self: Arc<Self>, request: Request<Incoming>) -> Response<Tracked> {
        let seen = Arc::<Seen>::default();
        let app = &*self.app;
        let (mut parts, body) = RequestBody::of(request, app.limits.pace, Arc::clone(&seen));
        let external = app.outside.of(&parts, &self.peer);
        let id = RequestId::next();
        if app.asks_for_origin(&parts) {
            parts.extensions.insert(Origin {
                id: id.as_str().to_owned(),
                external: Some(external.clone()),
                seen: Arc::clone(&seen),
            });
        }
        let received = Arc::new(Received {
            id,
            parts,
            client: external.client,
            at: Timestamp::now(),
        });
        let span = app.traces.span(&received);
        let mut tracker = Tracker::begin(&self, &received, seen);
        tracker.trace = Trace::of(span.clone());
        let asked = Asked {
            request: &received.parts,
            external: &external,
            peer: &self.peer,
        };
        let mut response = {
            // It is pinned where it is made: what serves a request is large, and to move it costs as much as to serve it.
            let serving = pin!(async {
                match v2::serve(app, asked, &tracker.seen, body).await {
                    Ok(response) => response,
                    Err(error) => error.into_response(id.as_str()),
                }
            });
            match span {
                None => about::serve(&received, serving).await,
                Some(span) => serving.instrument(span).await,
            }
        };
        if received.parts.method == Method::HEAD {
            ResponseBody::withhold(&mut response);
        }
        self.finish(&mut response);
        tracker.answer(response)
    }

    /// Adds what every answer has; what an answer says itself counts more than what the configuration says of all.
    fn finish(&self, response: &mut Response<ResponseBody>) {
        let headers = response.headers_mut();
        headers.insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
        for name in self.app.headers.keys() {
            if headers.contains_key(name) {
                continue;
            }
            for value in self.app.headers.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
    }
}

/// A request on its way; dropped early, its client has left.
#[derive(Debug)]
struct Tracker {
    service: Arc<Service>,
    received: Arc<Received>,
    seen: Arc<Seen>,
    trace: Trace,
    began: Instant,
    handler: Handler,
    status: StatusCode,
    content_type: Option<HeaderValue>,
    sent: u64,
    sending: bool,
}

impl Tracker {
    fn begin(service: &Arc<Service>, received: &Arc<Received>, seen: Arc<Seen>) -> Box<Self> {
        service.activity.begin();
        let handler = Handler::of(received.parts.uri.path());
        if let Some(metrics) = service.app.metrics.http() {
            metrics.begin(handler);
        }
        Box::new(Self {
            service: Arc::clone(service),
            received: Arc::clone(received),
            seen,
            trace: Trace::default(),
            began: Instant::now(),
            handler,
            status: StatusCode::OK,
            content_type: None,
            sent: 0,
            sending: false,
        })
    }

    fn answer(mut self: Box<Self>, response: Response<ResponseBody>) -> Response<Tracked> {
        self.sending = true;
        self.service.activity.send();
        let (mut parts, body) = response.into_parts();
        self.status = parts.status;
        if self.service.log.is_on() {
            self.content_type = parts.headers.get(CONTENT_TYPE).cloned();
        }
        let id = HeaderValue::from_str(self.received.id.as_str()).expect("an id is hexadecimal");
        parts.headers.insert(REQUEST_ID, id);
        Response::from_parts(
            parts,
            Tracked {
                body,
                tracker: self,
            },
        )
    }

    fn sent(&mut self, bytes: usize) {
        self.service.activity.touch();
        self.sent += bytes as u64;
    }

    /// Counts and logs the request.
    fn end(&self) {
        let took = self.began.elapsed();
        self.trace.end(self.status);
        let Service { app, log, .. } = &*self.service;
        if let Some(metrics) = app.metrics.http() {
            metrics.end(Ended {
                handler: self.handler,
                method: &self.received.parts.method,
                status: self.status,
                took,
                received: self.received.head_bytes() + self.seen.received(),
                sent: self.sent,
            });
        }
        if log.is_on() {
            let content_type = self.content_type.as_ref();
            let outcome = Outcome {
                id: self.received.id.as_str(),
                user: self.seen.user(),
                status: self.status,
                content_type: content_type.and_then(|kind| kind.to_str().ok()),
                sent: self.sent,
                took,
            };
            log.write(self.received.entry(), &outcome);
        }
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        if !self.sending {
            self.status = StatusCode::from_u16(CLIENT_LEFT).expect("it has three digits");
            self.service.activity.send();
        }
        self.end();
        self.service.activity.end();
    }
}

/// An answer's body; when it is dropped, the request is over.
pub(crate) struct Tracked {
    body: ResponseBody,
    tracker: Box<Tracker>,
}

impl Body for Tracked {
    type Data = Piece;
    type Error = BodyFailure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, BodyFailure>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            let piece = frame.data_ref();
            if let Some(piece) = piece {
                self.tracker.service.shortcut.open(piece);
            }
            self.tracker.sent(piece.map_or(0, Buf::remaining));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
