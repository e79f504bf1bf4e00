//! A folder, and a server at work in it.

use std::fmt::Write;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use boxyard_testkit::eventually;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::connection::{Connection, Protocol, Way};
use crate::contender::Contender;
use crate::process;
use crate::realm::{self, Right};
use crate::{floor, tls, yard};

/// How long a server may take with a large folder.
const PATIENCE: Duration = Duration::from_mins(15);

/// A folder of one contender, which outlives its servers.
pub(crate) struct Site {
    pub(crate) contender: Contender,
    folder: PathBuf,
    /// Files that are too many for a disk which frees the blocks of each at once, as `discard` has it.
    memory: Option<TempDir>,
}

/// A server that answers.
pub(crate) struct Server {
    process: Child,
    pub(crate) contender: Contender,
    pub(crate) address: SocketAddr,
    protocol: Protocol,
    debug: SocketAddr,
    /// How long the first answer took since the process began.
    pub(crate) first_answer: Duration,
}

impl Site {
    pub(crate) fn new(contender: Contender) -> Result<Self> {
        let folder = yard::folder()?;
        fs::create_dir(folder.join("registry")).context("make the root")?;
        Ok(Self {
            contender,
            folder,
            memory: None,
        })
    }

    /// The same with the tree in memory, for hundreds of thousands of small files; the database stays on the disk.
    pub(crate) fn of_many_files(contender: Contender) -> Result<Self> {
        let memory = Path::new("/dev/shm");
        let memory = memory
            .exists()
            .then(|| TempDir::with_prefix_in("boxyard-bench-", memory));
        let mut site = Self::new(contender)?;
        site.memory = memory.transpose().context("make a folder in memory")?;
        Ok(site)
    }

    /// The folder of what is stored.
    pub(crate) fn root(&self) -> PathBuf {
        let memory = self.memory.as_ref();
        memory.map_or_else(
            || self.folder.join("registry"),
            |memory| memory.path().to_owned(),
        )
    }

    /// The database of this registry.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder().join("boxyard.db")
    }

    /// The folder around it.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Waits until the server has logged this.
    pub(crate) fn wait_for_log(&self, words: &str) -> Result<()> {
        let begun = Instant::now();
        while !fs::read_to_string(self.folder().join("log"))?.contains(words) {
            ensure!(begun.elapsed() < PATIENCE, "waited too long for “{words}”");
            thread::park_timeout(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Writes the configuration of a registry.
    pub(crate) fn configure(
        &self,
        (address, debug): (SocketAddr, SocketAddr),
        protocol: Protocol,
    ) -> Result<PathBuf> {
        let mut config = format!(
            "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\n  cache:\n    blobdescriptor: inmemory\nhttp:\n  addr: {address}\n  debug:\n    addr: {debug}\n    prometheus:\n      enabled: true\n",
            self.root().display()
        );
        if protocol.is_encrypted() {
            config.push_str(&tls::config(self.folder())?);
        }
        config.push_str(&realm::config(self.folder())?);
        if self.contender == Contender::Boxyard {
            // Long enough for a push beside a collection, and over when that has begun.
            config.push_str("boxyard:\n  collect:\n    enabled: false\n    window: 3s\n");
            let database = self.database();
            let _ = writeln!(config, "database:\n  path: {}", database.display());
        }
        let path = self.folder().join("config.yml");
        fs::write(&path, config).context("write a configuration")?;
        Ok(path)
    }

    /// Starts a server over the folder, and waits until it answers.
    pub(crate) fn serve(&self, protocol: Protocol) -> Result<Server> {
        let (address, debug) = (free()?, free()?);
        let mut command = self.command((address, debug), protocol)?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder().join("log"));
        let log = log.context("make a log")?;
        let begun = Instant::now();
        let process = command
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("share the log")?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {}", self.contender.name()))?;
        let mut server = Server {
            process,
            contender: self.contender,
            address,
            protocol,
            debug,
            first_answer: Duration::ZERO,
        };
        let token = server.token(&[]);
        server.first_answer = eventually(self.contender.name(), || {
            let mut connection = server.connect(&token).ok()?;
            let answer = connection.ask("GET", "/v2/", "", &Vec::new().into()).ok()?;
            (answer.status == 200).then(|| begun.elapsed())
        });
        Ok(server)
    }

    fn command(&self, addresses: (SocketAddr, SocketAddr), protocol: Protocol) -> Result<Command> {
        let mut command = Command::new(self.contender.program()?);
        match self.contender {
            Contender::Nginx => command.args(floor::nginx::prepare(self, addresses.0)?),
            Contender::Empty | Contender::Disk => {
                command.args(["empty-handler", &addresses.0.to_string()])
            }
            Contender::Record => command
                .args(["record-handler", &addresses.0.to_string()])
                .arg(self.folder().join("records")),
            _ => command
                .arg("serve")
                .arg(self.configure(addresses, protocol)?),
        };
        Ok(command)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // It goes with all others at the end; until then it may only cost room.
        let _ = yard::empty_large(&self.folder);
    }
}

impl Server {
    /// A token for `rights`.
    pub(crate) fn token(&self, rights: &[Right<'_>]) -> String {
        realm::grant(self.contender, rights)
    }

    /// A token for everything in these repositories.
    pub(crate) fn token_for(&self, repos: &[&str]) -> String {
        let rights: Vec<Right<'_>> = repos
            .iter()
            .map(|repo| ("repository", *repo, realm::ALL))
            .collect();
        self.token(&rights)
    }

    pub(crate) fn connect(&self, token: &str) -> Result<Connection> {
        let way = Way {
            address: self.address,
            protocol: self.protocol,
        };
        Connection::open(way, token).context("connect")
    }

    /// How many changes the tree does not show yet; distribution has none, since it answers only then.
    pub(crate) fn backlog(&self) -> Result<u64> {
        if self.contender != Contender::Boxyard {
            return Ok(0);
        }
        let backlog = self.metric("boxyard_projection_backlog")?;
        backlog.context("find the backlog among the metrics")
    }

    /// The value of a metric without labels.
    pub(crate) fn metric(&self, name: &str) -> Result<Option<u64>> {
        let way = Way {
            address: self.debug,
            protocol: Protocol::Plain,
        };
        let page = Connection::page(way, "/metrics").context("read the metrics")?;
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.and_then(|value| value.trim().parse().ok()))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn cpu(&self) -> Result<Duration> {
        process::cpu(self.pid())
    }

    /// Waits until the tree shows what was answered.
    pub(crate) fn settle(&self) -> Result<()> {
        eventually("the tree to follow", || match self.backlog() {
            Ok(0) => Some(Ok(())),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // nginx has processes of its own, which go when it is asked to end.
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        if self.contender == Contender::Nginx
            && let Some(pid) = pid
        {
            let _ = kill_process(pid, Signal::TERM);
        } else {
            let _ = self.process.kill();
        }
        // It may have ended by itself, and then there is nothing to end.
        let _ = self.process.wait();
    }
}

fn free() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("look for a free port")?;
    listener.local_addr().context("look for a free port")
}
