//! From ended spans to a collector.
//!
//! Ended spans wait in a queue that drops what it has no place for, and threads of their own send them: whatever a collector does, no request waits for it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry::{Key, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter};
use tokio::runtime::{Builder, Handle, Runtime};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use crate::config::Tracing;
use crate::outgoing::{client_for, is_near};

/// What the traces say they come from, unless the variables of OpenTelemetry say otherwise.
const SERVICE: &str = "boxyard";
/// How long a collector on this machine may take for one batch.
const NEAR: Duration = Duration::from_secs(10);
/// How long the server waits in the end for what was not sent yet.
const FLUSH: Duration = Duration::from_secs(5);

/// Traces cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// There is no thread for it.
    #[error("start the thread that sends traces")]
    Thread(#[source] io::Error),
    /// There is no client for the collector.
    #[error("make a client for the collector of traces")]
    Client(#[source] ExporterBuildError),
    /// There is no client that asks the collector on this machine directly.
    #[error("make a client for the collector of traces on this machine")]
    Direct(#[source] reqwest::Error),
}

/// What sends spans; dropped, it sends the last ones.
#[derive(Debug)]
pub(crate) struct Pipeline {
    provider: SdkTracerProvider,
    runtime: Option<Runtime>,
}

impl Pipeline {
    /// Makes it ready, if requests are to be traced.
    pub(crate) fn start(settings: &Tracing) -> Result<Option<Self>, TracesError> {
        let Some(endpoint) = &settings.endpoint else {
            return Ok(None);
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("traces")
            .enable_all()
            .build()
            .map_err(TracesError::Thread)?;
        let mut exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint.as_str());
        if is_near(endpoint) {
            let client = client_for(endpoint).timeout(NEAR).build();
            exporter = exporter.with_http_client(client.map_err(TracesError::Direct)?);
        }
        let inner = exporter.build().map_err(TracesError::Client)?;
        let exporter = Exporter {
            inner: Arc::new(inner),
            runtime: runtime.handle().clone(),
            is_failing: AtomicBool::new(false),
        };
        let mut provider = SdkTracerProvider::builder()
            .with_resource(resource())
            .with_batch_exporter(exporter);
        if let Some(share) = settings.sampling {
            let sampler = Sampler::TraceIdRatioBased(share);
            provider = provider.with_sampler(Sampler::ParentBased(Box::new(sampler)));
        }
        Ok(Some(Self {
            provider: provider.build(),
            runtime: Some(runtime),
        }))
    }

    /// What hands our spans over; nothing else that is logged becomes part of a trace.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer(SERVICE))
            .with_location(false)
            .with_target(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(is_ours))
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        if let Err(error) = self.provider.shutdown_with_timeout(FLUSH) {
            tracing::warn!(%error, "the last traces are lost: the collector did not take them in time");
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with("boxyard")
}

/// Who says all this.
fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let said = Resource::builder().build();
    let name = said.get(&Key::from_static_str("service.name"));
    let is_named = name.is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let resource = Resource::builder().with_attribute(version);
    if is_named {
        resource.build()
    } else {
        resource.with_service_name(SERVICE).build()
    }
}

/// Sends batches within a runtime of its own, and tells the log when that begins to fail.
#[derive(Debug)]
struct Exporter {
    inner: Arc<opentelemetry_otlp::SpanExporter>,
    runtime: Handle,
    is_failing: AtomicBool,
}

impl Exporter {
    fn note(&self, result: &OTelSdkResult) {
        let was_failing = self.is_failing.swap(result.is_err(), Ordering::Relaxed);
        match result {
            Err(error) if !was_failing => {
                tracing::warn!(%error, "traces are lost: the collector does not take them");
            }
            Ok(()) if was_failing => tracing::info!("the collector takes traces again"),
            Err(_) | Ok(()) => {}
        }
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let inner = Arc::clone(&self.inner);
        let sent = self
            .runtime
            .spawn(async move { inner.export(batch).await })
            .await
            .unwrap_or_else(|error| Err(OTelSdkError::InternalFailure(error.to_string())));
        self.note(&sent);
        sent
    }

    fn set_resource(&mut self, resource: &Resource) {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.set_resource(resource);
        }
    }
}
