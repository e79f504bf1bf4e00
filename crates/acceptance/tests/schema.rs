//! A folder of every released version opens, and one of a newer version is refused clearly.

use std::fs;
use std::path::Path;
use std::process::Command;

use boxyard_acceptance::checkout;
use boxyard_testkit::{Client, Image, Setup};
use tempfile::TempDir;

/// Runs statements on a database that no server has open.
fn sql(database: &Path, statements: &str) {
    let program = "import sqlite3, sys\n\
                   db = sqlite3.connect(sys.argv[1])\n\
                   db.executescript(sys.argv[2])\n\
                   db.commit()\n";
    let output = Command::new("python3")
        .args(["-c", program])
        .arg(database)
        .arg(statements)
        .output()
        .expect("run python3");
    assert!(output.status.success(), "{output:?}");
}

/// A folder with the database that version 0.1 has made.
fn folder_of_0_1() -> TempDir {
    let folder = TempDir::new().expect("make a folder");
    let path = checkout().join("crates/meta/src/migrations/0001_initial.sql");
    let schema = fs::read_to_string(path).expect("read the first schema");
    let released = format!(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL,
                                  applied_at INTEGER NOT NULL) STRICT;
         {schema}
         INSERT INTO migrations VALUES (1, '0001_initial', 0);
         INSERT INTO findings (kind, repository, subject, detail, found_at, seen_at)
         VALUES ('blob_missing', '', 'sha256:0', 'an old finding', 0, 0);"
    );
    sql(&folder.path().join("boxyard.db"), &released);
    folder
}

#[test]
fn a_folder_of_version_0_1_opens_and_keeps_what_it_has() {
    let folder = folder_of_0_1();

    let server = Setup::new().root(folder.path()).start();

    let client = Client::of(&server);
    let image = Image::with_layers(1, &[1_000]);
    client.push_image("app", "v1", &image).expect(201);
    client.pull_image("app", "v1");
    let found = boxyard_acceptance::Boxyard::of(&server).succeed(&["findings"]);
    assert!(found.contains("an old finding"), "{found}");
}

#[test]
fn a_folder_of_a_newer_version_is_refused_and_left_alone() {
    let folder = folder_of_0_1();
    let database = folder.path().join("boxyard.db");
    sql(
        &database,
        "INSERT INTO migrations VALUES (9999, 'newer', 0);",
    );
    let before = fs::read(&database).expect("read the database");

    let refusal = Setup::new().root(folder.path()).refuse();

    assert!(!refusal.status.success());
    let expected = "the database has schema 9999, but this version knows";
    assert!(refusal.log.contains(expected), "{}", refusal.log);
    assert!(
        refusal.log.contains("run a newer version"),
        "{}",
        refusal.log
    );
    assert_eq!(fs::read(&database).expect("read the database"), before);
}
