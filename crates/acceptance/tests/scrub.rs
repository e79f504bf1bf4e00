//! A scrub reads everything again, finds what was flipped, and takes it out of service until it is pushed again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use boxyard_acceptance::Boxyard;
use boxyard_testkit::{Client, Image, Setup, TestServer, eventually};

/// The file of a blob.
fn file_of(root: &Path, digest: &str) -> PathBuf {
    let (algorithm, hex) = digest.split_once(':').expect("a digest has an algorithm");
    let blobs = root.join("docker/registry/v2/blobs").join(algorithm);
    blobs.join(&hex[..2]).join(hex).join("data")
}

/// Flips one bit of a file, whose size stays.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).expect("read a blob");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).expect("write a blob");
}

/// A server with an image whose layers have files of their own.
fn served() -> (TestServer, Image) {
    let server = Setup::new().allow_error("damage").start();
    let image = Image::with_layers(3, &[200_000, 300_000]);
    Client::of(&server)
        .push_image("team/app", "v1", &image)
        .expect(201);
    (server, image)
}

fn wait_for_file(path: &Path) {
    eventually("the projector to write a file", || {
        path.exists().then_some(())
    });
}

#[test]
fn what_is_whole_passes() {
    let (server, _) = served();

    let ran = Boxyard::of(&server).run(&["scrub"]);

    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.err.contains("read 3 blobs and 1 manifest,"), "{ran:?}");
    assert_eq!(ran.out, "");
}

#[test]
fn a_flipped_bit_is_found_while_serving_and_healed_by_a_push() {
    let (server, image) = served();
    let client = Client::of(&server);
    let (whole, flipped) = (&image.layers[0], &image.layers[1]);
    flip(&file_of(server.root(), &flipped.digest));
    client.get_blob("team/app", &flipped.digest).expect(200);

    let ran = Boxyard::of(&server).run(&["scrub"]);

    assert_eq!(ran.status, 3, "{ran:?}");
    let expected = format!("blob_damaged\t{}\t", flipped.digest);
    assert!(ran.out.starts_with(&expected), "{ran:?}");
    client
        .get_blob("team/app", &flipped.digest)
        .expect_error(404, "BLOB_UNKNOWN");
    client.get_blob("team/app", &whole.digest).expect(200);
    let boxyard = Boxyard::of(&server);
    assert!(boxyard.succeed(&["findings"]).contains(&flipped.digest));
    client.push_blob("team/app", flipped).expect(201);
    client.pull_image("team/app", "v1");
    assert_eq!(boxyard.run(&["scrub"]).status, 0);
    assert_eq!(boxyard.succeed(&["findings"]), "");
}

#[test]
fn damage_is_found_where_no_server_runs() {
    let (mut server, image) = served();
    server.stop();
    let layer = &image.layers[0].digest;
    flip(&file_of(server.root(), layer));

    let ran = Boxyard::of(&server).run(&["scrub"]);

    assert_eq!(ran.status, 3, "{ran:?}");
    server.start_again();
    Client::of(&server)
        .get_blob("team/app", layer)
        .expect_error(404, "BLOB_UNKNOWN");
}

#[test]
fn a_manifest_is_mended_by_its_other_copy() {
    let (server, image) = served();
    let file = file_of(server.root(), &image.manifest.digest);
    wait_for_file(&file);
    flip(&file);

    let ran = Boxyard::of(&server).run(&["scrub", "--repository", "team/app"]);

    assert_eq!(ran.status, 3, "{ran:?}");
    assert!(ran.err.contains("1 damaged, 1 of them mended"), "{ran:?}");
    assert_eq!(fs::read(&file).expect("read"), image.manifest.bytes);
    Client::of(&server).pull_image("team/app", "v1");
    assert_eq!(Boxyard::of(&server).run(&["scrub"]).status, 0);
}

