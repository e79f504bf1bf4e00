//! The built binary, serving.

mod config;
mod log;
mod port;

use std::env;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::patience::{eventually, within};
use config::{merge, socket_of};
use log::Log;
use port::{Port, answers};

/// How long an orderly stop may take.
const STOP: Duration = Duration::from_mins(1);

/// How the server of a test differs from the usual one.
#[derive(Debug)]
pub struct Setup {
    program: Option<PathBuf>,
    root: Option<PathBuf>,
    config: Value,
    environment: Vec<(String, String)>,
    allowed: Vec<String>,
    debug: bool,
    launcher: Vec<String>,
}

/// A running server, on a port and by default on a folder of its own.
///
/// Dropping it kills it, and fails the test when its log has an error that the test did not allow.
#[derive(Debug)]
pub struct TestServer {
    child: Option<Child>,
    program: PathBuf,
    is_foreign: bool,
    environment: Vec<(String, String)>,
    launcher: Vec<String>,
    /// Where it listens instead of at its port.
    socket: Option<PathBuf>,
    port: Port,
    debug: Option<Port>,
    root: PathBuf,
    config: PathBuf,
    log: Log,
    /// Holds configuration, log and, unless the test named another, the root.
    _files: TempDir,
}

/// How a server ended that was not to start.
#[derive(Debug)]
pub struct Refusal {
    /// Its exit status.
    pub status: ExitStatus,
    /// All that it printed.
    pub log: String,
}

impl Setup {
    /// The usual server.
    pub fn new() -> Self {
        Self {
            program: None,
            root: None,
            config: json!({}),
            environment: Vec::new(),
            allowed: Vec::new(),
            debug: false,
            launcher: Vec::new(),
        }
    }

