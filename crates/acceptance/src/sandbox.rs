//! Namespaces in which daemons and clients run, so that they leave nothing on the machine.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Tool;

/// How long a program may take to be ready.
const LIMIT: Duration = Duration::from_mins(1);

/// How many of the last lines of a daemon a failed test shows.
const SHOWN: usize = 30;

/// Which network a sandbox has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Network {
    /// The machine's, where a test's server listens.
    Machine,
    /// One of its own, with a loopback interface, where every port is free and bridges disturb nobody.
    Private,
}

/// Processes with a view of their own of the machine: processes, mounts, and perhaps network.
///
/// Whatever runs inside ends with it, and it ends with the test, however that ends. Inside, `/run`, `/dev/shm` and
/// `/var/lib` are empty, and what changes in `/etc` and `/usr/local/share` is seen by nobody else.
#[derive(Debug)]
pub struct Sandbox {
    holder: Child,
    network: Network,
    /// The first process, as the machine sees it.
    pid: String,
    daemons: Vec<Daemon>,
    home: TempDir,
}

/// A program that runs until the sandbox ends.
#[derive(Debug)]
struct Daemon {
    name: String,
    process: Child,
    log: PathBuf,
}

impl Sandbox {
    /// Makes an empty sandbox with a folder of its own.
    pub fn new(network: Network) -> Self {
        let home = TempDir::with_prefix("boxyard-").expect("make a folder for the sandbox");
        let mut holder = Command::new("bash")
            .args(["-c", include_str!("sandbox.sh"), "sandbox"])
            .arg(name_of(home.path()))
            .arg(home.path())
            .arg(match network {
                Network::Machine => "machine",
                Network::Private => "private",
            })
            // The signal by which somebody stops the test goes past it, so that it can clean up.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("run bash");
        let said = holder.stdout.take().expect("its output is a pipe");
        let mut pid = String::new();
        BufReader::new(said)
            .read_line(&mut pid)
            .expect("read from the sandbox");
        assert!(!pid.is_empty(), "a sandbox needs root");
        Self {
            holder,
            network,
            pid: pid.trim().to_owned(),
            daemons: Vec::new(),
            home,
        }
    }

    /// Lays a cable to another sandbox; both have networks of their own, and are on no other.
    ///
    /// Each end is an interface `cable` with its address, such as `192.0.2.1/24`.
    #[track_caller]
    pub fn connect(&self, address: &str, other: &Self, others: &str) {
        let ip = Tool::new(self.home(), "ip");
        ip.run(format!(
            "link add cable netns {} type veth peer name cable netns {}",
            self.pid, other.pid
        ));
        for (sandbox, address) in [(self, address), (other, others)] {
            assert_eq!(
                sandbox.network,
                Network::Private,
                "the network is the machine's"
            );
            let ip = sandbox.tool("ip");
            ip.run(format!("address add {address} dev cable"));
            ip.run("link set cable up");
        }
    }

    /// Lets programs inside find a name at an address.
    #[track_caller]
    pub fn resolve(&self, name: &str, address: &str) {
        self.bash(&format!("echo '{address} {name}' >>/etc/hosts"));
    }

    /// Runs lines of a shell inside, as root pastes them, and returns what they say; each must succeed.
    #[track_caller]
    pub fn bash(&self, lines: &str) -> String {
        self.tool("bash").run_words(&["-euc", lines])
    }

    /// Which network it has.
    pub fn network(&self) -> Network {
        self.network
    }

    /// The folder that ends with the sandbox; programs see it as their home.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The control group for what runs inside; it is made by whoever puts a process there.
    pub fn cgroup(&self) -> String {
        format!("/{}", name_of(self.home()))
    }

    /// A program that runs inside.
    pub fn tool(&self, words: &str) -> Tool {
        self.tool_in(self.home(), words)
    }

    /// A program that runs inside, in this folder.
    pub fn tool_in(&self, folder: &Path, words: &str) -> Tool {
        let mut enter = vec!["nsenter", "--target", &self.pid, "--mount", "--pid"];
        if self.network == Network::Private {
            enter.push("--net");
        }
        // To enter a sandbox is to leave one's folder.
        let folder = format!("--chdir={}", folder.display());
        enter.extend(["env", &folder]);
        let enter = enter.into_iter().map(str::to_owned).collect();
        Tool::new(self.home(), words).under(enter)
    }

    /// Starts a program that runs until the sandbox ends, and waits until it is ready.
    #[track_caller]
    pub fn start(&mut self, name: &str, tool: &Tool, words: &str, ready: impl FnMut() -> bool) {
        self.start_within(LIMIT, name, tool, words, ready);
    }

    /// Starts a program that may take this long to be ready.
    #[track_caller]
    pub fn start_within(
        &mut self,
        limit: Duration,
        name: &str,
        tool: &Tool,
        words: &str,
        mut ready: impl FnMut() -> bool,
    ) {
        let mut daemon = Daemon::spawn(name, tool, words, self.log_file(name));
        let started = Instant::now();
        while !ready() {
            let ended = daemon.process.try_wait().expect("ask for a daemon's end");
            let waits = ended.is_none() && started.elapsed() < limit;
            assert!(waits, "{name} is not ready, {ended:?}:\n{}", daemon.said());
            // Nobody wakes this thread; it looks again after a moment.
            std::thread::park_timeout(Duration::from_millis(10));
        }
        self.daemons.push(daemon);
    }

    /// Where a daemon's words go.
    pub fn log_file(&self, name: &str) -> PathBuf {
        self.home().join(format!("{name}.log"))
    }

    /// All that a daemon has said.
    pub fn log(&self, name: &str) -> String {
        fs::read_to_string(self.log_file(name)).unwrap_or_default()
    }
}

impl Daemon {
    fn spawn(name: &str, tool: &Tool, words: &str, log: PathBuf) -> Self {
        let file = File::create(&log).expect("make a log");
        let words: Vec<&str> = words.split_whitespace().collect();
        let process = tool
            .command(&words)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("share the log"))
            .stderr(file)
            .spawn()
            .expect("run `nsenter`");
        Self {
            name: name.to_owned(),
            process,
            log,
        }
    }

    fn said(&self) -> String {
        let said = fs::read_to_string(&self.log).unwrap_or_default();
        let skipped = said.lines().count().saturating_sub(SHOWN);
        let end: Vec<&str> = said.lines().skip(skipped).collect();
        end.join("\n")
    }
}

impl Drop for Sandbox {
    #[expect(clippy::print_stderr, reason = "a failed test shows what it knows")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            for daemon in &self.daemons {
                eprintln!(
                    "--- the end of the log of {}:\n{}",
                    daemon.name,
                    daemon.said()
                );
            }
        }
        drop(self.holder.stdin.take());
        // A second panic would hide the first.
        let _ended = self.holder.wait();
        for daemon in &mut self.daemons {
            let _ended = daemon.process.wait();
        }
    }
}

fn name_of(home: &Path) -> String {
    let name = home.file_name().expect("the folder has a name");
    name.to_string_lossy().into_owned()
}
