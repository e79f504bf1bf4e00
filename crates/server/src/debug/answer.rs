//! What administrators are answered.

use std::sync::{Arc, OnceLock};

use boxyard_registry::Registry;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::json;

use super::log;
use crate::error::chain;
use crate::health::Health;
use crate::log::level::LogLevel;
use crate::metrics::{self, Metrics};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

pub(super) type Answer = Response<Full<Bytes>>;

/// Answers administrators.
#[derive(Debug)]
pub(crate) struct Debugger {
    pub(crate) health: Arc<Health>,
    pub(crate) metrics: Arc<Metrics>,
    /// Where the metrics are, if they are served.
    pub(crate) metrics_path: Option<String>,
    pub(crate) level: LogLevel,
    /// Empty until the folder is open.
    pub(crate) registry: Arc<OnceLock<Arc<Registry>>>,
}

impl Debugger {
    pub(super) async fn answer(&self, request: &Request<Incoming>) -> Answer {
        let path = request.uri().path();
        if path == "/debug/log" {
            return log::answer(&self.level, request);
        }
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        if !reads {
            return not_allowed("GET, HEAD");
        }
        if self.metrics_path.as_deref() == Some(path) {
            return self.metrics().await;
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
        let mut list = "/debug/health\n/debug/log\n/livez\n/readyz\n".to_owned();
        match &self.metrics_path {
            Some(path) => list.push_str(path),
            None => list.push_str("(no metrics: `http.debug.prometheus.enabled` is not set)"),
        }
        list.push('\n');
        text(StatusCode::OK, list)
    }

    async fn metrics(&self) -> Answer {
        if let Some(registry) = self.registry.get() {
            match registry.vitals().await {
                Ok(vitals) => self.metrics.update(&vitals),
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "count what the metrics say of the registry");
                }
            }
        }
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
        let (is_ready, said) = self.health.readiness();
        let status = if is_ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        text(status, format!("{said}\n"))
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

pub(super) fn not_allowed(methods: &'static str) -> Answer {
    let mut answer = text(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("expected {methods}\n"),
    );
    let allow = HeaderValue::from_static(methods);
    answer.headers_mut().insert(ALLOW, allow);
    answer
}

pub(super) fn text(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    with(status, TEXT, text)
}

pub(super) fn with(status: StatusCode, kind: HeaderValue, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
