//! An encrypted connection that writes much at once.
//!
//! HTTP/2 flushes each frame of at most 16 KiB, and HTTP/1 each piece of a body.
//! Sent as they come, each would be a system call of its own, and each frame a full record and another one for its last nine bytes.
//! So what is written makes full records, and they wait until they are worth a system call, or until the connection has done all that it can for now: whoever polls it then calls [`Flusher::flush`].

use std::io::{self, IoSlice, Write};
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};

use rustls::ServerConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use crate::listen::socket::Socket;

/// The most bytes that one record has.
const RECORD: usize = 16 << 10;
/// So many bytes are worth a system call, and so many are taken at once of a larger piece: a client that reads nothing leaves twice as many in memory.
const ENOUGH: usize = 64 << 10;

/// The connection as HTTP is spoken over it.
#[derive(Debug)]
pub(crate) struct Gathered(Arc<Mutex<Gathering>>);

/// Sends what was gathered; of a connection that is not encrypted there is nothing.
#[derive(Debug, Default)]
pub(crate) struct Flusher(Weak<Mutex<Gathering>>);

#[derive(Debug)]
struct Gathering {
    stream: Box<TlsStream<Socket>>,
    /// What is too little for a record yet.
    rest: Vec<u8>,
    /// How many bytes are encrypted and not sent.
    encrypted: usize,
    /// Why nothing more could be sent, until somebody is told.
    failed: Option<io::Error>,
}

impl Gathered {
    pub(crate) fn new(mut stream: Box<TlsStream<Socket>>) -> Self {
        // What waits is bounded here.
        stream.get_mut().1.set_buffer_limit(None);
        Self(Arc::new(Mutex::new(Gathering {
            stream,
            rest: Vec::new(),
            encrypted: 0,
            failed: None,
        })))
    }

    pub(crate) fn flusher(&self) -> Flusher {
        Flusher(Arc::downgrade(&self.0))
    }

    /// The socket below, once nothing more is to be said on it and nobody flushes.
    pub(crate) fn into_socket(self) -> Option<Socket> {
        let gathering = Arc::into_inner(self.0)?.into_inner();
        let gathering = gathering.unwrap_or_else(PoisonError::into_inner);
        Some(gathering.stream.into_inner().0)
    }

    /// One task polls the connection and flushes it, so nobody waits.
    fn lock(&self) -> MutexGuard<'_, Gathering> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flusher {
    /// Sends what there is; if the socket takes less, the task is woken when there is room, and has to come back here.
    ///
    /// Why that fails is told to whoever reads or writes next.
    pub(crate) fn flush(&self, context: &mut Context<'_>) {
        let Some(gathering) = self.0.upgrade() else {
            return;
        };
        let mut gathering = gathering.lock().unwrap_or_else(PoisonError::into_inner);
        if gathering.failed.is_none()
            && let Poll::Ready(Err(error)) = gathering.poll_all(context)
        {
            gathering.failed = Some(error);
            context.waker().wake_by_ref();
        }
    }
}

impl Gathering {
    fn poll_take(
        &mut self,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        if self.encrypted >= ENOUGH {
            ready!(self.poll_send(context))?;
        }
        let taken = self.encrypt(pieces)?;
        if self.encrypted >= ENOUGH
            && let Poll::Ready(Err(error)) = self.poll_send(context)
        {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(taken))
    }

    /// Encrypts the full records that there are with `pieces`, and keeps what is too little for another; how many bytes that are.
    fn encrypt(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let given: usize = pieces.iter().map(|piece| piece.len()).sum();
        let taken = given.min(ENOUGH);
        let all = self.rest.len() + taken;
        let full = all - all % RECORD;
        let now = full.saturating_sub(self.rest.len());
        if full > 0 {
            let rest = [IoSlice::new(&self.rest)];
            let parts = parts(&rest, 0..self.rest.len()).chain(parts(pieces, 0..now));
            let parts: Vec<_> = parts.collect();
            write_all(self.stream.get_mut().1, &parts, full)?;
            self.rest.clear();
            self.encrypted += full;
        }
        for part in parts(pieces, now..taken) {
            self.rest.extend_from_slice(&part);
        }
        Ok(taken)
    }

    /// Encrypts and sends everything.
    fn poll_all(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.encrypted >= ENOUGH {
            ready!(self.poll_send(context))?;
        }
        if !self.rest.is_empty() {
            let rest = [IoSlice::new(&self.rest)];
            write_all(self.stream.get_mut().1, &rest, self.rest.len())?;
            self.encrypted += self.rest.len();
            self.rest.clear();
        }
        self.poll_send(context)
    }

