//! A folder of every released version opens, and one of a newer version is refused clearly.

mod released;

use std::fs;
use std::path::Path;
use std::process::Command;

use boxyard_acceptance::Boxyard;
use boxyard_testkit::{Client, Image, Setup, TestServer, Upload};
use released::Released;
use serde_json::json;

/// Runs statements on a database that no server has open; the first column of what they find.
fn sql(database: &Path, statement: &str) -> String {
    let program = "import sqlite3, sys\n\
                   db = sqlite3.connect(sys.argv[1])\n\
                   for row in db.execute(sys.argv[2]): print(row[0])\n\
                   db.commit()\n";
    let output = Command::new("python3")
        .args(["-c", program])
        .arg(database)
        .arg(statement)
        .output()
        .expect("run python3");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("the database has texts")
}

fn migrations(database: &Path) -> Vec<String> {
    let names = sql(database, "SELECT name FROM migrations ORDER BY number");
    names.lines().map(str::to_owned).collect()
}

/// Serves a released folder, and removes nothing by itself, however old the folder has become.
fn serve(folder: &Path) -> TestServer {
    serve_with_window(folder, "1h")
}

/// The same, where clients may rely for this long on what they were told.
fn serve_with_window(folder: &Path, window: &str) -> TestServer {
    let config = json!({
        "storage": {"maintenance": {"uploadpurging": {"enabled": false}}},
        "boxyard": {"collect": {"enabled": false, "window": window}},
    });
    Setup::new().root(folder).config(&config).start()
}

/// Opens a folder of version 0.1 and works with it.
#[track_caller]
fn opens_and_keeps_what_it_has(released: &Released) {
    let mut server = serve(released.path());
    let client = Client::of(&server);
    released.is_whole(&client);
    let image = Image::with_layers(1, &[1_000]);
    client.push_image("new", "v1", &image).expect(201);
    end_upload(&client, released);

    server.restart();

    let client = Client::of(&server);
    let mut catalog = released.repositories();
    catalog.push("new".to_owned());
    catalog.sort();
    assert_eq!(client.catalog(), catalog);
    assert_eq!(client.pull_image("new", "v1").manifest, image.manifest);
    released.is_whole_but_for_the_catalog(&client);
    server.stop();
    let migrated = migrations(&released.database());
    let known = fs::read_dir(boxyard_acceptance::checkout().join("crates/meta/src/migrations"));
    assert_eq!(
        migrated.len(),
        known.expect("list the migrations").count(),
        "{migrated:?}"
    );
}

/// The upload that a client of the old version has left goes on where it was.
#[track_caller]
fn end_upload(client: &Client, released: &Released) {
    let (location, rest, digest) = released.upload();
    let upload = Upload { location };
    let status = client.upload_status(&upload).expect(204);
    assert_eq!(status.required("range"), "0-199");
    client.finish(&upload, &digest, &rest).expect(201);
    client.get_blob("team/app", &digest).expect(200);
}

#[test]
fn a_folder_of_version_0_1_opens_and_keeps_what_it_has() {
    let released = Released::unpack("0.1-stopped");
    assert_eq!(migrations(&released.database()), ["0001_initial"]);

    opens_and_keeps_what_it_has(&released);
}

#[test]
fn a_folder_of_version_0_1_that_was_killed_opens_and_keeps_what_it_has() {
    let released = Released::unpack("0.1-killed");
    let log = released.path().join("boxyard.db-wal");
    assert!(fs::metadata(log).expect("it has a log").len() > 0);

    opens_and_keeps_what_it_has(&released);
}

#[test]
fn findings_of_version_0_1_are_kept() {
    let released = Released::unpack("0.1-stopped");
    sql(
        &released.database(),
        "INSERT INTO findings (kind, repository, subject, detail, found_at, seen_at)
         VALUES ('blob_missing', '', 'sha256:0', 'an old finding', 0, 0)",
    );

    let server = serve(released.path());

    let found = Boxyard::of(&server).succeed(&["findings"]);
    assert!(found.contains("an old finding"), "{found}");
}

#[test]
fn a_collection_leaves_what_is_tagged_in_a_folder_of_version_0_1() {
    for name in ["0.1-stopped", "0.1-killed"] {
        let released = Released::unpack(name);
        let mut server = serve_with_window(released.path(), "0s");

        let said = Boxyard::of(&server).succeed(&["garbage-collect", "--delete-untagged"]);

        let client = Client::of(&server);
        let untagged = released.untagged();
        assert_eq!(untagged.len(), 3, "{untagged:?}");
        for (repo, digest) in &untagged {
            client.get_manifest(repo, digest).expect(404);
            assert!(said.contains(digest), "{said}");
        }
        released.has_its_tags(&client);
        server.restart();
        released.has_its_tags(&Client::of(&server));
    }
}

#[test]
fn what_version_0_1_has_told_clients_holds_for_the_window() {
    let released = Released::unpack("0.1-stopped");
    let server = serve(released.path());

    Boxyard::of(&server).succeed(&["garbage-collect", "--delete-untagged"]);

    released.is_whole(&Client::of(&server));
}

#[test]
fn a_folder_of_a_newer_version_is_refused_and_left_alone() {
    let released = Released::unpack("0.1-stopped");
    let database = released.database();
    sql(
        &database,
        "INSERT INTO migrations VALUES (9999, 'newer', 0)",
    );
    let before = fs::read(&database).expect("read the database");

    let refusal = Setup::new().root(released.path()).refuse();

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
