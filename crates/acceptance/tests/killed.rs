//! A server that is killed while a command works: repeating the command finishes it.

use std::path::{Path, PathBuf};
use std::process::Child;

use boxyard_acceptance::{Boxyard, Ran};
use boxyard_testkit::{Blob, Client, Image, Tar, TestServer, eventually};

/// How many tags there are, which take a command a while.
const TAGS: usize = 600;

/// A server whose death is no surprise, with an image that has many tags.
fn tagged(repo: &str) -> (TestServer, Image) {
    let server = TestServer::start();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[100_000]);
    client.push_image(repo, "keep", &image).expect(201);
    let names: Vec<String> = (0..TAGS).map(|number| format!("t{number:04}")).collect();
    for page in names.chunks(200) {
        let tags: Vec<String> = page.iter().map(|tag| format!("tag={tag}")).collect();
        let digest = &image.manifest.digest;
        let target = format!("/v2/{repo}/manifests/{digest}?{}", tags.join("&"));
        let put = client
            .request("PUT", &target)
            .header("Content-Type", &image.manifest.media_type)
            .bytes(image.manifest.bytes.clone());
        client.send(put).expect(201);
    }
    Boxyard::of(&server).succeed(&["settle"]);
    (server, image)
}

/// Begins a command, kills the server once `moment` has come or the command has ended, and starts it again.
fn kill_during(server: &mut TestServer, words: &[&str], mut moment: impl FnMut(&Client) -> bool) {
    let client = Client::of(server);
    let mut command: Child = Boxyard::of(server).begin(words);
    eventually("the moment to kill the server", || {
        let ended = command.try_wait().expect("ask for its end").is_some();
        (ended || moment(&client)).then_some(())
    });
    server.kill();
    // It hears of the death, whatever it was doing.
    command.wait().expect("wait for the command");
    server.start_again();
}

/// Repeats a command, for which nothing may be left to do.
fn repeat(server: &TestServer, words: &[&str], nothing: &str) {
    let ran: Ran = Boxyard::of(server).run(words);
    let is_done = ran.status == 0 || ran.status == 1 && ran.err.contains(nothing);
    assert!(is_done, "{ran:?}");
}

fn repository(server: &TestServer, repo: &str) -> PathBuf {
    let repositories = server.root().join("docker/registry/v2/repositories");
    repositories.join(repo)
}

/// The tags that another registry would see in the folder.
fn tags_in_folder(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join("_manifests/tags"));
    let mut tags: Vec<String> = entries
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("list tags").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    tags.sort();
    tags
}

#[test]
fn a_removal_of_tags_whose_server_was_killed_is_finished_by_repeating_it() {
    for left in [TAGS - 1, TAGS / 2, 0] {
        let (mut server, image) = tagged("app");
        let words = ["tag", "rm", "app:t*"];

        let last = format!("t{:04}", TAGS - left - 1);
        kill_during(&mut server, &words, |client| {
            client.get_manifest("app", &last).status() == Some(404)
        });
        // Whatever is still there is whole.
        for tag in Client::of(&server).tags("app").iter().take(50) {
            Client::of(&server).get_manifest("app", tag).expect(200);
        }
        repeat(&server, &words, "no tag matches");

        assert_eq!(Client::of(&server).tags("app"), ["keep"]);
        Boxyard::of(&server).succeed(&["settle"]);
        assert_eq!(tags_in_folder(&repository(&server, "app")), ["keep"]);
        let pulled = Client::of(&server).pull_image("app", "keep");
        assert_eq!(pulled.manifest.bytes, image.manifest.bytes);
    }
}

#[test]
fn a_removal_of_a_repository_whose_server_was_killed_is_finished_by_repeating_it() {
    for left in [TAGS - 1, TAGS / 2, 0] {
        let (mut server, image) = tagged("old");
        let other = Image::with_layers(2, &[3_000]);
        Client::of(&server)
            .push_image("other", "v1", &other)
            .expect(201);
        let words = ["repo", "rm", "old"];

        let last = format!("t{:04}", TAGS - left - 1);
        kill_during(&mut server, &words, |client| {
            client.get_manifest("old", &last).status() == Some(404)
        });
        repeat(&server, &words, "no repository matches");

        assert_eq!(Client::of(&server).catalog(), ["other"]);
        Client::of(&server).pull_image("other", "v1");
        Boxyard::of(&server).succeed(&["settle"]);
        assert_eq!(tags_in_folder(&repository(&server, "old")), [""; 0]);
        let hex = image.layers[0].digest.replace("sha256:", "");
        let blobs = server.root().join("docker/registry/v2/blobs/sha256");
        eventually("the file of its layer to go", || {
            (!blobs.join(&hex[..2]).join(&hex).exists()).then_some(())
        });
    }
}

#[test]
fn a_copy_whose_server_was_killed_is_finished_by_repeating_it() {
    let layers: Vec<Vec<u8>> = (0..300)
        .map(|number| Tar::new().file(&format!("{number}"), 0o644, b"x").finish())
        .collect();
    let image = Image::of("amd64", layers, &["/none"]);
    let mut server = TestServer::start();
    Client::of(&server)
        .push_image("app", "v1", &image)
        .expect(201);
    let words = ["tag", "cp", "app:v1", "copy:v1"];
    let has =
        |client: &Client, blob: &Blob| client.head_blob("copy", &blob.digest).status() == Some(200);

    for number in [0, 150, 299] {
        kill_during(&mut server, &words, |client| {
            has(client, &image.layers[number])
        });

        // The tag is there when everything is.
        let client = Client::of(&server);
        if client.get_manifest("copy", "v1").status() == Some(200) {
            client.pull_image("copy", "v1");
        }
    }
    Boxyard::of(&server).succeed(&words);

    let pulled = Client::of(&server).pull_image("copy", "v1");
    assert_eq!(pulled.manifest.bytes, image.manifest.bytes);
    Boxyard::of(&server).succeed(&["repo", "rm", "app"]);
    Client::of(&server).pull_image("copy", "v1");
}
