//! Who may do what, through the built binary: passwords, certificates and tokens, alone and together.

#![expect(clippy::unwrap_used, reason = "what a test cannot do, fails it")]

mod certificates;
mod guesses;
mod hidden;
mod logs;
mod passwords;
mod together;
mod uploads;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use boxyard_testkit::{Client, TestServer, binary};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A password file, which `boxyard htpasswd` writes.
pub(crate) struct Users {
    folder: TempDir,
}

impl Users {
    /// Makes a file in which each user has [`password`] for theirs.
    #[track_caller]
    pub(crate) fn of(names: &[&str]) -> Self {
        let users = Self {
            folder: TempDir::new().expect("make a folder"),
        };
        for name in names {
            users.put(name, &password(name));
        }
        users
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder().join("htpasswd")
    }

    /// Where everything of the test may be.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Gives a user a password.
    #[track_caller]
    pub(crate) fn put(&self, user: &str, password: &str) {
        let word = self.folder().join("word");
        fs::write(&word, format!("{password}\n")).expect("write the password");
        let word = fs::File::open(word).expect("open the password");
        let mut command = Command::new(binary());
        command.args(["htpasswd", "--stdin", "--cost", "4"]);
        command.arg(self.path()).arg(user).stdin(word);
        let output = command.output().expect("run boxyard");
        assert!(output.status.success(), "{output:?}");
    }

    /// Takes a user out.
    #[track_caller]
    pub(crate) fn delete(&self, user: &str) {
        let mut command = Command::new(binary());
        command
            .args(["htpasswd", "--delete"])
            .arg(self.path())
            .arg(user);
        let output = command.output().expect("run boxyard");
        assert!(output.status.success(), "{output:?}");
    }

    /// The section of the configuration that names the file.
    pub(crate) fn auth(&self) -> Value {
        json!({ "htpasswd": { "realm": "test", "path": self.path() } })
    }
}

/// The password of this user.
pub(crate) fn password(user: &str) -> String {
    format!("word-of-{user}")
}

/// Somebody who sends the user's password.
pub(crate) fn logged_in(server: &TestServer, user: &str) -> Client {
    Client::of(server).with_login(user, &password(user))
}

/// One of the access rules.
pub(crate) fn rule(who: &str, repositories: &str, actions: &[&str]) -> Value {
    json!({ "who": who, "repositories": repositories, "actions": actions })
}