#[test]
fn only_the_named_repositories_are_read() {
    let (server, image) = served();
    let other = Image::with_layers(9, &[100_000]);
    Client::of(&server)
        .push_image("other", "v1", &other)
        .expect(201);
    flip(&file_of(server.root(), &image.layers[0].digest));
    let boxyard = Boxyard::of(&server);

    assert_eq!(boxyard.run(&["scrub", "--repository", "other"]).status, 0);
    let ran = boxyard.run(&["scrub", "--repository", "team/app"]);

    assert_eq!(ran.status, 3, "{ran:?}");
}

#[test]
fn a_repository_that_is_not_there_is_not_said_to_be_whole() {
    let (server, _) = served();
    let misspelt = ["scrub", "--repository", "team/ap"];
    let beside_a_right_one = [
        "scrub",
        "--repository",
        "team/app",
        "--repository",
        "team/ap",
    ];

    for words in [&misspelt[..], &beside_a_right_one] {
        let ran = Boxyard::of(&server).run(words);

        assert_eq!(ran.status, 1, "{ran:?}");
        assert!(ran.err.contains("no repository `team/ap`"), "{ran:?}");
    }
}

#[test]
fn no_more_is_read_a_second_than_was_said() {
    let (server, _) = served();
    let begun = Instant::now();

    let ran = Boxyard::of(&server).run(&["scrub", "--rate", "250kB/s"]);

    assert_eq!(ran.status, 0, "{ran:?}");
    // Half a megabyte.
    assert!(
        begun.elapsed().as_millis() >= 1_500,
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_killed_scrub_leaves_the_server_alone_and_what_it_found_recorded() {
    let (server, image) = served();
    let boxyard = Boxyard::of(&server);
    for layer in &image.layers {
        flip(&file_of(server.root(), &layer.digest));
    }

    let mut scrub = boxyard.begin(&["scrub", "--rate", "150kB/s"]);
    eventually("the first finding", || {
        (!boxyard.succeed(&["findings"]).is_empty()).then_some(())
    });
    scrub.kill().expect("kill the scrub");
    scrub.wait().expect("wait for the scrub");

    Client::of(&server).check().expect(200);
    assert_eq!(boxyard.run(&["scrub"]).status, 3);
    assert_eq!(boxyard.succeed(&["findings"]).lines().count(), 2);
}

#[test]
fn a_folder_that_no_server_has_opened_is_scrubbed_too() {
    let (mut server, image) = served();
    let layer = &image.layers[0].digest;
    Boxyard::of(&server).succeed(&["settle"]);
    server.stop();
    // As another registry leaves it.
    for suffix in ["", "-wal", "-shm"] {
        let _absent = fs::remove_file(server.root().join(format!("boxyard.db{suffix}")));
    }
    fs::remove_dir_all(server.root().join("boxyard")).expect("remove what is ours");
    flip(&file_of(server.root(), layer));

    let ran = Boxyard::of(&server).run(&["scrub"]);

    assert_eq!(ran.status, 3, "{ran:?}");
    assert!(ran.out.contains(layer.as_str()), "{ran:?}");
    assert!(ran.err.contains("read 3 blobs and 1 manifest,"), "{ran:?}");
}

#[test]
fn a_scrub_after_an_interrupted_one_reads_everything_again() {
    let (server, image) = served();
    let boxyard = Boxyard::of(&server);
    let mut scrub = boxyard.begin(&["scrub", "--rate", "100kB/s"]);
    assert!(scrub.try_wait().expect("ask for its end").is_none());
    scrub.kill().expect("kill the scrub");
    scrub.wait().expect("wait for the scrub");
    // It may have read this one already.
    flip(&file_of(server.root(), &image.layers[0].digest));

    let ran = boxyard.run(&["scrub"]);

    assert_eq!(ran.status, 3, "{ran:?}");
    assert!(ran.err.contains("read 3 blobs and 1 manifest,"), "{ran:?}");
}
