//! Storage that is not kept, and storage that cannot be written.

use std::path::PathBuf;
use std::process::Command;

use boxyard_acceptance::{Boxyard, Ran};
use boxyard_testkit::{Client, Image, Setup, TestServer, binary};
use serde_json::json;

fn in_memory() -> TestServer {
    Setup::new().env("REGISTRY_STORAGE", "inmemory").start()
}

/// The last folder that a server has said to be its own.
fn folder_of(server: &TestServer) -> PathBuf {
    let log = server.log();
    let begin = log.rfind("/boxyard-inmemory-").expect("the log names it");
    let begin = log[..begin].rfind('=').expect("it is a field") + 1;
    let path = log[begin..].split_whitespace().next().expect("a path");
    PathBuf::from(path.trim_matches('"'))
}

#[test]
fn what_a_killed_server_has_left_in_memory_goes_at_the_next_start() {
    let used = in_memory();
    let mut killed = in_memory();
    let image = Image::with_layers(1, &[5_000]);
    Client::of(&used)
        .push_image("app", "v1", &image)
        .expect(201);
    let left = folder_of(&killed);
    killed.kill();
    assert!(left.is_dir(), "nobody could remove {}", left.display());

    killed.start_again();

    assert!(!left.exists(), "{} is still there", left.display());
    let folder = folder_of(&killed);
    assert!(folder.is_dir() && folder_of(&used).is_dir());
    Client::of(&used).pull_image("app", "v1");
    killed.stop();
    assert!(!folder.exists(), "{} is still there", folder.display());
}

/// A stopped server with an image, and a configuration by which nothing is to change.
fn read_only() -> (TestServer, TestServer) {
    let mut writable = TestServer::start();
    let image = Image::with_layers(1, &[5_000]);
    let client = Client::of(&writable);
    client.push_image("team/app", "v1", &image).expect(201);
    writable.stop();
    let config = json!({"storage": {"maintenance": {"readonly": {"enabled": true}}}});
    let server = Setup::new().root(writable.root()).config(&config).start();
    (writable, server)
}

#[test]
fn commands_change_nothing_while_the_configuration_says_read_only_and_say_which_key() {
    let (_files, mut server) = read_only();
    let area = tempfile::tempdir().expect("make a folder");
    let archive = area.path().join("app.tar").display().to_string();
    let changes: [&[&str]; 5] = [
        &["tag", "rm", "team/app:v1"],
        &["tag", "rm", "team/*:v*", "--yes"],
        &["tag", "cp", "team/app:v1", "team/app:v2"],
        &["repo", "rm", "team/app"],
        &["import", &archive, "team/other"],
    ];
    let backup = area.path().join("backup").display().to_string();
    let reads: [&[&str]; 7] = [
        &["export", "team/app:v1", "-o", &archive],
        &["tag", "ls", "team/app"],
        &["repo", "ls"],
        &["tag", "rm", "team/app:v1", "--dry-run"],
        &["scrub"],
        &["findings"],
        &["backup", &backup],
    ];

    for round in ["by a server", "without one"] {
        for words in reads {
            Boxyard::of(&server).succeed(words);
        }
        for words in changes {
            let ran = Boxyard::of(&server).run(words);
            assert_eq!(ran.status, 1, "{round}, {words:?}: {ran:?}");
            let key = "`storage.maintenance.readonly`";
            assert!(ran.err.contains(key), "{round}, {words:?}: {ran:?}");
            assert_eq!(ran.out, "", "{round}, {words:?}: {ran:?}");
        }
        let listed = Boxyard::of(&server).succeed(&["tag", "ls", "team/app"]);
        assert_eq!(listed.lines().count(), 1, "{round}: {listed}");
        if round == "by a server" {
            server.stop();
        }
    }
}

#[test]
fn commands_say_that_the_folder_is_mounted_read_only() {
    let mut server = TestServer::start();
    let image = Image::with_layers(1, &[5_000]);
    Client::of(&server)
        .push_image("app", "v1", &image)
        .expect(201);
    server.stop();
    let commands: [&[&str]; 7] = [
        &["tag", "rm", "app:v1"],
        &["tag", "cp", "app:v1", "app:v2"],
        &["repo", "rm", "app"],
        &["repo", "ls"],
        &["scrub"],
        &["settle"],
        &["findings"],
    ];

    for words in commands {
        let ran = mounted_read_only(&server, words);
        assert_eq!(ran.status, 1, "{words:?}: {ran:?}");
        let said = "is on a filesystem that is mounted read-only";
        assert!(ran.err.contains(said), "{words:?}: {ran:?}");
        let root = server.root().display().to_string();
        assert!(ran.err.contains(&root), "{words:?}: {ran:?}");
    }

    server.start_again();
    Client::of(&server).pull_image("app", "v1");
}

/// Runs a command in a mount namespace of its own, in which the server's folder cannot be written.
fn mounted_read_only(server: &TestServer, words: &[&str]) -> Ran {
    let root = server.root().display();
    let script = format!(
        "mount --bind '{root}' '{root}' && mount -o remount,bind,ro '{root}' && exec \"$@\""
    );
    let ours = Boxyard::of(server).command(words);
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script, "sh"]);
    command.arg(binary()).args(words);
    for (name, value) in ours.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Ran::of(&command.output().expect("run `unshare`"))
}
