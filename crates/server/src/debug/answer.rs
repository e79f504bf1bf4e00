//! What administrators are answered.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::json;

use crate::health::Health;
use crate::metrics::{self, Metrics};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

type Answer = Response<Full<Bytes>>;

/// Answers administrators.
#[derive(Debug)]
pub(crate) struct Debugger {
    pub(crate) health: Arc<Health>,
    pub(crate) metrics: Arc<Metrics>,
    /// Where the metrics are, if they are served.
    pub(crate) metrics_path: Option<String>,
}

impl Debugger {
    pub(super) fn answer(&self, request: &Request<Incoming>) -> Answer {
        let path = request.uri().path();
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        if !reads {
            return not_allowed("GET, HEAD");
        }
        if self.metrics_path.as_deref() == Some(path) {
            return self.metrics();
        }
        match path {
            "/" => self.index(),
            "/livez" => text(StatusCode::OK, "ok\n"),
            "/readyz" => self.readiness(),
            "/debug/health" => self.failures(),
            _ => text(StatusCode::NOT_FOUND, "nothing is here; / lists what is\n"),
        }
    }

    fn index(&self) -> Answer {
        let mut list = "/debug/health\n/livez\n/readyz\n".to_owned();
        match &self.metrics_path {
            Some(path) => list.push_str(path),
            None => list.push_str("(no metrics: `http.debug.prometheus.enabled` is not set)"),
        }
        list.push('\n');
        text(StatusCode::OK, list)
    }

    fn metrics(&self) -> Answer {
        match self.metrics.render() {
            Ok(rendered) => with(StatusCode::OK, metrics::CONTENT_TYPE, rendered),
            Err(error) => {
                tracing::error!(%error, "render the metrics");
                text(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the metrics cannot be rendered; the log has the reason\n",
                )
            }
        }
    }

    fn readiness(&self) -> Answer {
        match self.health.ready() {
            Ok(()) => text(StatusCode::OK, "ok\n"),
            Err(why) => text(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("{}\n", why.as_str()),
            ),
        }
    }

    /// What distribution answers: the checks that fail, and an error where there are any.
    fn failures(&self) -> Answer {
        let failures = self.health.failures();
        let status = if failures.is_empty() {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        with(status, JSON, json!(failures).to_string())
    }
}

fn not_allowed(methods: &'static str) -> Answer {
    let mut answer = text(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("expected {methods}\n"),
    );
    let allow = HeaderValue::from_static(methods);
    answer.headers_mut().insert(ALLOW, allow);
    answer
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    with(status, TEXT, text)
}

fn with(status: StatusCode, kind: HeaderValue, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
