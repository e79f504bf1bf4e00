//! Programs that a test calls.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

/// How long a program may take before it counts as hung.
const LIMIT: Duration = Duration::from_mins(5);

/// Variables that would lead a client away from what the test says.
const MISLEADING: [&str; 7] = [
    "AWS_CA_BUNDLE",
    "BUILDAH_ISOLATION",
    "CONTAINERD_ADDRESS",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "XDG_RUNTIME_DIR",
];

/// A program with the options and the environment of every call.
///
/// What is called is a line of words parted by spaces, as in a shell but without its quotes.
#[derive(Clone, Debug)]
pub struct Tool {
    words: Vec<String>,
    environment: Vec<(String, String)>,
    folder: PathBuf,
    limit: Duration,
}

impl Tool {
    /// A program with a home of its own, which is where it runs as well.
    pub fn new(home: &Path, words: &str) -> Self {
        let tools = super::tools();
        let path = std::env::var("PATH").unwrap_or_default();
        Self {
            words: split(words),
            environment: Vec::new(),
            folder: home.to_owned(),
            limit: LIMIT,
        }
        .env("HOME", &home.display().to_string())
        .env("TMPDIR", &home.display().to_string())
        .env("PATH", &format!("{}/bin:{path}", tools.display()))
    }

    /// The same with a variable in its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same run in another folder.
    #[must_use]
    pub fn within(mut self, folder: &Path) -> Self {
        folder.clone_into(&mut self.folder);
        self
    }

    /// The same for what may take longer than usual.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The same with the home of who runs the tests, for the compilers in it.
    #[must_use]
    pub fn with_compilers(self) -> Self {
        let home = std::env::var("HOME").expect("the environment has a HOME");
        self.env("HOME", &home)
    }

    /// The same with more words in front: a program that runs this one.
    #[must_use]
    pub(crate) fn under(mut self, words: Vec<String>) -> Self {
        let own = std::mem::replace(&mut self.words, words);
        self.words.extend(own);
        self
    }

    /// Runs it and returns what it says; it must succeed.
    #[track_caller]
    pub fn run(&self, words: impl AsRef<str>) -> String {
        self.run_words(&split(words.as_ref()))
    }

    /// Runs it with words that have spaces inside and returns what it says; it must succeed.
    #[track_caller]
    pub fn run_words(&self, words: &[impl AsRef<str>]) -> String {
        let output = self.output(words);
        assert!(output.status.success(), "{}", self.story(words, &output));
        text(&output.stdout)
    }

    /// Runs it and returns all that it says, errors as well; it must succeed.
    #[track_caller]
    pub fn run_aloud(&self, words: impl AsRef<str>) -> String {
        let words = split(words.as_ref());
        let output = self.output(&words);
        assert!(output.status.success(), "{}", self.story(&words, &output));
        text(&output.stdout) + &text(&output.stderr)
    }

    /// Runs it and returns the JSON that it says.
    #[track_caller]
    pub fn json(&self, words: impl AsRef<str>) -> Value {
        let said = self.run(words);
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("no JSON ({error}): {said}"))
    }

    /// Runs it, which must fail, and returns all that it says.
    #[track_caller]
    pub fn fail(&self, words: impl AsRef<str>) -> String {
        let words = split(words.as_ref());
        let output = self.output(&words);
        assert!(!output.status.success(), "{}", self.story(&words, &output));
        text(&output.stdout) + &text(&output.stderr)
    }

    /// Runs it and returns what it says, whether or not it succeeds.
    pub fn said(&self, words: impl AsRef<str>) -> String {
        text(&self.output(&split(words.as_ref())).stdout)
    }

    /// Whether it succeeds.
    pub fn succeeds(&self, words: impl AsRef<str>) -> bool {
        self.output(&split(words.as_ref())).status.success()
    }

    /// Makes the command, for what runs longer than a call.
    pub(crate) fn command(&self, words: &[impl AsRef<str>]) -> Command {
        let mut command = Command::new(&self.words[0]);
        self.prepare(&mut command, &self.words[1..], words);
        command
    }

    fn output(&self, words: &[impl AsRef<str>]) -> Output {
        let mut command = Command::new("timeout");
        command
            .arg("--kill-after=5")
            .arg(self.limit.as_secs().to_string());
        self.prepare(&mut command, &self.words, words);
        command
            .stdin(Stdio::null())
            .output()
            .expect("run `timeout`")
    }

    fn prepare(&self, command: &mut Command, own: &[String], words: &[impl AsRef<str>]) {
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("REGISTRY_") || MISLEADING.contains(&text.as_ref()) {
                command.env_remove(name);
            }
        }
        command
            .args(own)
            .args(words.iter().map(|word| OsStr::new(word.as_ref())))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder);
    }

    fn story(&self, words: &[impl AsRef<str>], output: &Output) -> String {
        let words = words.iter().map(|word| word.as_ref().to_owned());
        let line: Vec<String> = self.words.iter().cloned().chain(words).collect();
        format!(
            "`{}` ends with {}:\n{}{}",
            line.join(" "),
            output.status,
            text(&output.stdout),
            text(&output.stderr)
        )
    }
}

fn split(words: &str) -> Vec<String> {
    words.split_whitespace().map(str::to_owned).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}
