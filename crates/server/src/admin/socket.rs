//! The socket itself.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixSocket, UnixStream};

/// The longest path that an address of a socket holds.
const LONGEST: usize = 107;
/// Connections that the kernel keeps for us until we accept them.
const BACKLOG: u32 = 64;
/// Only the user that the server runs as, and root.
const MODE: u32 = 0o600;

/// Why the socket cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("listen on the socket of the administration, `{}`", .path.display())]
pub struct SocketError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// The socket, which goes when this is dropped.
#[derive(Debug)]
pub(crate) struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl AdminSocket {
    /// Listens at `path`, in place of a socket that a process has left there which has died.
    ///
    /// The caller holds the folder's lock, so nobody else listens there.
    pub(crate) fn bind(path: &Path) -> Result<Self, SocketError> {
        let failed = |source| SocketError {
            path: path.to_owned(),
            source,
        };
        let listener = listen(path).map_err(failed)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }

    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        Ok(self.listener.accept().await?.0)
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // What stays behind is replaced by the next one.
        let _ = fs::remove_file(&self.path);
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = UnixSocket::new_stream()?;
    bind(&socket, path)?;
    // Nobody can connect before it listens.
    fs::set_permissions(path, Permissions::from_mode(MODE))?;
    socket.listen(BACKLOG)
}

/// A path that is too long for an address is reached through its open folder.
fn bind(socket: &UnixSocket, path: &Path) -> io::Result<()> {
    if path.as_os_str().len() <= LONGEST {
        return socket.bind(path);
    }
    let folder = File::open(path.parent().unwrap_or(path))?;
    let short = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string());
    socket.bind(short.join(path.file_name().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_its_user_may_connect_and_a_stale_one_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.sock");
        std::mem::forget(AdminSocket::bind(&path).unwrap());

        let socket = AdminSocket::bind(&path).unwrap();

        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_path_may_be_longer_than_an_address() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("x".repeat(120));
        fs::create_dir(&folder).unwrap();

        let socket = AdminSocket::bind(&folder.join("admin.sock")).unwrap();

        assert!(folder.join("admin.sock").exists());
        drop(socket);
        assert!(!folder.join("admin.sock").exists());
    }
}
