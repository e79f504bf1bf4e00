//! What is counted of requests, under the names, labels and bounds of distribution.

use std::sync::OnceLock;
use std::time::Duration;

use http::{Method, StatusCode};
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge};

use super::Metrics;
use super::handler::Handler;

/// The bounds of the times that requests take, in seconds.
const SECONDS: [f64; 13] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0,
];
/// The sizes begin at a kibibyte and double until two gibibytes.
const SIZES: (f64, f64, usize) = (1_024.0, 2.0, 22);

/// What is counted of requests.
#[derive(Debug)]
pub(crate) struct HttpMetrics {
    requests: IntCounterVec,
    durations: HistogramVec,
    request_sizes: HistogramVec,
    response_sizes: HistogramVec,
    handlers: [OfHandler; Handler::ALL.len()],
}

/// The statuses that requests are answered with, the usual ones first; any other is counted as well, but looked up each time.
const STATUSES: [u16; 26] = [
    200, 404, 201, 202, 401, 206, 204, 304, 307, 400, 403, 405, 408, 409, 411, 412, 413, 415, 416,
    429, 431, 499, 500, 503, 507, 301,
];

/// The values of the label for methods; what clients make up is the last one.
const METHODS: [&str; 10] = [
    "get", "head", "put", "post", "patch", "delete", "options", "connect", "trace", "unknown",
];

/// What is counted for a handler.
///
/// To look a metric up by its labels costs hashes and a lock, so each is looked up once; it is made then, so that a scrape shows only what happens.
#[derive(Debug)]
struct OfHandler {
    in_flight: IntGauge,
    sizes: OnceLock<(Histogram, Histogram)>,
    methods: [OnceLock<Box<OfMethod>>; METHODS.len()],
}

/// What is counted for a handler and a method.
#[derive(Debug)]
struct OfMethod {
    duration: Histogram,
    statuses: [OnceLock<IntCounter>; STATUSES.len()],
}

/// A request that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended<'a> {
    pub(crate) handler: Handler,
    pub(crate) method: &'a Method,
    pub(crate) status: StatusCode,
    pub(crate) took: Duration,
    /// Bytes of its head, nearly, and of its body.
    pub(crate) received: u64,
    /// Bytes of the answer's body.
    pub(crate) sent: u64,
}

impl HttpMetrics {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let in_flight = metrics.gauges(
            "registry_http_in_flight_requests",
            "The in-flight HTTP requests",
            &["handler"],
        );
        let (start, factor, count) = SIZES;
        let sizes = prometheus::exponential_buckets(start, factor, count)
            .expect("the bounds of sizes are positive");
        let histograms = |name: &str, help: &str, buckets: &[f64], labels: &[&str]| {
            let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            let histograms = HistogramVec::new(options, labels).expect("the names are valid ones");
            metrics.register(histograms)
        };
        Self {
            requests: metrics.counters(
                "registry_http_requests_total",
                "Total number of HTTP requests made.",
                &["code", "handler", "method"],
            ),
            durations: histograms(
                "registry_http_request_duration_seconds",
                "The HTTP request latencies in seconds.",
                &SECONDS,
                &["handler", "method"],
            ),
            request_sizes: histograms(
                "registry_http_request_size_bytes",
                "The HTTP request sizes in bytes.",
                &sizes,
                &["handler"],
            ),
            response_sizes: histograms(
                "registry_http_response_size_bytes",
                "The HTTP response sizes in bytes.",
                &sizes,
                &["handler"],
            ),
            handlers: Handler::ALL.map(|handler| OfHandler {
                in_flight: in_flight.with_label_values(&[handler.as_str()]),
                sizes: OnceLock::new(),
                methods: Default::default(),
            }),
        }
    }

    pub(crate) fn begin(&self, handler: Handler) {
        self.handlers[handler as usize].in_flight.inc();
    }

    pub(crate) fn end(&self, ended: Ended<'_>) {
        let name = ended.handler.as_str();
        let of_handler = &self.handlers[ended.handler as usize];
        let method = method_number(ended.method);
        let of_method = of_handler.methods[method].get_or_init(|| {
            let duration = self.durations.with_label_values(&[name, METHODS[method]]);
            let statuses = Default::default();
            Box::new(OfMethod { duration, statuses })
        });
        of_method.duration.observe(ended.took.as_secs_f64());
        let counter = || {
            let labels = [ended.status.as_str(), name, METHODS[method]];
            self.requests.with_label_values(&labels)
        };
        let status = ended.status.as_u16();
        match STATUSES.iter().position(|known| *known == status) {
            Some(known) => of_method.statuses[known].get_or_init(counter).inc(),
            None => counter().inc(),
        }
        let (received, sent) = of_handler.sizes.get_or_init(|| {
            (
                self.request_sizes.with_label_values(&[name]),
                self.response_sizes.with_label_values(&[name]),
            )
        });
        received.observe(as_float(ended.received));
        sent.observe(as_float(ended.sent));
        of_handler.in_flight.dec();
    }
}

