//! One connection: encrypted if it is to be, then served until it ends, rests too long, or has to stop.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use boxyard_registry::Shortcut;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::ConnectionLimits;
use super::places::Seat;
use super::socket::{Socket, Stream};
use super::streams::{Begun, Driver};
use crate::activity::Activity;
use crate::app::App;
use crate::error::chain;
use crate::linger::{self, Linger};
use crate::log::access::AccessLog;
use crate::peer::{Address, Peer};
use crate::service::Service;
use crate::tls::{Gathered, HandshakeError, Tls};

/// The longest head of a request, which is answered with 431 when it is longer; `?tag=` may be there often.
const HEAD_BYTES: usize = 64 << 10;
/// The most lines in a head.
const HEAD_LINES: usize = 100;
/// The most requests at once on one connection.
const STREAMS: u32 = 128;
/// How many bytes of one body of HTTP/2 may be on their way before somebody takes them.
const STREAM_WINDOW: u32 = 1 << 20;
/// The same for all bodies of a connection, so that one that nobody takes at the moment does not hold up the others.
const CONNECTION_WINDOW: u32 = 8 << 20;
/// The longest frame that a client may send: the longer, the fewer have to be looked at, and each is in memory whole.
const FRAME: u32 = 64 << 10;
/// How much of one body of HTTP/2 waits to be encrypted, which then still finds it in the cache of a core.
const QUEUED: usize = 128 << 10;
/// How often a connection is looked at, unless it may rest for less than that.
const LOOK: Duration = Duration::from_secs(5);
/// How long a finished connection has for its farewell.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long a connection that has just begun may still ask for something when the server stops.
const BEGINNING: Duration = Duration::from_secs(2);
/// How long client and server may take to agree on TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What all connections share.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) app: Arc<App>,
    pub(super) log: AccessLog,
    pub(super) limits: ConnectionLimits,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) stop: CancellationToken,
    pub(super) cut: CancellationToken,
}

/// Which versions of HTTP are spoken on a connection.
#[derive(Clone, Copy, Debug)]
enum Versions {
    One,
    Two,
    /// Whichever the client begins with.
    Either,
}

/// Why a connection has to end.
#[derive(Clone, Copy, Debug)]
enum End {
    /// The server stops.
    Stop,
    /// Somebody else needs the place.
    Leave,
    /// It has done nothing for too long.
    Overdue,
}

impl Common {
    /// Serves one connection to its end.
    pub(super) async fn serve(self: Arc<Self>, socket: Socket, address: Address, place: Seat) {
        let mut peer = Peer::plain(address);
        let Some(tls) = &self.tls else {
            let versions = if self.limits.h2c {
                Versions::Either
            } else {
                Versions::One
            };
            return self
                .http(Stream::Plain(socket), peer, versions, place)
                .await;
        };
        // What a handshake needs is large, and only needed once.
        let accepted = timeout(HANDSHAKE, Box::pin(tls.accept(socket)));
        let accepted = place.leave.run_until_cancelled(accepted);
        let accepted = tokio::select! {
            accepted = accepted => accepted,
            () = self.beginnings_end() => None,
        };
        match accepted {
            None => {}
            Some(Err(_)) => {
                tracing::debug!(peer = %address, "the client took too long to agree on TLS");
            }
            Some(Ok(Err((error, socket)))) => {
                say(&error, address);
                if let Some(socket) = socket {
                    linger::close_socket(socket).await;
                }
            }
            Some(Ok(Ok(secured))) => {
                peer.is_secure = true;
                peer.certificates = secured.certificates;
                let versions = if secured.is_http2 {
                    Versions::Two
                } else {
                    Versions::One
                };
                let stream = Stream::Secure(Gathered::new(secured.stream));
                self.http(stream, peer, versions, place).await;
            }
        }
    }

