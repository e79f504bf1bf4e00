//! What the tests of archives share.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use boxyard_acceptance::{Boxyard, Ran};
use boxyard_testkit::{Client, TestServer};
use tempfile::TempDir;

/// Two registries, and a folder for what goes from one to the other.
pub(crate) struct Pair {
    pub(crate) from: TestServer,
    pub(crate) to: TestServer,
    pub(crate) area: TempDir,
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self {
            from: TestServer::start(),
            to: TestServer::start(),
            area: TempDir::new().expect("make a folder for archives"),
        }
    }

    /// A path in the folder, as text.
    pub(crate) fn path(&self, name: &str) -> String {
        self.area.path().join(name).display().to_string()
    }

    /// Exports from the first one; what it said to the person.
    #[track_caller]
    pub(crate) fn export(&self, words: &[&str]) -> String {
        run(&self.from, "export", words).err
    }

    /// Imports into the second one; what it printed.
    #[track_caller]
    pub(crate) fn import(&self, words: &[&str]) -> String {
        run(&self.to, "import", words).out
    }
}

/// Runs a command that must succeed.
#[track_caller]
pub(crate) fn run(server: &TestServer, command: &str, words: &[&str]) -> Ran {
    let ran = Boxyard::of(server).run(&[&[command], words].concat());
    assert_eq!(ran.status, 0, "{ran:?}");
    ran
}

/// Runs a command with something on its standard input.
pub(crate) fn run_with_input(server: &TestServer, words: &[&str], input: &[u8]) -> Ran {
    let mut child = Boxyard::of(server)
        .command(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("run boxyard");
    let mut pipe = child.stdin.take().expect("its input is a pipe");
    // One that fails early does not read all of it.
    let _written = pipe.write_all(input);
    drop(pipe);
    Ran::of(&child.wait_with_output().expect("wait for boxyard"))
}

/// The digest that a tag has.
#[track_caller]
pub(crate) fn digest_of(server: &TestServer, repo: &str, tag: &str) -> String {
    let found = Client::of(server).get_manifest(repo, tag).expect(200);
    found.required("docker-content-digest").to_owned()
}

/// Packs a folder, without `./` before the names.
pub(crate) fn pack(folder: &Path) -> PathBuf {
    let archive = folder.with_extension("tar");
    let names = fs::read_dir(folder).expect("list a folder");
    let packed = Command::new("tar")
        .arg("--create")
        .arg("--file")
        .arg(&archive)
        .arg("--directory")
        .arg(folder)
        .args(names.map(|name| name.expect("list a folder").file_name()))
        .status();
    assert!(packed.expect("run `tar`").success());
    archive
}

/// The same bytes, packed by gzip.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new("gzip")
        .arg("--stdout")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("run `gzip`");
    let mut pipe = child.stdin.take().expect("its input is a pipe");
    let bytes = bytes.to_vec();
    let writing = std::thread::spawn(move || pipe.write_all(&bytes));
    let output = child.wait_with_output().expect("wait for `gzip`");
    writing.join().expect("write").expect("write to `gzip`");
    output.stdout
}