    /// Sends all records.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.encrypted = 0;
        Poll::Ready(Ok(()))
    }

    fn check(&mut self) -> io::Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }
}

/// The bytes of `pieces` that `range` says, counted over all of them.
fn parts<'a>(pieces: &'a [IoSlice<'_>], range: Range<usize>) -> impl Iterator<Item = IoSlice<'a>> {
    let mut before = 0;
    let cut = pieces.iter().map(move |piece| {
        let within = |at: usize| at.saturating_sub(before).min(piece.len());
        let part = &piece[within(range.start)..within(range.end)];
        before += piece.len();
        IoSlice::new(part)
    });
    cut.filter(|part| !part.is_empty())
}

/// Encrypts all of the `length` bytes; between two keys, rustls takes less at once.
fn write_all(
    session: &mut ServerConnection,
    pieces: &[IoSlice<'_>],
    length: usize,
) -> io::Result<()> {
    let mut written = session.writer().write_vectored(pieces)?;
    while written < length {
        let left: Vec<_> = parts(pieces, written..length).collect();
        match session.writer().write_vectored(&left)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            more => written += more,
        }
    }
    Ok(())
}

impl AsyncRead for Gathered {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut gathering = self.lock();
        gathering.check()?;
        Pin::new(&mut gathering.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Gathered {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.lock().poll_take(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.lock().poll_take(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Leaves it to the [`Flusher`], which sends more at once.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.lock().check())
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut gathering = self.lock();
        gathering.check()?;
        ready!(gathering.poll_all(context))?;
        Pin::new(&mut gathering.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::crypto::aws_lc_rs;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::{ClientConfig, RootCertStore, ServerConfig};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;
    use tokio_rustls::{TlsAcceptor, TlsConnector, client};

    use super::*;

    /// What a frame of HTTP/2 begins with.
    const HEAD: [u8; 9] = [1; 9];

    /// Both ends of an encrypted connection.
    async fn pair() -> (Gathered, client::TlsStream<UnixStream>) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (here, there) = UnixStream::pair().unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let connector = TlsConnector::from(Arc::new(client));
        let (server, client) = tokio::join!(
            acceptor.accept(Socket::from(here)),
            connector.connect("localhost".try_into().unwrap(), there)
        );
        (Gathered::new(Box::new(server.unwrap())), client.unwrap())
    }

    async fn flush(flusher: &Flusher) {
        poll_fn(|context| {
            flusher.flush(context);
            Poll::Ready(())
        })
        .await;
    }

    #[test]
    fn a_range_of_pieces_is_cut_at_both_ends() {
        let pieces = [b"abc", b"def", b"ghi"].map(|piece| IoSlice::new(piece));

        let cut: Vec<_> = parts(&pieces, 2..7).map(|part| part.to_vec()).collect();

        assert_eq!(cut, [b"c".to_vec(), b"def".to_vec(), b"g".to_vec()]);
        assert_eq!(parts(&pieces, 3..3).count(), 0);
    }

    #[tokio::test]
    async fn little_is_sent_when_the_connection_is_flushed() {
        let (mut here, mut there) = pair().await;
        let flusher = here.flusher();

        here.write_all(b"hel").await.unwrap();
        here.write_all(b"lo").await.unwrap();
        flush(&flusher).await;

        let mut came = [0; 5];
        there.read_exact(&mut came).await.unwrap();
        assert_eq!(&came, b"hello");
    }

    #[tokio::test]
    async fn many_frames_come_as_they_were_written() {
        let (mut here, mut there) = pair().await;
        let frames: Vec<_> = (0..200).map(|seed| vec![seed; RECORD]).collect();
        let sent = frames.clone();
        let sending = tokio::spawn(async move {
            for frame in &sent {
                here.write_all(&HEAD).await.unwrap();
                here.write_all(frame).await.unwrap();
                here.flush().await.unwrap();
            }
            here.shutdown().await.unwrap();
        });

        let mut came = Vec::new();
        there.read_to_end(&mut came).await.unwrap();

        sending.await.unwrap();
        let whole: Vec<_> = frames
            .iter()
            .flat_map(|frame| [&HEAD, frame.as_slice()].concat())
            .collect();
        assert!(came == whole);
    }
}
