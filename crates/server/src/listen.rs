//! Listening, and serving connections until it is time to stop.

mod ahead;
mod bind;
mod connection;
mod file_sender;
mod path;
pub(crate) mod places;
pub(crate) mod socket;
mod streams;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::activity::Idleness;
use crate::app::App;
use crate::external::Proxies;
use crate::log::access::AccessLog;
use crate::peer::Address;
use crate::tls::Tls;
pub use bind::{BindError, Place};
pub(crate) use bind::{Bound, bind};
use connection::Common;
pub use path::PathError;
use places::{Places, Seat};
use socket::Socket;

/// How long to wait before accepting again, when the process has run out of something.
const RECOVER: Duration = Duration::from_secs(1);

/// What bounds connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionLimits {
    pub(crate) connections: usize,
    pub(crate) per_address: usize,
    pub(crate) idleness: Idleness,
    /// Whether HTTP/2 is served without TLS.
    pub(crate) h2c: bool,
    /// How long running requests have at the end.
    pub(crate) drain: Duration,
}

/// Serves every connection.
#[derive(Debug)]
pub(crate) struct Acceptor {
    pub(crate) bound: Bound,
    pub(crate) app: Arc<App>,
    pub(crate) log: AccessLog,
    pub(crate) limits: ConnectionLimits,
    /// Who may have many connections.
    pub(crate) proxies: Proxies,
    /// Whether and how connections are encrypted.
    pub(crate) tls: Option<Arc<Tls>>,
}

impl Acceptor {
    /// Accepts until `stop`; then lets running requests end, and cuts off those that take too long.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let limits = &self.limits;
        let places = Places::new(limits.connections, limits.per_address, self.proxies.clone());
        let connections = TaskTracker::new();
        let cut = CancellationToken::new();
        let common = Arc::new(Common {
            app: Arc::clone(&self.app),
            log: self.log.clone(),
            limits: self.limits,
            tls: self.tls.clone(),
            stop: stop.clone(),
            cut: cut.clone(),
        });
        while let Some((socket, address, place)) = self.next(&places, &stop).await {
            connections.spawn(Arc::clone(&common).serve(socket, address, place));
        }
        drop(self.bound);
        connections.close();
        if timeout(self.limits.drain, connections.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                connections = connections.len(),
                "running requests took too long and were cut off"
            );
            cut.cancel();
            connections.wait().await;
        }
    }

    /// The next connection and its place, or none when it is time to stop.
    async fn next(
        &self,
        places: &Arc<Places>,
        stop: &CancellationToken,
    ) -> Option<(Socket, Address, Seat)> {
        loop {
            let (socket, address) = match stop.run_until_cancelled(self.bound.accept()).await? {
                Ok(accepted) => accepted,
                Err(error) if is_of_one_connection(&error) => continue,
                Err(error) => {
                    tracing::error!(%error, "accept a connection");
                    let _ = timeout(RECOVER, stop.cancelled()).await;
                    continue;
                }
            };
            // Whoever was accepted is served, also at the last moment.
            let taken = tokio::select! {
                biased;
                taken = places.take(address) => taken,
                () = stop.cancelled() => return None,
            };
            match taken {
                Some(place) => return Some((socket, address, place)),
                None => {
                    tracing::debug!(peer = %address, "an address has too many connections, and another was closed");
                }
            }
        }
    }
}

/// Whether only this connection failed, before it was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}
