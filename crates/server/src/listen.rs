//! Listening, and serving connections until it is time to stop.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::activity::{Activity, Idleness};
use crate::app::App;
use crate::linger::Linger;
use crate::log::access::AccessLog;
use crate::peer::{Address, Peer};
use crate::service::Service;

/// Connections that the kernel keeps for us until we accept them.
const BACKLOG: u32 = 1_024;
/// The longest head of a request, which is answered with 431 when it is longer; `?tag=` may be there often.
const HEAD_BYTES: usize = 64 << 10;
/// The most lines in a head.
const HEAD_LINES: usize = 100;
/// The most requests at once on one connection.
const STREAMS: u32 = 128;
/// How often a connection is looked at, unless it may rest for less than that.
const LOOK: Duration = Duration::from_secs(5);
/// How long to wait before accepting again, when the process has run out of something.
const RECOVER: Duration = Duration::from_secs(1);
/// How long a finished connection has for its farewell.
const FAREWELL: Duration = Duration::from_secs(1);

/// What bounds connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionLimits {
    pub(crate) connections: usize,
    pub(crate) idleness: Idleness,
    pub(crate) http2: bool,
    /// How long running requests have at the end.
    pub(crate) drain: Duration,
}

/// Why the address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address means nothing.
    #[error("find `{address}`, which `http.addr` names")]
    Lookup {
        /// What the configuration says.
        address: String,
        /// Why it was not found.
        #[source]
        source: io::Error,
    },
    /// The name has no address.
    #[error("`{address}`, which `http.addr` names, has no address")]
    Nothing {
        /// What the configuration says.
        address: String,
    },
    /// The address is taken, or not ours.
    #[error("listen on `{address}`, which `http.addr` names")]
    Listen {
        /// What the configuration says.
        address: String,
        /// Why it cannot be listened on.
        #[source]
        source: io::Error,
    },
}

/// A listener and the address that it got.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
}

/// Listens on `address`, which is as Go has it: `:5000` is every address of the machine.
pub(crate) async fn bind(address: &str) -> Result<Bound, BindError> {
    let failed = |source| BindError::Listen {
        address: address.to_owned(),
        source,
    };
    if let Some(port) = address.strip_prefix(':') {
        let everywhere = |host: &str| format!("{host}:{port}");
        // A kernel without IPv6 still has the other half.
        return match open(&everywhere("[::]")).await {
            Err(error) if has_no_ipv6(&error) => open(&everywhere("0.0.0.0")).await.map_err(failed),
            opened => opened.map_err(failed),
        };
    }
    let found = lookup_host(address)
        .await
        .map_err(|source| BindError::Lookup {
            address: address.to_owned(),
            source,
        })?;
    let mut found: Vec<SocketAddr> = found.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    let first = found.first().ok_or_else(|| BindError::Nothing {
        address: address.to_owned(),
    })?;
    listen(*first).map_err(failed)
}

async fn open(address: &str) -> io::Result<Bound> {
    match lookup_host(address).await?.next() {
        Some(address) => listen(address),
        None => Err(io::Error::from(io::ErrorKind::AddrNotAvailable)),
    }
}

fn has_no_ipv6(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Unsupported | io::ErrorKind::AddrNotAvailable
    )
}

fn listen(address: SocketAddr) -> io::Result<Bound> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit it, and so notice a client that has lost its network.
    socket.set_keepalive(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    Ok(Bound {
        address: listener.local_addr()?,
        listener,
    })
}

/// Where a client on this machine reaches the listener.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()))
    } else {
        address
    }
}

/// Serves every connection.
#[derive(Debug)]
pub(crate) struct Acceptor {
    pub(crate) listener: TcpListener,
    pub(crate) app: Arc<App>,
    pub(crate) log: AccessLog,
    pub(crate) limits: ConnectionLimits,
}

impl Acceptor {
    /// Accepts until `stop`; then lets running requests end, and cuts off those that take too long.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(self.limits.connections));
        let connections = TaskTracker::new();
        let cut = CancellationToken::new();
        let builder = Arc::new(builder(&self.limits));
        while let Some((stream, peer, place)) = self.next(&places, &stop).await {
            let connection = Connection {
                service: Service {
                    app: Arc::clone(&self.app),
                    log: self.log.clone(),
                    peer: Peer::plain(Address::tcp(peer)),
                    activity: Arc::new(Activity::new()),
                },
                idleness: self.limits.idleness,
                stop: stop.clone(),
                cut: cut.clone(),
            };
            connections.spawn(connection.serve(Arc::clone(&builder), stream, place));
        }
        drop(self.listener);
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
        places: &Arc<Semaphore>,
        stop: &CancellationToken,
    ) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        loop {
            let place = Arc::clone(places).acquire_owned();
            let place = stop.run_until_cancelled(place).await?.ok()?;
            match stop.run_until_cancelled(self.listener.accept()).await? {
                Ok((stream, peer)) => {
                    // Small answers must not wait for each other.
                    let _ = stream.set_nodelay(true);
                    return Some((stream, peer, place));
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "accept a connection");
                    let _ = timeout(RECOVER, stop.cancelled()).await;
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

fn builder(limits: &ConnectionLimits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        // Whoever has said all may close that side and still read.
        .half_close(true)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEAD_LINES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(HEAD_BYTES).expect("a head is shorter than 4 GiB"));
    if limits.http2 {
        builder
    } else {
        builder.http1_only()
    }
}

/// One connection.
struct Connection {
    service: Service,
    idleness: Idleness,
    stop: CancellationToken,
    cut: CancellationToken,
}

impl Connection {
    async fn serve(
        self,
        builder: Arc<Builder<TokioExecutor>>,
        stream: TcpStream,
        place: OwnedSemaphorePermit,
    ) {
        let service = self.service.clone();
        let service = service_fn(move |request| {
            let service = service.clone();
            async move { Ok::<_, Infallible>(service.call(request).await) }
        });
        let io = TokioIo::new(Linger::new(stream, place));
        let mut connection = pin!(builder.serve_connection(io, service));
        let mut look = interval(LOOK.min(self.idleness.between));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, peer = %self.service.peer.address, "a connection ended early");
                    }
                    return;
                }
                () = self.stop.cancelled() => break,
                _ = look.tick() => if self.service.activity.is_overdue(&self.idleness) {
                    connection.as_mut().graceful_shutdown();
                    let _ = timeout(FAREWELL, connection).await;
                    return;
                },
            }
        }
        connection.as_mut().graceful_shutdown();
        let _ = self.cut.run_until_cancelled(connection).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_alone_is_every_address() {
        let bound = bind(":0").await.unwrap();

        assert!(bound.address.ip().is_unspecified());
    }

    #[tokio::test]
    async fn a_name_is_looked_up() {
        let bound = bind("localhost:0").await.unwrap();

        assert!(bound.address.ip().is_loopback());
    }

    #[tokio::test]
    async fn a_taken_address_is_named() {
        let taken = bind("127.0.0.1:0").await.unwrap();
        let address = taken.address.to_string();

        let error = bind(&address).await.unwrap_err();

        assert!(error.to_string().contains(&address), "{error}");
    }

    #[test]
    fn every_address_is_reached_by_the_local_one() {
        let reached = |text: &str| reachable(text.parse().unwrap()).to_string();

        assert_eq!(reached("[::]:5000"), "127.0.0.1:5000");
        assert_eq!(reached("192.0.2.1:80"), "192.0.2.1:80");
    }
}
