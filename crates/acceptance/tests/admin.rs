//! Commands reach a running server by the socket in its folder, and do the same without a server.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use boxyard_acceptance::Boxyard;
use boxyard_testkit::{Client, Image, Setup, TestServer};
use serde_json::json;
use tempfile::TempDir;

/// A server with an image under many tags.
fn server_with_tags(tags: &[&str]) -> TestServer {
    let server = TestServer::start();
    push_tags(&server, tags);
    server
}

fn push_tags(server: &TestServer, tags: &[&str]) {
    let client = Client::of(server);
    let image = Image::with_layers(1, &[2_000]);
    for tag in tags {
        client.push_image("team/app", tag, &image).expect(201);
    }
}

#[test]
fn tags_are_removed_through_a_running_server() {
    let server = server_with_tags(&["v1", "v2", "nightly-1", "nightly-2"]);
    let client = Client::of(&server);
    let boxyard = Boxyard::of(&server);

    let dry = boxyard.succeed(&["tag", "rm", "team/app:nightly-*", "--dry-run"]);
    assert_eq!(dry, "team/app:nightly-1\nteam/app:nightly-2\n");
    assert_eq!(client.tags("team/app").len(), 4);
    let removed = boxyard.succeed(&["tag", "rm", "team/*:nightly-*", "team/app:v1"]);

    assert_eq!(removed, format!("{dry}team/app:v1\n"));
    assert_eq!(client.tags("team/app"), ["v2"]);
    client.pull_image("team/app", "v2");
}

#[test]
fn tags_are_removed_where_no_server_runs() {
    let mut server = server_with_tags(&["v1", "v2"]);
    server.stop();

    Boxyard::of(&server).succeed(&["tag", "rm", "team/app:v1"]);

    server.start_again();
    assert_eq!(Client::of(&server).tags("team/app"), ["v2"]);
}

#[test]
fn an_administrator_removes_tags_where_clients_may_not() {
    let off = json!({"storage": {"delete": {"enabled": false}}});
    let server = Setup::new().config(&off).start();
    push_tags(&server, &["v1", "v2"]);
    let client = Client::of(&server);

    client
        .delete_tag("team/app", "v1")
        .expect_error(405, "UNSUPPORTED");
    Boxyard::of(&server).succeed(&["tag", "rm", "team/app:v1"]);

    assert_eq!(client.tags("team/app"), ["v2"]);
}

#[test]
fn a_tag_that_is_not_there_is_an_error() {
    let server = server_with_tags(&["v1"]);
    let boxyard = Boxyard::of(&server);

    for words in [
        ["tag", "rm", "team/app:v2"],
        ["tag", "rm", "team/other:v1"],
        ["tag", "rm", "team/app:w*"],
    ] {
        let ran = boxyard.run(&words);
        assert_eq!(ran.status, 1, "{ran:?}");
        assert!(ran.err.contains("error: "), "{ran:?}");
    }
    assert_eq!(boxyard.run(&["tag", "rm", "team/app"]).status, 2);
}

#[test]
fn thousands_of_tags_are_removed_page_by_page() {
    let mut server = server_with_tags(&["keep"]);
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[2_000]);
    let names: Vec<String> = (0..2_500).map(|number| format!("v{number}")).collect();
    for page in names.chunks(200) {
        let tags: Vec<String> = page.iter().map(|tag| format!("tag={tag}")).collect();
        let target = format!(
            "/v2/team/app/manifests/{}?{}",
            image.manifest.digest,
            tags.join("&")
        );
        let put = client
            .request("PUT", &target)
            .header("Content-Type", &image.manifest.media_type)
            .bytes(image.manifest.bytes.clone());
        client.send(put).expect(201);
    }

    let removed = Boxyard::of(&server).succeed(&["tag", "rm", "team/app:v*"]);

    assert_eq!(removed.lines().count(), 2_500);
    assert_eq!(client.tags("team/app"), ["keep"]);
    server.restart();
    assert_eq!(Client::of(&server).tags("team/app"), ["keep"]);
}

#[test]
fn only_the_servers_user_may_open_the_socket_and_a_stale_one_is_replaced() {
    let mut server = server_with_tags(&["v1"]);
    let socket = server.root().join("boxyard/admin.sock");
    let mode = fs::metadata(&socket).expect("the socket").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);

    server.kill();
    assert!(socket.exists(), "a crash leaves the socket behind");
    // Somebody who died just before has left another one.
    fs::remove_file(&socket).expect("remove the socket");
    drop(UnixListener::bind(&socket).expect("make a stale socket"));
    Boxyard::of(&server).succeed(&["tag", "rm", "team/app:v1"]);
    server.start_again();

    Boxyard::of(&server).succeed(&["settle"]);
    server.stop();
    assert!(!socket.exists(), "an orderly stop removes the socket");
}

#[test]
fn a_folder_with_a_long_path_has_a_socket_too() {
    let area = TempDir::new().expect("make a folder");
    let root = area.path().join("long".repeat(30)).join("folder");
    let server = Setup::new().root(&root).start();
    push_tags(&server, &["v1", "v2"]);

    Boxyard::of(&server).succeed(&["tag", "rm", "team/app:v1"]);

    assert_eq!(Client::of(&server).tags("team/app"), ["v2"]);
}

#[test]
fn a_folder_is_adopted_and_settled_while_it_serves() {
    let server = server_with_tags(&["v1"]);
    let boxyard = Boxyard::of(&server);

    let adopted = boxyard.succeed(&["adopt"]);
    let settled = boxyard.succeed(&["settle"]);

    assert!(adopted.starts_with("read "), "{adopted}");
    assert!(settled.starts_with("the folder is up to date"), "{settled}");
    Client::of(&server).pull_image("team/app", "v1");
}
