//! Reading a socket in larger pieces than its bytes are taken in.
//!
//! What decrypts takes 4 KiB at a time: for a record of 16 KiB that would be five calls of the system.

use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

/// As much as heads of requests need.
const LEAST: usize = 8 << 10;
/// What stays in the cache of a core until it is decrypted.
const MOST: usize = 128 << 10;
/// What all connections on which much comes hold together, about: many have less each.
const TOGETHER: usize = 8 << 20;

/// On how many connections much comes.
static BUSY: AtomicUsize = AtomicUsize::new(0);

/// What was received and not taken yet.
#[derive(Debug)]
pub(crate) struct Ahead {
    bytes: BytesMut,
    /// How much is asked for next: more while it comes in large pieces.
    next: usize,
}

impl Default for Ahead {
    fn default() -> Self {
        Self {
            bytes: BytesMut::new(),
            next: LEAST,
        }
    }
}

impl Ahead {
    /// The first byte that was not taken.
    pub(crate) fn first(&self) -> Option<u8> {
        self.bytes.first().copied()
    }

    /// Takes from what was received, and receives more once that is empty.
    pub(crate) fn poll_read<R: AsyncRead + ?Sized>(
        &mut self,
        socket: Pin<&mut R>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.bytes.is_empty() {
            ready!(self.poll_fill(socket, context))?;
        }
        let count = self.bytes.len().min(buffer.remaining());
        buffer.put_slice(&self.bytes[..count]);
        self.bytes.advance(count);
        Poll::Ready(Ok(()))
    }

    /// Receives what there is; nothing is the end.
    pub(crate) fn poll_fill<R: AsyncRead + ?Sized>(
        &mut self,
        mut socket: Pin<&mut R>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.bytes.reserve(self.next);
        if self.bytes.is_empty() && self.bytes.capacity() > fair() {
            self.bytes = BytesMut::with_capacity(self.next);
        }
        let read = pin!(socket.read_buf(&mut self.bytes)).poll(context);
        match read {
            Poll::Ready(received) => {
                self.record(received?);
                Poll::Ready(Ok(()))
            }
            Poll::Pending => {
                self.rest();
                Poll::Pending
            }
        }
    }

    /// Asks for more next time if all of this came, and for less if not half of it did.
    fn record(&mut self, received: usize) {
        let next = if received >= self.next {
            self.next * 2
        } else if received < self.next / 2 {
            self.next / 2
        } else {
            self.next
        };
        self.ask_for(next.min(fair()).max(LEAST));
    }

    fn ask_for(&mut self, next: usize) {
        match (self.next > LEAST, next > LEAST) {
            (false, true) => BUSY.fetch_add(1, Ordering::Relaxed),
            (true, false) => BUSY.fetch_sub(1, Ordering::Relaxed),
            _ => 0,
        };
        self.next = next;
    }

    /// Keeps no memory that is not needed while nothing comes: most connections rest, and there are many.
    fn rest(&mut self) {
        if self.next == LEAST || self.bytes.capacity() > 2 * self.next {
            self.bytes = BytesMut::new();
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.ask_for(LEAST);
    }
}

/// How much may be received at once on a connection now.
fn fair() -> usize {
    most(BUSY.load(Ordering::Relaxed))
}

/// The same where much comes on `busy` connections.
fn most(busy: usize) -> usize {
    let part = (TOGETHER / busy.max(1)).clamp(2 * LEAST, MOST);
    1 << part.ilog2()
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn take(ahead: &mut Ahead, mut socket: &[u8], most: usize) -> Vec<u8> {
        let mut taken = Vec::new();
        loop {
            let mut piece = vec![0; most];
            let mut buffer = ReadBuf::new(&mut piece);
            let read =
                poll_fn(|context| ahead.poll_read(Pin::new(&mut socket), context, &mut buffer));
            read.await.unwrap();
            let filled = buffer.filled();
            if filled.is_empty() {
                return taken;
            }
            taken.extend_from_slice(filled);
        }
    }

    #[test]
    fn the_more_connections_are_busy_the_less_each_has_in_memory() {
        assert_eq!(most(0), MOST);
        assert_eq!(most(64), MOST);
        assert_eq!(most(200), 32 << 10);
        assert!(200 * most(200) <= TOGETHER);
        assert_eq!(most(100_000), 2 * LEAST);
    }

    #[tokio::test]
    async fn what_is_taken_in_small_pieces_is_what_came() {
        let sent: Vec<u8> = (0..=u8::MAX).cycle().take(1_000_003).collect();
        let mut ahead = Ahead::default();

        assert_eq!(take(&mut ahead, &sent, 4_096).await, sent);
        assert_eq!(ahead.next, MOST / 2);
    }

    #[tokio::test]
    async fn a_connection_that_rests_keeps_no_memory() {
        let mut ahead = Ahead::default();
        let (mut near, mut far) = tokio::io::duplex(4 * MOST);
        tokio::io::AsyncWriteExt::write_all(&mut far, &vec![7; 2 * MOST])
            .await
            .unwrap();
        let mut piece = vec![0; MOST];
        while let Poll::Ready(Ok(())) = futures_util::poll!(poll_fn(|context| {
            ahead.poll_read(Pin::new(&mut near), context, &mut ReadBuf::new(&mut piece))
        })) {}
        assert!(ahead.next > LEAST);

        for _ in 0..5 {
            tokio::io::AsyncWriteExt::write_all(&mut far, b"GET")
                .await
                .unwrap();
            while let Poll::Ready(Ok(())) = futures_util::poll!(poll_fn(|context| {
                ahead.poll_read(Pin::new(&mut near), context, &mut ReadBuf::new(&mut piece))
            })) {}
        }

        assert_eq!(ahead.bytes.capacity(), 0);
    }
}
