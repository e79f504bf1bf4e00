//! What is wrong in the folder is told, stops nothing, and is healed by a push.

use std::fs;
use std::path::{Path, PathBuf};

use boxyard_testkit::{Client, Setup};
use tempfile::TempDir;

use crate::content::image;
use crate::peer::{PEERS, command, visit};

/// A folder that the other registry has filled with one image.
fn filled() -> TempDir {
    let folder = TempDir::new().expect("make a folder");
    PEERS[0].visit(folder.path(), |client| {
        client.push_image("app", "latest", &image(1)).expect(201);
        client.push_image("app", "torn", &image(2)).expect(201);
        client.push_image("app", "torn", &image(3)).expect(201);
    });
    folder
}

fn data(root: &Path, digest: &str) -> PathBuf {
    let (algorithm, hex) = digest.split_once(':').expect("a digest");
    root.join("docker/registry/v2/blobs")
        .join(algorithm)
        .join(&hex[..2])
        .join(hex)
        .join("data")
}

#[test]
fn bad_objects_are_listed_by_findings_until_they_are_pushed_again() {
    let folder = filled();
    let layer = &image(1).layers[1];
    fs::write(data(folder.path(), &layer.digest), &layer.bytes[..100]).expect("cut a blob");
    let tags = "docker/registry/v2/repositories/app/_manifests/tags";
    let torn = folder.path().join(tags).join("torn/current/link");
    fs::write(torn, "").expect("empty a link");
    let damaged = "blob is damaged";
    let mut server = Setup::new()
        .root(folder.path())
        .allow_error(damaged)
        .start();
    let client = Client::of(&server);

    client
        .get_manifest("app", "torn")
        .expect_error(404, "MANIFEST_UNKNOWN");
    client.get_manifest("app", "latest").expect(200);
    client
        .get_blob("app", &layer.digest)
        .expect_error(404, "BLOB_UNKNOWN");
    client.head_blob("app", &layer.digest).expect(404);
    let said = command(&server, "findings");
    assert!(
        said.contains(&layer.digest) && said.contains("torn"),
        "{said}"
    );

    client.push_image("app", "latest", &image(1)).expect(201);
    client.push_image("app", "torn", &image(3)).expect(201);

    assert!(command(&server, "findings").contains("no findings"));
    server.restart();
    client.pull_image("app", "latest");
    client.pull_image("app", "torn");
    server.stop();
    PEERS[1].visit(folder.path(), |client| {
        client.pull_image("app", "latest");
        client.pull_image("app", "torn");
    });
}

#[test]
fn a_damaged_database_does_not_keep_the_server_from_serving() {
    let folder = filled();
    visit(folder.path(), |client| {
        client.push_image("app", "ours", &image(4)).expect(201);
    });
    let database = folder.path().join("boxyard.db");
    fs::write(&database, "this is no database").expect("damage the database");

    let aside = "moved aside";
    let mut server = Setup::new().root(folder.path()).allow_error(aside).start();
    let client = Client::of(&server);
    for tag in ["latest", "torn", "ours"] {
        client.pull_image("app", tag);
    }
    server.stop();

    let kept = fs::read(folder.path().join("boxyard.db.corrupt-1")).expect("read what was kept");
    assert_eq!(kept, b"this is no database");
}
