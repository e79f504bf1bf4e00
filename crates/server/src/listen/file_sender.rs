//! Sockets into which the kernel sends files.

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::task::{Context, Poll, ready};

use boxyard_registry::FilePart;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use tokio::io::{AsyncRead, AsyncWrite, Interest};
use tokio::net::{TcpStream, UnixStream};

/// A socket of whatever kind of addresses.
pub(super) trait FileSender: AsyncRead + AsyncWrite + Debug + Send + Sync + Unpin {
    /// Sends as much of the file as the socket takes now.
    fn poll_send_file(&self, context: &mut Context<'_>, part: &FilePart)
    -> Poll<io::Result<usize>>;

    /// Writes what comes right before a file, so that both leave together.
    fn poll_write_before(
        &self,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;
}

/// What sockets of Tokio have in common.
trait Ready: AsFd {
    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    fn attempt(&self, write: impl FnOnce() -> io::Result<usize>) -> io::Result<usize>;

    /// Writes when there is room; each time takes from what the task may do before others have their turn.
    fn poll_with(
        &self,
        context: &mut Context<'_>,
        write: impl Fn(&Self) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_ready(context))?;
            match self.attempt(|| write(self)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }
}

impl<S> FileSender for S
where
    S: Ready + AsyncRead + AsyncWrite + Debug + Send + Sync + Unpin,
{
    fn poll_send_file(
        &self,
        context: &mut Context<'_>,
        part: &FilePart,
    ) -> Poll<io::Result<usize>> {
        self.poll_with(context, |socket| part.send(socket))
    }

    fn poll_write_before(
        &self,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
        self.poll_with(context, |socket| {
            let mut nothing = SendAncillaryBuffer::default();
            Ok(sendmsg(socket, pieces, &mut nothing, flags)?)
        })
    }
}

impl Ready for TcpStream {
    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_ready(context)
    }

    fn attempt(&self, write: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
        self.try_io(Interest::WRITABLE, write)
    }
}

impl Ready for UnixStream {
    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_ready(context)
    }

    fn attempt(&self, write: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
        self.try_io(Interest::WRITABLE, write)
    }
}
