//! What a service manager is told, if one listens: `sd_notify(3)`.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

/// Where the manager listens.
const SOCKET: &str = "NOTIFY_SOCKET";

/// Less patience than any manager has.
const SHORTEST: Duration = Duration::from_millis(1);

/// The registry answers.
pub(crate) fn ready() {
    tell("READY=1");
}

/// The registry stops.
pub(crate) fn stopping() {
    tell("STOPPING=1");
}

/// Says again and again that the process is alive, if the manager ends those that do not (`WatchdogSec=`).
///
/// It never returns: also who drains transfers is alive.
pub(crate) async fn stay_alive() {
    let read = |name: &str| std::env::var(name).ok();
    let Some(patience) = patience(read, std::process::id()) else {
        return;
    };
    let mut look = interval(patience / 3);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        tell("WATCHDOG=1");
    }
}

/// How long the manager waits for a word of this process.
fn patience(read: impl Fn(&str) -> Option<String>, process: u32) -> Option<Duration> {
    let other = read("WATCHDOG_PID").is_some_and(|text| text != process.to_string());
    let micros = read("WATCHDOG_USEC")?.parse().ok()?;
    let patience = Duration::from_micros(micros);
    (!other && patience >= SHORTEST).then_some(patience)
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

    #[test]
    fn the_patience_of_a_manager_counts_for_the_process_that_it_names() {
        let of = |micros: Option<&str>, process: Option<&str>| {
            let read = |name: &str| {
                let value = if name == "WATCHDOG_USEC" {
                    micros
                } else {
                    process
                };
                value.map(str::to_owned)
            };
            patience(read, 7)
        };

        let minute = Some(Duration::from_mins(1));
        assert_eq!(of(Some("60000000"), Some("7")), minute);
        assert_eq!(of(Some("60000000"), None), minute);
        for (micros, process) in [
            (Some("60000000"), Some("8")),
            (None, Some("7")),
            (Some("0"), None),
            (Some("-1"), None),
            (Some("a minute"), None),
        ] {
            assert_eq!(of(micros, process), None, "{micros:?} {process:?}");
        }
    }
}
