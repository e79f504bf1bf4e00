//! The registries that are measured, with everything durable, metrics and the access log on.

use std::env;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use boxyard_testkit::eventually;
use tempfile::TempDir;

use crate::connection::Connection;
use crate::process;

/// Which registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Peer {
    Boxyard,
    Distribution3,
    Distribution2,
}

/// A server at work in a folder of its own.
pub(crate) struct Server {
    process: Child,
    pub(crate) peer: Peer,
    pub(crate) address: SocketAddr,
    debug: SocketAddr,
    /// It goes with the server.
    _folder: TempDir,
}

const CONFIG: &str = "\
version: 0.1
log:
  level: info
storage:
  filesystem:
    rootdirectory: ROOT
  delete:
    enabled: true
  cache:
    blobdescriptor: inmemory
http:
  addr: ADDRESS
  debug:
    addr: DEBUG
    prometheus:
      enabled: true
";

impl Peer {
    /// All, the one that the others are compared with in the middle.
    pub(crate) const ALL: [Self; 3] = [Self::Boxyard, Self::Distribution3, Self::Distribution2];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Boxyard => "boxyard",
            Self::Distribution3 => "distribution 3.1.1",
            Self::Distribution2 => "distribution 2.8.2",
        }
    }

    fn program(self) -> Result<PathBuf> {
        let variable = |name| env::var_os(name).map(PathBuf::from);
        let tools = variable("BOXYARD_TOOLS")
            .or_else(|| Some(variable("HOME")?.join(".cache/boxyard/tools")))
            .context("the environment has a HOME")?;
        Ok(match self {
            Self::Boxyard => {
                variable("BOXYARD_BIN").unwrap_or_else(|| "target/release/boxyard".into())
            }
            Self::Distribution3 => tools.join("bin/registry-3.1.1"),
            Self::Distribution2 => "/usr/bin/docker-registry".into(),
        })
    }

    /// Starts a server over an empty folder, and waits until it answers.
    pub(crate) fn serve(self) -> Result<Server> {
        let folder =
            TempDir::with_prefix_in("boxyard-bench-", folder()?).context("make a folder")?;
        let (address, debug) = (free()?, free()?);
        let config = CONFIG
            .replace(
                "ROOT",
                &folder.path().join("registry").display().to_string(),
            )
            .replace("ADDRESS", &address.to_string())
            .replace("DEBUG", &debug.to_string());
        let path = folder.path().join("config.yml");
        fs::write(&path, config).context("write a configuration")?;
        let program = self.program()?;
        let log = File::create(folder.path().join("log")).context("make a log")?;
        let process = Command::new(&program)
            .arg("serve")
            .arg(&path)
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("share the log")?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let server = Server {
            process,
            peer: self,
            address,
            debug,
            _folder: folder,
        };
        eventually(self.name(), || {
            let mut connection = Connection::open(address).ok()?;
            let answer = connection.ask("GET", "/v2/", "", b"").ok()?;
            (answer.status == 200).then_some(())
        });
        Ok(server)
    }
}

impl Server {
    /// How many changes the tree does not show yet; distribution has none, since it answers only then.
    pub(crate) fn backlog(&self) -> Result<u64> {
        if self.peer != Peer::Boxyard {
            return Ok(0);
        }
        let mut connection = Connection::open(self.debug).context("connect to the metrics")?;
        let page = connection.page("/metrics").context("read the metrics")?;
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix("boxyard_projection_backlog "));
        let backlog = line.and_then(|value| value.trim().parse().ok());
        backlog.context("find the backlog among the metrics")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn cpu(&self) -> Result<Duration> {
        process::cpu(self.pid())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where the folders are: on a real disk, for a filesystem in memory syncs for nothing.
fn folder() -> Result<PathBuf> {
    let folder = Path::new("target/bench").to_owned();
    fs::create_dir_all(&folder).context("make target/bench")?;
    folder.canonicalize().context("find target/bench")
}

fn free() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("look for a free port")?;
    listener.local_addr().context("look for a free port")
}
