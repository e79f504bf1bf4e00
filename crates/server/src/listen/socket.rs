//! One connection below HTTP: a socket, perhaps encrypted.

use std::fmt::Debug;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use boxyard_registry::Shortcut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::ahead::Ahead;
use super::file_sender::FileSender;
use crate::tls::{Flusher, Gathered};

/// A socket that can be looked at before anybody reads it.
#[derive(Debug)]
pub(crate) struct Socket {
    inner: Box<dyn FileSender>,
    /// What was received in larger pieces than it is taken in; none where it is taken as it comes.
    ahead: Option<Ahead>,
    /// Which of what is written is sent by the kernel from a file.
    shortcut: Option<Arc<Shortcut>>,
}

/// What can be read and written, encrypted or not.
trait Duplex: AsyncRead + AsyncWrite + Debug + Send + Sync + Unpin {}

/// What HTTP is spoken over.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(Socket),
    Secure(Gathered),
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        // Small answers must not wait for each other.
        let _ = stream.set_nodelay(true);
        Self {
            inner: Box::new(stream),
            ahead: None,
            shortcut: None,
        }
    }
}

impl From<UnixStream> for Socket {
    fn from(stream: UnixStream) -> Self {
        Self {
            inner: Box::new(stream),
            ahead: None,
            shortcut: None,
        }
    }
}

impl Socket {
    /// The first byte that the other side sends, or none if it sends nothing.
    ///
    /// From then on the socket is read ahead, as whoever looks first is about to read records.
    pub(crate) async fn first(&mut self) -> io::Result<Option<u8>> {
        let (inner, ahead) = (&mut self.inner, self.ahead.get_or_insert_default());
        poll_fn(|context| ahead.poll_fill(Pin::new(inner.as_mut()), context)).await?;
        Ok(ahead.first())
    }
}

impl Stream {
    /// Has the kernel send parts of files; what is encrypted cannot be sent so.
    pub(crate) fn take(&mut self, shortcut: Arc<Shortcut>) {
        if let Self::Plain(socket) = self {
            socket.shortcut = Some(shortcut);
        }
    }

    /// Sends what an encrypted connection has gathered.
    pub(crate) fn flusher(&self) -> Flusher {
        match self {
            Self::Plain(_) => Flusher::default(),
            Self::Secure(stream) => stream.flusher(),
        }
    }

    /// The socket below, once nothing more is to be said on it.
    pub(crate) fn into_socket(self) -> Option<Socket> {
        match self {
            Self::Plain(socket) => Some(socket),
            Self::Secure(stream) => stream.into_socket(),
        }
    }

    fn duplex(self: Pin<&mut Self>) -> Pin<&mut dyn Duplex> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket),
            Self::Secure(stream) => Pin::new(stream),
        }
    }
}

impl Duplex for Socket {}
impl Duplex for Gathered {}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { inner, ahead, .. } = self.get_mut();
        let inner = Pin::new(inner.as_mut());
        match ahead {
            None => inner.poll_read(context, buffer),
            Some(ahead) => ahead.poll_read(inner, context, buffer),
        }
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
        let found = self.shortcut.as_ref();
        match found.and_then(|shortcut| shortcut.find(pieces)) {
            Some((0, part)) => self.inner.poll_send_file(context, &part),
            Some((before, _)) => self.inner.poll_write_before(context, &pieces[..before]),
            None => Pin::new(&mut self.inner).poll_write_vectored(context, pieces),
        }
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
