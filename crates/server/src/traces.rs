//! OpenTelemetry traces of requests, where the configuration asks for them.
//!
//! Each request has a span then, and none where nobody traces.

mod pipeline;

use http::{HeaderMap, StatusCode};
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::Status;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::config::Tracing;
use crate::log::access::clip;
use crate::metrics::handler::Handler;
use crate::received::Received;
pub(crate) use pipeline::Pipeline;
pub use pipeline::TracesError;

/// What the fields begin with by which a span tells the traces about itself; the log has no use for them.
pub(crate) const FIELDS: &str = "otel.";
/// The longest `tracestate` that a span keeps, in bytes: what W3C asks for.
const STATE_BYTES: usize = 512;

/// Whether requests are traced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traces {
    are_on: bool,
}

/// The trace of one request; the span ends with it.
#[derive(Debug, Default)]
pub(crate) struct Trace(Option<Span>);

impl Traces {
    /// As the configuration says.
    pub(crate) fn of(settings: &Tracing) -> Self {
        Self {
            are_on: settings.endpoint.is_some(),
        }
    }

    /// The span of the request where requests are traced; it continues the client's trace.
    pub(crate) fn span(self, received: &Received) -> Option<Span> {
        if !self.are_on {
            return None;
        }
        let request = &received.parts;
        let path = request.uri.path();
        let span = tracing::info_span!(
            "request",
            http.request.id = received.id.as_str(),
            http.request.method = clip(request.method.as_str()),
            http.request.path = clip(path),
            http.request.remoteaddr = %received.client,
            otel.kind = "server",
            otel.name = tracing::field::Empty,
        );
        let headers = TraceHeaders(&request.headers);
        let context = TraceContextPropagator::new().extract(&headers);
        // It fails for a span that is not sampled by the layer, which has no trace then.
        drop(span.set_parent(context));
        let kind = Handler::of(path).as_str();
        span.record("otel.name", name(request.method.as_str(), kind));
        span.set_attribute("url.path", clip(path).to_owned());
        span.set_attribute("client.address", received.client.to_string());
        Some(span)
    }
}

impl Trace {
    /// The trace of a request with this span, if it has one.
    pub(crate) fn of(span: Option<Span>) -> Self {
        Self(span)
    }

    /// Says how the request was answered.
    pub(crate) fn end(&self, status: StatusCode) {
        let Some(span) = &self.0 else {
            return;
        };
        span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
        if status.is_server_error() {
            span.set_status(Status::error(""));
        }
    }
}

/// What the span of a request is called: by its kind, since there may only be few names.
fn name(method: &str, kind: &str) -> String {
    const KNOWN: [&str; 6] = ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"];
    let method = Some(method).filter(|method| KNOWN.contains(method));
    let method = method.unwrap_or("HTTP");
    format!("{method} {kind}")
}

/// The headers of a request by which its client says what it belongs to.
struct TraceHeaders<'a>(&'a HeaderMap);

impl Extractor for TraceHeaders<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let value = self.0.get(key)?.to_str().ok()?;
        (value.len() <= STATE_BYTES).then_some(value)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_few_names() {
        assert_eq!(name("GET", "manifest"), "GET manifest");
        assert_eq!(name("BREW", "blob"), "HTTP blob");
    }

    #[test]
    fn headers_that_are_too_long_are_none() {
        let mut headers = HeaderMap::new();
        let state = "a".repeat(STATE_BYTES + 1);
        headers.insert("tracestate", state.parse().unwrap());
        headers.insert("traceparent", "00-x".parse().unwrap());

        let headers = TraceHeaders(&headers);

        assert_eq!(headers.get("tracestate"), None);
        assert_eq!(headers.get("traceparent"), Some("00-x"));
    }
}
