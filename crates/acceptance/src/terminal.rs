//! A person at a terminal.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may take to say what is waited for.
const LIMIT: Duration = Duration::from_mins(1);

/// A command that runs on a pseudo terminal, which `script` makes.
#[derive(Debug)]
pub struct Terminal {
    process: Child,
    keyboard: ChildStdin,
    screen: Receiver<Vec<u8>>,
    shown: String,
}

impl Terminal {
    /// Runs a line of a shell on a terminal, in the environment of this command.
    #[track_caller]
    pub fn run(line: &str, environment: &Command) -> Self {
        let mut command = Command::new("script");
        for (name, value) in environment.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let mut process = command
            .args(["--quiet", "--return", "--command", line, "/dev/null"])
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("run `script`");
        let keyboard = process.stdin.take().expect("its input is a pipe");
        let mut output = process.stdout.take().expect("its output is a pipe");
        let (sender, screen) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            process,
            keyboard,
            screen,
            shown: String::new(),
        }
    }

    /// Waits until this is on the screen, below what was waited for before.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        let until = Instant::now() + LIMIT;
        while !self.shown.contains(text) {
            let left = until.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.shown += &String::from_utf8_lossy(&bytes),
                Err(error) => panic!("no `{text}` ({error}) in: {}", self.shown),
            }
        }
        let end = self.shown.find(text).expect("it was found") + text.len();
        self.shown.drain(..end);
    }

    /// Types this.
    #[track_caller]
    pub fn type_in(&mut self, keys: &str) {
        let typed = self.keyboard.write_all(keys.as_bytes());
        typed.expect("type");
        self.keyboard.flush().expect("type");
    }

    /// Waits for the end; the exit status and what else was shown.
    #[track_caller]
    pub fn end(mut self) -> (i32, String) {
        let until = Instant::now() + LIMIT;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.shown += &String::from_utf8_lossy(&bytes),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(error) => panic!("it does not end ({error}): {}", self.shown),
            }
        }
        let status = self.process.wait().expect("wait for `script`");
        (status.code().unwrap_or(-1), self.shown)
    }
}
