//! One connection below HTTP: a socket, perhaps encrypted.

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

/// A socket whose first byte can be looked at before anybody reads it.
#[derive(Debug)]
pub(crate) struct Socket {
    inner: Box<dyn Duplex>,
    first: Option<u8>,
}

/// What can be read and written, whatever the kind of its addresses.
trait Duplex: AsyncRead + AsyncWrite + Debug + Send + Sync + Unpin {}

impl Duplex for TcpStream {}
impl Duplex for UnixStream {}

/// What HTTP is spoken over.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(Socket),
    Secure(Box<TlsStream<Socket>>),
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        // Small answers must not wait for each other.
        let _ = stream.set_nodelay(true);
        Self {
            inner: Box::new(stream),
            first: None,
        }
    }
}

impl From<UnixStream> for Socket {
    fn from(stream: UnixStream) -> Self {
        Self {
            inner: Box::new(stream),
            first: None,
        }
    }
}

impl Socket {
    /// The first byte that the other side sends, or none if it sends nothing.
    pub(crate) async fn first(&mut self) -> io::Result<Option<u8>> {
        let mut first = [0];
        let count = self.inner.read(&mut first).await?;
        self.first = (count > 0).then_some(first[0]);
        Ok(self.first)
    }
}

impl Stream {
    /// The socket below, once nothing more is to be said on it.
    pub(crate) fn into_socket(self) -> Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Secure(stream) => stream.into_inner().0,
        }
    }

    fn duplex(self: Pin<&mut Self>) -> Pin<&mut dyn Duplex> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket),
            Self::Secure(stream) => Pin::new(stream.as_mut()),
        }
    }
}

impl Duplex for Socket {}
impl Duplex for TlsStream<Socket> {}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() > 0
            && let Some(first) = self.first.take()
        {
            buffer.put_slice(&[first]);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.duplex().poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.duplex().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.duplex().poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(socket) => socket.is_write_vectored(),
            Self::Secure(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.duplex().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.duplex().poll_shutdown(context)
    }
}
