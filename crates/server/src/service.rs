//! One request from its first byte to its line in the access log.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tracing::Instrument;

use crate::activity::Activity;
use crate::app::App;
use crate::body::RequestBody;
use crate::log::access::{AccessLog, Entry};
use crate::peer::{Address, Peer};
use crate::response::{BodyFailure, ResponseBody};
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
        let (parts, body) = RequestBody::of(request, self.app.limits.pace);
        let external = self.app.outside.of(&parts, &self.peer);
        let span = tracing::info_span!(
            "request",
            http.request.id = %id,
            http.request.method = %parts.method,
            http.request.path = parts.uri.path(),
            http.request.remoteaddr = %external.client,
        );
        let tracker = Tracker::begin(&self, &parts, external.client, id.clone());
        let app = Arc::clone(&self.app);
        let served = async move {
            match v2::serve(&app, &parts, body).await {
                Ok(response) => response,
                Err(error) => error.into_response(&id),
            }
        };
        let response = served.instrument(span).await;
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
    log: AccessLog,
    activity: Arc<Activity>,
    /// None once the line is written.
    entry: Option<Box<Entry>>,
    sending: bool,
}

impl Tracker {
    fn begin(service: &Service, request: &Parts, client: Address, id: String) -> Self {
        service.activity.begin();
        Self {
            log: service.log.clone(),
            activity: Arc::clone(&service.activity),
            entry: Some(Box::new(Entry::of(request, client, id))),
            sending: false,
        }
    }

    fn answer(mut self, response: Response<ResponseBody>) -> Response<Tracked> {
        self.sending = true;
        self.activity.send();
        let (mut parts, body) = response.into_parts();
        if let Some(entry) = &mut self.entry {
            entry.status = parts.status;
            let id = HeaderValue::from_str(&entry.id).expect("an id is hexadecimal");
            parts.headers.insert(REQUEST_ID, id);
        }
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
        if let Some(entry) = &mut self.entry {
            entry.bytes += bytes as u64;
        }
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        if let Some(mut entry) = self.entry.take() {
            if !self.sending {
                entry.status = StatusCode::from_u16(CLIENT_LEFT).expect("it has three digits");
            }
            self.log.write(&entry);
        }
        if !self.sending {
            self.activity.send();
        }
        self.activity.end();
    }
}

/// An answer's body; when it is dropped, the request is over.
pub(crate) struct Tracked {
    body: ResponseBody,
    tracker: Tracker,
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = BodyFailure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFailure>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            self.tracker.sent(frame.data_ref().map_or(0, Bytes::len));
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
