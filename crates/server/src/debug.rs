//! The second listener, for administrators: metrics, health, and the level of the log.
//!
//! It answers before the folder is open and until everything is written, so that a start that waits and a stop that takes long can be seen.

mod answer;
mod log;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) use answer::Debugger;

use crate::listen;

/// How many connections there may be; whoever scrapes keeps one.
const CONNECTIONS: usize = 64;
/// How long a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a connection may live.
const LIFETIME: Duration = Duration::from_hours(1);
/// How long to wait before accepting again, when the process has run out of something.
const RECOVER: Duration = Duration::from_secs(1);

/// Why administrators cannot be answered.
#[derive(Debug, thiserror::Error)]
#[error("listen on `{address}`, which `http.debug.addr` names")]
pub struct DebugBindError {
    /// What the configuration says.
    address: String,
    /// Why it cannot be listened on.
    #[source]
    source: io::Error,
}

/// The running listener; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct DebugListener {
    _running: DropGuard,
}

impl DebugListener {
    /// Listens on `address`, as Go has it, and answers in the background.
    pub(crate) async fn start(address: &str, debugger: Debugger) -> Result<Self, DebugBindError> {
        let failed = |source| DebugBindError {
            address: address.to_owned(),
            source,
        };
        let listener = open(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        if !bound.ip().is_loopback() {
            tracing::warn!(address = %bound, "everybody who reaches the debug listener sees the metrics and may change the level of the log");
        }
        tracing::info!(address = %listen::Place::Tcp(bound).reachable(), "the debug listener answers");
        let stop = CancellationToken::new();
        tokio::spawn(accept(listener, Arc::new(debugger), stop.clone()));
        Ok(Self {
            _running: stop.drop_guard(),
        })
    }
}

/// A port alone is every address of the machine; a kernel without IPv6 still has the other half.
async fn open(address: &str) -> io::Result<TcpListener> {
    let Some(port) = address.strip_prefix(':') else {
        return TcpListener::bind(address).await;
    };
    match TcpListener::bind(format!("[::]:{port}")).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        Err(_) => TcpListener::bind(format!("0.0.0.0:{port}")).await,
    }
}

async fn accept(listener: TcpListener, debugger: Arc<Debugger>, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned();
        let Some(Ok(place)) = stop.run_until_cancelled(place).await else {
            return;
        };
        match stop.run_until_cancelled(listener.accept()).await {
            None => return,
            Some(Ok((stream, _))) => {
                let served = serve(stream, Arc::clone(&debugger));
                let stop = stop.clone();
                tokio::spawn(async move {
                    let _ = stop.run_until_cancelled(timeout(LIFETIME, served)).await;
                    drop(place);
                });
            }
            Some(Err(error)) => {
                tracing::error!(%error, "accept a connection of the debug listener");
                let _ = timeout(RECOVER, stop.cancelled()).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, debugger: Arc<Debugger>) {
    let service = service_fn(move |request| {
        let debugger = Arc::clone(&debugger);
        async move { Ok::<_, Infallible>(debugger.answer(&request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection of the debug listener ended early");
    }
}
