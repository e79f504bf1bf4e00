//! What is counted, for Prometheus.
//!
//! Names and labels are distribution's where it has them; ours begin with `boxyard_`.
//! A label never holds what clients choose, such as the name of a repository: its values are bounded.

mod collecting;
pub(crate) mod handler;
pub(crate) mod http;
pub(crate) mod logins;
mod process;
mod state;
pub(crate) mod storage;

use std::sync::OnceLock;

use ::http::HeaderValue;
use boxyard_registry::Vitals;
use prometheus::core::Collector;
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

use http::HttpMetrics;
use process::Process;
use state::State;

/// The form in which [`Metrics::render`] answers.
pub(crate) const CONTENT_TYPE: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// All that is counted in this process.
///
/// Whoever has something to count makes it here once, at the start, and keeps what it gets.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    http: Option<HttpMetrics>,
    process: Option<Process>,
    /// It is made once there is something to say of the registry.
    state: OnceLock<State>,
}

impl Metrics {
    /// Begins to count; requests only where somebody may ask.
    pub(crate) fn new(requests: bool) -> Self {
        let mut metrics = Self {
            registry: Registry::new(),
            http: None,
            process: None,
            state: OnceLock::new(),
        };
        let version = env!("CARGO_PKG_VERSION");
        metrics
            .gauges("boxyard_build_info", "The version that runs.", &["version"])
            .with_label_values(&[version])
            .set(1);
        metrics.process = Some(Process::new(&metrics));
        if requests {
            metrics.http = Some(HttpMetrics::new(&metrics));
        }
        metrics
    }

    /// What is counted of requests, where it is.
    pub(crate) fn http(&self) -> Option<&HttpMetrics> {
        self.http.as_ref()
    }

    /// Numbers that only grow, one for each combination of the labels' values.
    pub(crate) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        let counters = IntCounterVec::new(Opts::new(name, help), labels);
        self.register(counters.expect("the names are valid ones"))
    }

    /// Numbers that go up and down, one for each combination of the labels' values.
    pub(crate) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        let gauges = IntGaugeVec::new(Opts::new(name, help), labels);
        self.register(gauges.expect("the names are valid ones"))
    }

    /// Shows whatever `collector` has under its own name.
    pub(crate) fn register<C: Collector + Clone + 'static>(&self, collector: C) -> C {
        self.registry
            .register(Box::new(collector.clone()))
            .expect("each name is taken once");
        collector
    }

    /// Takes how the registry is.
    pub(crate) fn update(&self, vitals: &Vitals) {
        self.state.get_or_init(|| State::new(self)).update(vitals);
    }

    /// Everything in the text format of Prometheus.
    pub(crate) fn render(&self) -> Result<String, prometheus::Error> {
        if let Some(process) = &self.process {
            process.look();
        }
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_rendered_with_its_help() {
        let metrics = Metrics::new(false);
        let counted = metrics.counters("boxyard_things_total", "Things.", &["kind"]);

        counted.with_label_values(&["good"]).inc_by(3);

        let text = metrics.render().unwrap();
        assert!(
            text.contains("# HELP boxyard_things_total Things.\n"),
            "{text}"
        );
        assert!(
            text.contains("boxyard_things_total{kind=\"good\"} 3\n"),
            "{text}"
        );
        assert!(text.contains("boxyard_build_info{version="), "{text}");
    }
}