/// Sizes beyond what a float holds exactly are no longer about single bytes.
#[expect(clippy::cast_precision_loss, reason = "histograms count in floats")]
fn as_float(bytes: u64) -> f64 {
    bytes as f64
}

/// Which of [`METHODS`] it is.
fn method_number(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::PUT => 2,
        Method::POST => 3,
        Method::PATCH => 4,
        Method::DELETE => 5,
        Method::OPTIONS => 6,
        Method::CONNECT => 7,
        Method::TRACE => 8,
        _ => 9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(method: &Method) -> Ended<'_> {
        Ended {
            handler: Handler::Manifest,
            method,
            status: StatusCode::OK,
            took: Duration::from_millis(7),
            received: 200,
            sent: 3_000,
        }
    }

    #[test]
    fn a_request_is_counted_once_in_each_metric() {
        let metrics = Metrics::new(true);
        let http = metrics.http().unwrap();

        http.begin(Handler::Manifest);
        http.end(ended(&Method::GET));

        let text = metrics.render().unwrap();
        for line in [
            "registry_http_requests_total{code=\"200\",handler=\"manifest\",method=\"get\"} 1",
            "registry_http_request_duration_seconds_count{handler=\"manifest\",method=\"get\"} 1",
            "registry_http_request_size_bytes_sum{handler=\"manifest\"} 200",
            "registry_http_response_size_bytes_bucket{handler=\"manifest\",le=\"2048\"} 0",
            "registry_http_response_size_bytes_bucket{handler=\"manifest\",le=\"4096\"} 1",
            "registry_http_in_flight_requests{handler=\"manifest\"} 0",
            "registry_http_in_flight_requests{handler=\"blob\"} 0",
        ] {
            assert!(text.contains(&format!("{line}\n")), "no `{line}` in {text}");
        }
    }

    #[test]
    fn methods_that_clients_make_up_are_one_value() {
        let metrics = Metrics::new(true);
        let http = metrics.http().unwrap();

        for method in ["FOO", "BAR", "get"] {
            http.end(ended(&Method::from_bytes(method.as_bytes()).unwrap()));
        }

        let text = metrics.render().unwrap();
        assert!(text.contains("method=\"unknown\"} 3\n"), "{text}");
    }

    #[test]
    fn every_method_and_every_status_is_counted_under_its_own_name() {
        let metrics = Metrics::new(true);
        let http = metrics.http().unwrap();
        let known = STATUSES.into_iter().chain([200, 599]);

        for status in known {
            let status = StatusCode::from_u16(status).unwrap();
            for method in METHODS {
                let method = method.to_uppercase().parse().unwrap();
                http.end(Ended {
                    status,
                    ..ended(&method)
                });
            }
        }

        let text = metrics.render().unwrap();
        for status in STATUSES.into_iter().chain([599]) {
            let count = if status == 200 { 2 } else { 1 };
            for method in METHODS {
                let line = format!(
                    "registry_http_requests_total{{code=\"{status}\",handler=\"manifest\",method=\"{method}\"}} {count}\n"
                );
                assert!(text.contains(&line), "no `{line}` in {text}");
            }
        }
    }

    #[test]
    fn a_request_in_flight_shows_until_it_has_ended() {
        let metrics = Metrics::new(true);

        metrics.http().unwrap().begin(Handler::Blob);

        let text = metrics.render().unwrap();
        assert!(
            text.contains("registry_http_in_flight_requests{handler=\"blob\"} 1\n"),
            "{text}"
        );
    }
}
