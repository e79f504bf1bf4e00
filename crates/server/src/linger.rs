//! A connection that is closed gently.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use crate::listen::places::Seat;
use crate::listen::socket::{Socket, Stream};

/// How long a closed connection is still read.
const WITHIN: Duration = Duration::from_secs(10);
/// How long it may be silent meanwhile.
const IDLE: Duration = Duration::from_secs(2);

/// A connection whose last answer reaches the client.
///
/// Closing a socket that has unread bytes resets the connection, and the client's kernel then throws away what it has received but not yet read: an error such as 431 or 408 would never be seen.
/// So when this is dropped, our side is closed first, and the other side is read for a while.
#[derive(Debug)]
pub(crate) struct Linger {
    open: Option<(Stream, Seat)>,
}

impl Linger {
    /// Takes a connection with its place among the connections.
    pub(crate) fn new(stream: Stream, place: Seat) -> Self {
        Self {
            open: Some((stream, place)),
        }
    }

    fn stream(self: Pin<&mut Self>) -> Pin<&mut Stream> {
        let (stream, _) = self
            .get_mut()
            .open
            .as_mut()
            .expect("it is open until it is dropped");
        Pin::new(stream)
    }
}

impl Drop for Linger {
    fn drop(&mut self) {
        let Some((stream, place)) = self.open.take() else {
            return;
        };
        // Who has to leave has asked for nothing, and somebody waits for the place.
        if place.leave.is_cancelled() {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(close(stream, place));
        }
    }
}

async fn close(mut stream: Stream, place: Seat) {
    let closing = async {
        // An encrypted connection says first that nothing more comes.
        let closed = timeout_at(Instant::now() + IDLE, stream.shutdown()).await;
        if matches!(closed, Ok(Ok(())))
            && let Some(socket) = stream.into_socket()
        {
            drain(socket).await;
        }
    };
    let _ = place.leave.run_until_cancelled(closing).await;
}

/// Closes a socket on which no HTTP was spoken.
pub(crate) async fn close_socket(mut socket: Socket) {
    if socket.shutdown().await.is_ok() {
        drain(socket).await;
    }
}

/// Reads and forgets for a while, encrypted or not.
async fn drain(mut socket: Socket) {
    let end = Instant::now() + WITHIN;
    let mut forgotten = [0; 4_096];
    let mut until = end.min(Instant::now() + IDLE);
    while let Ok(Ok(1..)) = timeout_at(until, socket.read(&mut forgotten)).await {
        until = end.min(Instant::now() + IDLE);
    }
}

impl AsyncRead for Linger {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(context, buffer)
    }
}

impl AsyncWrite for Linger {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        let open = self.open.as_ref();
        open.is_some_and(|(stream, _)| stream.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
    }
}