    /// Runs another program that knows `serve CONFIG`, such as distribution's own; its errors fail no test.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self.allow_error("")
    }

    /// Serves this folder.
    #[must_use]
    pub fn root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = Some(root.into());
        self
    }

    /// Merges this into the configuration.
    #[must_use]
    pub fn config(mut self, config: &Value) -> Self {
        merge(&mut self.config, config);
        self
    }

    /// Has it run by another program, with these words in front; `ADDRESS` among them is where it is to listen.
    #[must_use]
    pub fn under(mut self, words: &str) -> Self {
        self.launcher = words.split_whitespace().map(str::to_owned).collect();
        self
    }

    /// Sets a variable of the server's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Expects errors in the log that contain this text.
    #[must_use]
    pub fn allow_error(mut self, text: &str) -> Self {
        self.allowed.push(text.to_owned());
        self
    }

    /// Answers administrators as well, metrics included, at [`TestServer::debug_address`].
    #[must_use]
    pub fn debug(mut self) -> Self {
        self.debug = true;
        self
    }

    /// Starts the server and waits until it answers.
    #[track_caller]
    pub fn start(self) -> TestServer {
        let mut server = self.prepare();
        server.start_again();
        server
    }

    /// Starts the server and does not wait for it.
    #[track_caller]
    pub fn begin(self) -> TestServer {
        let mut server = self.prepare();
        server.spawn();
        server
    }

    /// Starts a server that must refuse to serve, and waits until it has ended.
    #[track_caller]
    pub fn refuse(self) -> Refusal {
        let mut server = self.prepare();
        server.spawn();
        let status = eventually("the server to refuse", || server.exit_status());
        server.child = None;
        server.log.allow("");
        Refusal {
            status,
            log: server.log.text(),
        }
    }

    fn prepare(self) -> TestServer {
        let files = TempDir::with_prefix("boxyard-test-").expect("make a folder for the test");
        let reserve = || Port::reserve().expect("reserve a port");
        let port = reserve();
        let debug = self.debug.then(reserve);
        let root = self.root.unwrap_or_else(|| files.path().join("registry"));
        let config = files.path().join("config.yml");
        let mut merged = json!({
            "version": "0.1",
            "storage": { "filesystem": { "rootdirectory": root }, "delete": { "enabled": true } },
            "http": { "addr": port.address().to_string() },
        });
        if let Some(debug) = &debug {
            let address = debug.address().to_string();
            let debug = json!({ "addr": address, "prometheus": { "enabled": true } });
            merge(&mut merged, &json!({ "http": { "debug": debug } }));
        }
        merge(&mut merged, &self.config);
        // JSON is YAML.
        fs::write(&config, format!("{merged:#}\n")).expect("write the configuration");
        TestServer {
            child: None,
            is_foreign: self.program.is_some(),
            program: self.program.unwrap_or_else(binary),
            environment: self.environment,
            launcher: self.launcher,
            socket: socket_of(&merged),
            port,
            debug,
            root,
            config,
            log: Log::new(files.path().join("server.log"), self.allowed),
            _files: files,
        }
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

impl TestServer {
    /// Starts the usual server on an empty folder.
    #[track_caller]
    pub fn start() -> Self {
        Setup::new().start()
    }

    /// Where it listens; the same after a restart.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Where it answers administrators; the same after a restart.
    #[track_caller]
    pub fn debug_address(&self) -> SocketAddr {
        let port = self.debug.as_ref();
        port.expect("the server was set up to be debugged")
            .address()
    }

    /// The folder it serves.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The configuration file, for commands beside `serve`.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The number of its process.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the server runs").id()
    }

    /// All that it printed, of every run.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Expects errors in the log that contain this text.
    pub fn allow_error(&mut self, text: &str) {
        self.log.allow(text);
    }

    /// Stops it as a service manager does, and fails when it does not end in order.
    #[track_caller]
    pub fn stop(&mut self) {
        self.tell_to_stop();
        self.wait_for_stop();
    }

    /// Tells it to stop as a service manager does.
    #[track_caller]
    pub fn tell_to_stop(&self) {
        let child = self.child.as_ref().expect("the server runs");
        kill_process(Pid::from_child(child), Signal::TERM).expect("signal the server");
    }

    /// Waits until it has stopped, and fails when it does not end in order.
    #[track_caller]
    pub fn wait_for_stop(&mut self) {
        let Some(status) = within(STOP, || self.exit_status()) else {
            self.fail("the server does not stop")
        };
        self.child = None;
        // Distribution has no orderly stop: the signal ends it.
        let excused = self.is_foreign && status.signal() == Some(Signal::TERM.as_raw());
        if !status.success() && !excused {
            self.fail(&format!("the server stopped with {status}"));
        }
        self.log.check();
    }

    /// Kills it, as a crash would.
    #[track_caller]
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("the server runs");
        child.kill().expect("kill the server");
        child.wait().expect("wait for the server");
    }

    /// Starts it again after [`stop`](Self::stop) or [`kill`](Self::kill), and waits until it answers.
    #[track_caller]
    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "the server runs");
        self.spawn();
        let address = self.address();
        let ready = eventually("the server to answer", || match self.exit_status() {
            Some(status) => Some(Err(status)),
            None => self.answers(address).then_some(Ok(())),
        });
        if let Err(status) = ready {
            self.child = None;
            self.fail(&format!("the server ended with {status} before it served"));
        }
    }

    /// Stops it in order and starts it again.
    #[track_caller]
    pub fn restart(&mut self) {
        self.stop();
        self.start_again();
    }

    fn spawn(&mut self) {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log.path())
            .expect("open the log");
        let address = self.address().to_string();
        let launcher = self.launcher.iter().map(|word| {
            let word = if word == "ADDRESS" { &address } else { word };
            OsString::from(word)
        });
        let mut words = launcher.chain([self.program.clone().into_os_string()]);
        let mut command = Command::new(words.next().expect("a program comes last"));
        command
            .args(words)
            .arg("serve")
            .arg(&self.config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("share the log"))
            .stderr(log);
        // Whoever runs the tests may have a registry, or traces, configured for himself.
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("REGISTRY_") || text.starts_with("OTEL_") {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        self.child = Some(command.spawn().expect("run the server"));
    }

    fn answers(&self, address: SocketAddr) -> bool {
        match &self.socket {
            // It listens when it is done with starting.
            Some(path) => UnixStream::connect(path).is_ok(),
            None => answers(address),
        }
    }

    fn exit_status(&mut self) -> Option<ExitStatus> {
        let child = self.child.as_mut().expect("the server was spawned");
        child.try_wait().expect("ask for the server's end")
    }

    #[track_caller]
    fn fail(&self, why: &str) -> ! {
        // The log itself is shown when the server is dropped.
        panic!("{why}; its log is {}", self.log.path().display())
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
        if std::thread::panicking() {
            self.log.show();
        } else {
            self.log.check();
        }
    }
}

/// Finds the built binary: `$BOXYARD_BIN`, or the one that lies beside the tests.
#[track_caller]
pub fn binary() -> PathBuf {
    if let Some(path) = env::var_os("BOXYARD_BIN") {
        return PathBuf::from(path);
    }
    let test = env::current_exe().expect("find the test's own file");
    let profile = test
        .ancestors()
        .nth(2)
        .expect("tests lie in target/PROFILE/deps");
    let path = profile.join("boxyard");
    assert!(
        path.exists(),
        "there is no `{}`; build it with `cargo build -p boxyard_cli` (and `--release` for release tests), \
         or name another in BOXYARD_BIN",
        path.display()
    );
    path
}
