//! Small blobs are durable in the database before they are files, and nobody can tell.

use std::fs;
use std::path::{Path, PathBuf};

use boxyard_acceptance::Boxyard;
use boxyard_testkit::{Blob, Client, Image, Noise, Setup, TestServer, Upload, Way, eventually};
use tempfile::TempDir;

fn blobs(root: &Path) -> PathBuf {
    root.join("docker/registry/v2/blobs/sha256")
}

/// The files of blobs that a folder has.
fn files(root: &Path) -> usize {
    let list = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let folders = list(&blobs(root))
        .into_iter()
        .flat_map(|shard| list(&shard));
    folders
        .filter(|folder| folder.join("data").exists())
        .count()
}

/// The links of layers in the repository `app`.
fn links(root: &Path) -> usize {
    let layers = root.join("docker/registry/v2/repositories/app/_layers/sha256");
    let folders = fs::read_dir(layers).into_iter().flatten().flatten();
    folders
        .filter(|folder| folder.path().join("link").exists())
        .count()
}

/// A server whose tree cannot get any blobs, because something is in their place.
fn obstructed() -> TestServer {
    let server = Setup::new()
        .allow_error("the tree cannot follow the database")
        .allow_error("a path of the tree could not be written")
        .start();
    fs::write(blobs(server.root()), "").expect("be in the way");
    server
}

#[test]
fn what_has_no_file_yet_is_served_copied_and_kept_over_a_kill() {
    let mut server = obstructed();
    let image = Image::with_layers(1, &[5_000, 100]);
    Client::of(&server)
        .push_image("app", "v1", &image)
        .expect(201);
    let layer = &image.layers[0];

    for _ in 0..2 {
        let client = Client::of(&server);
        let pulled = client.pull_image("app", "v1");
        assert_eq!(pulled.manifest.bytes, image.manifest.bytes);
        let part = client.get_range("app", &layer.digest, "bytes=10-19");
        assert_eq!(part.expect(206).body, layer.bytes[10..20]);
        let head = client.head_blob("app", &layer.digest).expect(200);
        assert_eq!(
            head.required("content-length"),
            layer.bytes.len().to_string()
        );
        client
            .mount("other", &layer.digest, Some("app"))
            .expect(201);
        Boxyard::of(&server).succeed(&["scrub"]);
        server.kill();
        server.start_again();
    }
    assert_eq!(links(server.root()), 0, "a link leads to nothing");
    let archive = TempDir::new().expect("make a folder");
    let out = archive.path().join("image.tar");
    let to = out.to_str().expect("it is text");
    Boxyard::of(&server).succeed(&["export", "app:v1", "-o", to]);
    let backup = archive.path().join("backup");
    let words = ["backup".as_ref(), backup.as_os_str()];
    Boxyard::of(&server).succeed(&words);

    fs::remove_file(blobs(server.root())).expect("be out of the way");
    Boxyard::of(&server).succeed(&["settle"]);
    assert_eq!(files(server.root()), 4);
    Client::of(&server).pull_image("app", "v1");

    let mut restored = Setup::new().root(archive.path().join("restored")).start();
    restored.stop();
    fs::remove_dir_all(restored.root()).expect("empty the folder");
    let words = ["restore".as_ref(), backup.as_os_str(), "--verify".as_ref()];
    Boxyard::of(&restored).succeed(&words);
    assert_eq!(files(restored.root()), 4);
    restored.start_again();
    Client::of(&restored).pull_image("app", "v1");
}

#[test]
fn what_has_no_file_yet_is_deleted_and_collected() {
    let server = obstructed();
    let client = Client::of(&server);
    let blob = Blob::new("application/octet-stream", Noise::new(3).draw(3_000));
    client.push_blob("app", &blob).expect(201);

    client.delete_blob("app", &blob.digest).expect(202);
    client.get_blob("app", &blob.digest).expect(404);

    fs::remove_file(blobs(server.root())).expect("be out of the way");
    Boxyard::of(&server).succeed(&["settle"]);
    assert_eq!(files(server.root()), 0);
    client.push_blob("app", &blob).expect(201);
    let found = client.get_blob("app", &blob.digest).expect(200);
    assert_eq!(found.body, blob.bytes);
}

#[test]
fn a_kill_right_after_an_answer_loses_neither_blobs_nor_uploads() {
    let mut server = TestServer::start();
    let ways = [Way::Post, Way::PostPut, Way::Chunks(1_000), Way::Streamed];
    for (seed, way) in (10..).zip(ways) {
        let blob = Blob::new("application/octet-stream", Noise::new(seed).draw(3_000));
        let client = Client::of(&server);
        let begun = Upload::at(&client.begin_upload("app").expect(202));
        let sent = client.patch(&begun, Some(0), &blob.bytes[..1_000]);
        let upload = Upload::at(&sent.expect(202));
        let cancelled = Upload::at(&client.begin_upload("app").expect(202));
        client.cancel(&cancelled).expect(204);
        client.push_blob_by(way, "app", &blob).expect(201);
        server.kill();
        server.start_again();

        let client = Client::of(&server);
        let found = client.get_blob("app", &blob.digest).expect(200);
        assert_eq!(found.body, blob.bytes);
        client
            .upload_status(&cancelled)
            .expect_error(404, "BLOB_UPLOAD_UNKNOWN");
        let status = client.upload_status(&upload).expect(204);
        assert_eq!(status.required("range"), "0-999");
        client
            .finish(&upload, &blob.digest, &blob.bytes[1_000..])
            .expect(201);
    }
}

#[test]
fn an_upload_that_goes_on_for_a_moment_is_seen_in_the_folder() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let begun = Upload::at(&client.begin_upload("app").expect(202));
    let sent = client.patch(&begun, Some(0), b"some ");
    let upload = Upload::at(&sent.expect(202));

    let repositories = server.root().join("docker/registry/v2/repositories");
    eventually("the folder of an upload", || {
        let uploads = fs::read_dir(repositories.join("app/_uploads")).ok()?;
        let files = uploads.flatten().map(|entry| entry.path().join("data"));
        let data: Vec<Vec<u8>> = files.filter_map(|path| fs::read(path).ok()).collect();
        (data == [b"some ".to_vec()]).then_some(())
    });

    let blob = Blob::new("application/octet-stream", b"some bytes".to_vec());
    client.finish(&upload, &blob.digest, b"bytes").expect(201);
    let found = client.get_blob("app", &blob.digest).expect(200);
    assert_eq!(found.body, blob.bytes);
}
