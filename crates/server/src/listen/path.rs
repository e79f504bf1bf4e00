//! A socket at a path of this machine.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixSocket};

use super::bind::BACKLOG;

/// Why a path cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// Something else lies there.
    #[error("`{}`, which `http.addr` names, is there and no socket: nothing was removed", .path.display())]
    Other {
        /// The path.
        path: PathBuf,
    },
    /// Somebody listens there.
    #[error("somebody listens on `{}` already, which `http.addr` names", .path.display())]
    Taken {
        /// The path.
        path: PathBuf,
    },
    /// It cannot be made.
    #[error("listen on `{}`, which `http.addr` names", .path.display())]
    Listen {
        /// The path.
        path: PathBuf,
        /// Why it cannot.
        #[source]
        source: io::Error,
    },
}

/// The file of a socket, which goes when this is dropped, unless another has taken its place.
#[derive(Debug)]
pub(super) struct SocketPath {
    path: PathBuf,
    identity: (u64, u64),
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        let file = fs::symlink_metadata(&self.path);
        if file.is_ok_and(|file| identity(&file) == self.identity) {
            // What stays behind is replaced by the next one.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Listens at `path`, in place of a socket on which nobody listens.
pub(super) fn listen(
    path: &Path,
    mode: Option<u32>,
) -> Result<(UnixListener, SocketPath), PathError> {
    make_way(path)?;
    let listen = || {
        let socket = UnixSocket::new_stream()?;
        socket.bind(path)?;
        let file = SocketPath {
            path: path.to_owned(),
            identity: identity(&fs::symlink_metadata(path)?),
        };
        // Nobody can connect before it listens.
        if let Some(mode) = mode {
            fs::set_permissions(path, Permissions::from_mode(mode))?;
        }
        Ok((socket.listen(BACKLOG)?, file))
    };
    listen().map_err(|source| PathError::Listen {
        path: path.to_owned(),
        source,
    })
}

/// Removes what a server that has died left behind, and nothing else.
fn make_way(path: &Path) -> Result<(), PathError> {
    let failed = |source| PathError::Listen {
        path: path.to_owned(),
        source,
    };
    let path_of = || path.to_owned();
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(file) if !file.file_type().is_socket() => {
            return Err(PathError::Other { path: path_of() });
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
        Ok(_) => Err(PathError::Taken { path: path_of() }),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[tokio::test]
    async fn the_socket_has_its_mode_and_goes_with_its_server() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("registry.sock");

        let bound = listen(&path, Some(0o660)).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        drop(bound);

        assert_eq!(mode & 0o777, 0o660);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn only_a_socket_on_which_nobody_listens_is_replaced() {
        let folder = TempDir::new().unwrap();
        let (path, other) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&other, "precious").unwrap();
        let (listener, file) = listen(&path, None).unwrap();

        let taken = listen(&path, None).unwrap_err();
        let precious = listen(&other, None).unwrap_err();
        std::mem::forget(file);
        drop(listener);
        let again = listen(&path, None);

        assert!(matches!(taken, PathError::Taken { .. }), "{taken}");
        assert!(matches!(precious, PathError::Other { .. }), "{precious}");
        assert!(again.is_ok() && other.exists());
    }

    #[tokio::test]
    async fn a_server_that_ends_late_leaves_the_socket_of_the_next() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("registry.sock");

        let (_, first) = listen(&path, None).unwrap();
        fs::rename(&path, folder.path().join("old")).unwrap();
        let (_, _second) = listen(&path, None).unwrap();
        drop(first);

        assert!(path.exists());
    }
}
