//! The built binary as a command beside a server.

use std::env;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use boxyard_testkit::{TestServer, binary};

/// Commands on the folder of one server, whether or not that runs.
#[derive(Debug)]
pub struct Boxyard<'a> {
    config: &'a Path,
}

/// What a command has said.
#[derive(Debug)]
pub struct Ran {
    /// Its exit status, or -1 where a signal has ended it.
    pub status: i32,
    /// What it printed.
    pub out: String,
    /// What it told the person.
    pub err: String,
}

impl<'a> Boxyard<'a> {
    /// Commands with the configuration of this server.
    pub fn of(server: &'a TestServer) -> Self {
        Self {
            config: server.config(),
        }
    }

    /// Runs a command, and waits for its end.
    #[track_caller]
    pub fn run<W: AsRef<OsStr>>(&self, words: &[W]) -> Ran {
        let output = self.command(words).output();
        Ran::of(&output.expect("run boxyard"))
    }

    /// Runs a command that must succeed; what it printed.
    #[track_caller]
    pub fn succeed<W: AsRef<OsStr>>(&self, words: &[W]) -> String {
        let ran = self.run(words);
        assert_eq!(ran.status, 0, "{ran:?}");
        ran.out
    }

    /// Begins a command.
    #[track_caller]
    pub fn begin<W: AsRef<OsStr>>(&self, words: &[W]) -> Child {
        let mut command = self.command(words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("run boxyard")
    }

    /// The command, to be run otherwise.
    pub fn command<W: AsRef<OsStr>>(&self, words: &[W]) -> Command {
        let mut command = Command::new(binary());
        // Whoever runs the tests may have a registry configured for himself.
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("REGISTRY_") {
                command.env_remove(name);
            }
        }
        command
            .args(words)
            .env("REGISTRY_CONFIGURATION_PATH", self.config)
            .stdin(Stdio::null());
        command
    }
}

impl Ran {
    /// It must have failed.
    #[track_caller]
    pub fn fails(&self) {
        assert_ne!(self.status, 0, "{self:?}");
    }

    /// What a command has said that has ended.
    pub fn of(output: &Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
