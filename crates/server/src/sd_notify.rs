//! What a service manager is told, if one listens: `sd_notify(3)`.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Where the manager listens.
const SOCKET: &str = "NOTIFY_SOCKET";

/// The registry answers.
pub(crate) fn ready() {
    tell("READY=1");
}

/// The registry stops.
pub(crate) fn stopping() {
    tell("STOPPING=1");
}

fn tell(state: &str) {
    let Some(socket) = std::env::var_os(SOCKET) else {
        return;
    };
    if let Err(error) = send(&socket, state) {
        tracing::warn!(%error, state, "the service manager does not listen");
    }
}

/// Sends to a path, or to a name without a file, which begins with `@`.
fn send(socket: &OsStr, state: &str) -> io::Result<()> {
    let address = match socket.as_bytes().split_first() {
        Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn the_manager_hears_it_at_a_path() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let mut heard = [0; 32];

        send(path.as_os_str(), "READY=1").unwrap();
        let length = manager.recv(&mut heard).unwrap();

        assert_eq!(&heard[..length], b"READY=1");
    }

    #[test]
    fn the_manager_hears_it_by_a_name() {
        let name = format!("boxyard-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        let mut heard = [0; 32];

        send(OsStr::new(&format!("@{name}")), "STOPPING=1").unwrap();
        let length = manager.recv(&mut heard).unwrap();

        assert_eq!(&heard[..length], b"STOPPING=1");
    }
}
