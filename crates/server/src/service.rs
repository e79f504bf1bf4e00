//! One request from its first byte to its line in the access log.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use boxyard_registry::Piece;
use bytes::Buf;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;
use tracing::Instrument;

use crate::access::Asked;
use crate::activity::Activity;
use crate::app::App;
use crate::body::RequestBody;
use crate::log::access::{AccessLog, Entry, Outcome, clip};
use crate::metrics::handler::Handler;
use crate::metrics::http::Ended;
use crate::notifications::Origin;
use crate::peer::{Address, Peer};
use crate::response::{BodyFailure, ResponseBody};
use crate::seen::Seen;
use crate::traces::Trace;
use crate::v2;
use crate::v2::headers::{API_VERSION, REQUEST_ID};

/// The status that the access log gives a request whose client left before it was answered.
const CLIENT_LEFT: u16 = 499;

/// Answers the requests of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) app: Arc<App>,
    pub(crate) log: AccessLog,
    pub(crate) peer: Peer,
    pub(crate) activity: Arc<Activity>,
}

impl Service {
    pub(crate) async fn call(self, request: Request<Incoming>) -> Response<Tracked> {
        let id = RequestIds::next();
        let seen = Arc::<Seen>::default();
        let (mut parts, body) = RequestBody::of(request, self.app.limits.pace, Arc::clone(&seen));
        let external = self.app.outside.of(&parts, &self.peer);
        let span = tracing::info_span!(
            "request",
            http.request.id = %id,
            http.request.method = clip(parts.method.as_str()),
            http.request.path = clip(parts.uri.path()),
            http.request.remoteaddr = %external.client,
            otel.kind = "server",
            otel.name = tracing::field::Empty,
        );
        let mut tracker = Tracker::begin(&self, &parts, external.client, id.clone(), seen);
        tracker.trace = self.app.traces.begin(&span, &parts, external.client);
        parts.extensions.insert(Origin {
            id: id.clone(),
            external: Some(external.clone()),
            seen: Arc::clone(&tracker.seen),
        });
        let app = Arc::clone(&self.app);
        let (seen, peer) = (Arc::clone(&tracker.seen), self.peer.clone());
        let served = async move {
            let asked = Asked {
                request: &parts,
                external: &external,
                peer: &peer,
            };
            match v2::serve(&app, asked, &seen, body).await {
                Ok(response) => response,
                Err(error) => error.into_response(&id),
            }
        };
        let mut response = served.instrument(span).await;
        if tracker.method == Method::HEAD {
            ResponseBody::withhold(&mut response);
        }
        tracker.answer(self.finish(response))
    }

    /// Adds what every answer has; what an answer says itself counts more than what the configuration says of all.
    fn finish(&self, mut response: Response<ResponseBody>) -> Response<ResponseBody> {
        let headers = response.headers_mut();
        headers.insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
        let own = std::mem::replace(headers, self.app.headers.clone());
        headers.extend(own);
        response
    }
}

/// Ids that no two requests of a process share, and rarely two of different ones.
struct RequestIds;

impl RequestIds {
    fn next() -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        format!("{:08x}{number:08x}", crate::log::run_id())
    }
}

/// A request on its way; dropped early, its client has left.
#[derive(Debug)]
struct Tracker {
    app: Arc<App>,
    log: AccessLog,
    activity: Arc<Activity>,
    seen: Arc<Seen>,
    trace: Trace,
    id: String,
    began: Instant,
    handler: Handler,
    method: Method,
    head_bytes: u64,
    /// None where requests are not logged.
    entry: Option<Box<Entry>>,
    status: StatusCode,
    /// Only where requests are logged.
    content_type: Option<HeaderValue>,
    sent: u64,
    sending: bool,
}

impl Tracker {
    fn begin(
        service: &Service,
        request: &Parts,
        client: Address,
        id: String,
        seen: Arc<Seen>,
    ) -> Self {
        service.activity.begin();
        let handler = Handler::of(request.uri.path());
        if let Some(metrics) = service.app.metrics.http() {
            metrics.begin(handler);
        }
        let entry = service.log.is_on().then(|| Entry::of(request, client));
        Self {
            app: Arc::clone(&service.app),
            log: service.log.clone(),
            activity: Arc::clone(&service.activity),
            seen,
            trace: Trace::default(),
            id,
            began: Instant::now(),
            handler,
            method: request.method.clone(),
            head_bytes: head_bytes(request),
            entry: entry.map(Box::new),
            status: StatusCode::OK,
            content_type: None,
            sent: 0,
            sending: false,
        }
    }

    fn answer(mut self, response: Response<ResponseBody>) -> Response<Tracked> {
        self.sending = true;
        self.activity.send();
        let (mut parts, body) = response.into_parts();
        self.status = parts.status;
        if self.entry.is_some() {
            self.content_type = parts.headers.get(CONTENT_TYPE).cloned();
        }
        let id = HeaderValue::from_str(&self.id).expect("an id is hexadecimal");
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
        self.activity.touch();
        self.sent += bytes as u64;
    }

    /// Counts and logs the request.
    fn end(&self) {
        let took = self.began.elapsed();
        self.trace.end(self.status);
        if let Some(metrics) = self.app.metrics.http() {
            metrics.end(Ended {
                handler: self.handler,
                method: &self.method,
                status: self.status,
                took,
                received: self.head_bytes + self.seen.received(),
                sent: self.sent,
            });
        }
        if let Some(entry) = &self.entry {
            self.log.write(
                entry,
                &Outcome {
                    id: &self.id,
                    user: self.seen.user(),
                    status: self.status,
                    content_type: self
                        .content_type
                        .as_ref()
                        .and_then(|kind| kind.to_str().ok()),
                    sent: self.sent,
                    took,
                },
            );
        }
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        if !self.sending {
            self.status = StatusCode::from_u16(CLIENT_LEFT).expect("it has three digits");
            self.activity.send();
        }
        self.end();
        self.activity.end();
    }
}

/// How long the head of a request is, nearly: some of it is gone once it is parsed.
fn head_bytes(request: &Parts) -> u64 {
    let line = request.method.as_str().len() + request.uri.path().len();
    let query = request.uri.query().map_or(0, str::len);
    let headers = request.headers.iter();
    let lines: usize = headers
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    (line + query + lines) as u64
}

/// An answer's body; when it is dropped, the request is over.
pub(crate) struct Tracked {
    body: ResponseBody,
    tracker: Tracker,
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
            self.tracker
                .sent(frame.data_ref().map_or(0, Buf::remaining));
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