    async fn http(&self, mut stream: Stream, peer: Peer, versions: Versions, place: Seat) {
        let shortcut = Arc::<Shortcut>::default();
        stream.take(Arc::clone(&shortcut));
        let address = peer.address;
        let activity = Arc::clone(&place.activity);
        let leave = place.leave.clone();
        let service = Arc::new(Service {
            app: Arc::clone(&self.app),
            log: self.log.clone(),
            peer,
            activity: Arc::clone(&activity),
            shortcut,
        });
        let service = service_fn(move |request| {
            let service = Arc::clone(&service);
            async move { Ok::<_, Infallible>(service.call(request).await) }
        });
        let flusher = stream.flusher();
        let io = TokioIo::new(Linger::new(stream, place));
        let begun = Begun::default();
        let builder = builder(versions, begun.clone());
        let connection = pin!(builder.serve_connection(io, service));
        let mut driver = Driver::new(connection, begun, flusher);
        // Each wakeup of a connection asks all that it waits for, but what is in here only when it has something to say: its locks are shared by all connections.
        let mut supervisor = FuturesUnordered::from_iter([self.supervise(&activity, &leave)]);
        let end = tokio::select! {
            biased;
            ended = driver.run() => {
                if let Err(error) = ended {
                    tracing::debug!(error = %chain(&*error), peer = %address, "a connection ended early");
                }
                return;
            }
            Some(end) = supervisor.next() => end,
        };
        match end {
            End::Stop => {}
            End::Leave => {
                tracing::debug!(peer = %address, "a connection that rested makes room for another");
                if activity.rest(Instant::now()).is_some() {
                    return;
                }
            }
            End::Overdue => {
                driver.connection().graceful_shutdown();
                let _ = timeout(FAREWELL, driver.run()).await;
                return;
            }
        }
        // Whoever has connected a moment ago is about to ask.
        tokio::select! {
            _ = driver.run() => return,
            _ = timeout(BEGINNING, activity.first()) => {}
            () = self.cut.cancelled() => {}
        }
        driver.connection().graceful_shutdown();
        let _ = self.cut.run_until_cancelled(driver.run()).await;
    }

    /// Waits until the connection has to end, whatever it does.
    async fn supervise(&self, activity: &Activity, leave: &CancellationToken) -> End {
        let idleness = &self.limits.idleness;
        let mut look = interval(LOOK.min(idleness.between));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return End::Stop,
                () = leave.cancelled() => return End::Leave,
                _ = look.tick() => if activity.is_overdue(idleness) {
                    return End::Overdue;
                },
            }
        }
    }

    /// Waits until connections that begin at the time of the stop have had their moment.
    async fn beginnings_end(&self) {
        self.stop.cancelled().await;
        let _ = timeout(BEGINNING, self.cut.cancelled()).await;
    }
}

/// Says why there is no encrypted connection: what somebody has to mend is said aloud.
fn say(error: &HandshakeError, address: Address) {
    match error {
        HandshakeError::Failed(_) | HandshakeError::Name { .. } => {
            tracing::info!(error = %chain(error), peer = %address, "no encrypted connection");
        }
        HandshakeError::Silent(_)
        | HandshakeError::Plain
        | HandshakeError::Other
        | HandshakeError::Challenge => {
            tracing::debug!(error = %chain(error), peer = %address, "no encrypted connection");
        }
    }
}

fn builder(versions: Versions, begun: Begun) -> Builder<Begun> {
    let mut builder = Builder::new(begun);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        // Whoever has said all may close that side and still read.
        .half_close(true)
        // Blobs are mapped, and must not be copied together with what is before and after them.
        .writev(true)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEAD_LINES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .max_send_buf_size(QUEUED)
        .max_header_list_size(u32::try_from(HEAD_BYTES).expect("a head is shorter than 4 GiB"));
    match versions {
        Versions::One => builder.http1_only(),
        Versions::Two => builder.http2_only(),
        Versions::Either => builder,
    }
}
