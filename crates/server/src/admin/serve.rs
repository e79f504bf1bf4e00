//! Serving the connections of the administration.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use boxyard_registry::Registry;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::route;
use super::socket::AdminSocket;
use crate::access::{Access, Asked};
use crate::app::{App, Limits};
use crate::body::RequestBody;
use crate::config::{Config, Pages};
use crate::external::Outside;
use crate::health::Health;
use crate::links::Links;
use crate::metrics::Metrics;
use crate::notifications::{Notifier, Origin};
use crate::peer::{Address, Peer};
use crate::response::ResponseBody;
use crate::seen::Seen;
use crate::server::registry_options;
use crate::traces::Traces;
use crate::v2;

/// How long to wait before accepting again, when the process has run out of something.
const RECOVER: Duration = Duration::from_secs(1);

/// Serves whoever has opened the socket.
#[derive(Clone, Debug)]
pub(crate) struct Attendant {
    /// Its gate lets an administrator do everything.
    pub(crate) app: Arc<App>,
    /// Ends the work of all commands.
    pub(super) stop: CancellationToken,
    /// How long running requests have at the end.
    drain: Duration,
    /// Ends the connections of those that take longer.
    cut: CancellationToken,
}

impl Attendant {
    /// Serves `registry` to an administrator.
    pub(crate) fn new(registry: &Arc<Registry>, notifier: &Notifier, config: &Config) -> Self {
        let manifest_bytes = registry_options(config).settings.manifest_bytes;
        let app = App {
            registry: Arc::clone(registry),
            access: Access::of_everybody(),
            links: Links::new(None, ""),
            outside: Outside::default(),
            limits: Limits {
                manifest_bytes,
                pace: config.limits.pace,
                read_only: config.storage.read_only,
                // The configuration bounds clients; commands ask for as much as they take.
                pages: Pages::default(),
            },
            notifier: notifier.clone(),
            headers: http::HeaderMap::new(),
            metrics: Arc::new(Metrics::new(false)),
            // Whoever administers is served also while the checks fail.
            health: Arc::new(Health::new()),
            traces: Traces::of(&config.tracing),
        };
        Self {
            app: Arc::new(app),
            stop: CancellationToken::new(),
            drain: config.http.drain,
            cut: CancellationToken::new(),
        }
    }

    /// Serves the socket until it is time to stop, and until every command has heard of that.
    pub(crate) async fn attend(mut self, socket: AdminSocket, stop: CancellationToken) {
        self.stop = stop;
        let connections = TaskTracker::new();
        while let Some(accepted) = self.stop.run_until_cancelled(socket.accept()).await {
            match accepted {
                Ok(stream) => drop(connections.spawn(self.clone().serve(stream))),
                Err(error) => {
                    tracing::error!(%error, "accept a connection of the administration");
                    let _ = timeout(RECOVER, self.stop.cancelled()).await;
                }
            }
        }
        drop(socket);
        self.end(&connections).await;
    }

    /// The same for connections from within this process.
    pub(super) async fn attend_inside(self, mut streams: mpsc::Receiver<UnixStream>) {
        let connections = TaskTracker::new();
        while let Some(Some(stream)) = self.stop.run_until_cancelled(streams.recv()).await {
            connections.spawn(self.clone().serve(stream));
        }
        self.end(&connections).await;
    }

    async fn end(&self, connections: &TaskTracker) {
        connections.close();
        if timeout(self.drain, connections.wait()).await.is_err() {
            tracing::warn!("commands of the administration took too long and were cut off");
            self.cut.cancel();
            connections.wait().await;
        }
    }

    async fn serve(self, stream: UnixStream) {
        let (stop, cut) = (self.stop.clone(), self.cut.clone());
        let service = service_fn(move |request| {
            let attendant = self.clone();
            async move { Ok::<_, Infallible>(attendant.call(request).await) }
        });
        // Blobs are mapped, and must not be copied together with what is before and after them.
        let mut builder = http1::Builder::new();
        builder.writev(true);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                match cut.run_until_cancelled(connection).await {
                    Some(ended) => ended,
                    None => return,
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection of the administration ended early");
        }
    }

    async fn call(&self, request: Request<Incoming>) -> Response<ResponseBody> {
        let id = request_id();
        let (mut parts, body) = RequestBody::of(request, self.app.limits.pace, Arc::default());
        parts.extensions.insert(Origin {
            id: id.clone(),
            external: None,
            seen: Arc::default(),
        });
        let served = if parts.uri.path().starts_with("/admin/") {
            tracing::info!(
                command = parts.uri.path(),
                "a command of the administration"
            );
            route::serve(self, &parts, body).await
        } else {
            let peer = Peer::plain(Address::Unix);
            let asked = Asked {
                request: &parts,
                external: &self.app.outside.of(&parts, &peer),
                peer: &peer,
            };
            v2::serve(&self.app, asked, &Seen::default(), body).await
        };
        served.unwrap_or_else(|error| error.into_response(&id))
    }
}

fn request_id() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("admin-{:08x}{number:08x}", crate::log::run_id())
}
