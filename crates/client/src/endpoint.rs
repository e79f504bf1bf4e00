//! Where the registry is: another process, or this one.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;
use tokio::sync::mpsc;

/// The longest path that an address of a socket holds.
const LONGEST: usize = 107;

/// Where connections to the registry lead.
#[derive(Clone, Debug)]
pub enum Endpoint {
    /// To the process that listens at this path.
    Socket(PathBuf),
    /// To this process: it is given the other end of each connection.
    Inside(mpsc::Sender<UnixStream>),
}

impl Endpoint {
    /// Opens a connection.
    pub(crate) async fn connect(&self) -> io::Result<UnixStream> {
        match self {
            Self::Socket(path) => connect(path).await,
            Self::Inside(acceptor) => {
                let (ours, theirs) = UnixStream::pair()?;
                let sent = acceptor.send(theirs).await;
                sent.map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
                Ok(ours)
            }
        }
    }
}

/// Connects to the socket at `path`; one that is too long for an address is reached through its open folder.
async fn connect(path: &Path) -> io::Result<UnixStream> {
    if path.as_os_str().len() <= LONGEST {
        return UnixStream::connect(path).await;
    }
    let folder = path.parent().unwrap_or(path);
    let name = path.file_name().unwrap_or_default();
    let folder = File::open(folder)?;
    let short = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string());
    UnixStream::connect(short.join(name)).await
}
