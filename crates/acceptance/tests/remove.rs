//! Removing whole repositories: what goes, what stays, with and without a server.

use std::path::Path;

use boxyard_acceptance::Boxyard;
use boxyard_testkit::{Client, Image, Setup, TestServer, eventually};
use serde_json::json;

fn push(server: &TestServer, repo: &str, seed: u64) -> Image {
    let image = Image::with_layers(seed, &[100_000]);
    let client = Client::of(server);
    for tag in ["v1", "v2"] {
        client.push_image(repo, tag, &image).expect(201);
    }
    image
}

fn has_file(root: &Path, digest: &str) -> bool {
    let (algorithm, hex) = digest.split_once(':').expect("a digest has an algorithm");
    let blobs = root.join("docker/registry/v2/blobs").join(algorithm);
    blobs.join(&hex[..2]).join(hex).join("data").exists()
}

fn repositories(server: &TestServer) -> std::path::PathBuf {
    server.root().join("docker/registry/v2/repositories")
}

#[test]
fn a_repository_goes_with_its_files_and_the_ones_below_it_stay() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let gone = push(&server, "team", 1);
    let kept = push(&server, "team/app", 2);

    let said = Boxyard::of(&server).succeed(&["repo", "rm", "team"]);

    assert!(said.starts_with("team\t2 tags\t1 manifest\t"), "{said}");
    assert_eq!(client.catalog(), ["team/app"]);
    client.get_manifest("team", "v1").expect(404);
    client.pull_image("team/app", "v1");
    eventually("the files to go", || {
        (!has_file(server.root(), &gone.layers[0].digest)).then_some(())
    });
    assert!(has_file(server.root(), &kept.layers[0].digest));
    let folder = repositories(&server).join("team");
    assert!(!folder.join("_manifests").exists());
    assert!(!folder.join("_layers").exists());
    assert!(folder.join("app/_manifests").exists());
}

#[test]
fn a_repository_goes_where_no_server_runs_and_its_room_is_free() {
    let mut server = TestServer::start();
    let image = push(&server, "old/app", 1);
    server.stop();

    Boxyard::of(&server).succeed(&["repo", "rm", "old/app"]);

    assert!(!has_file(server.root(), &image.layers[0].digest));
    assert!(!repositories(&server).join("old").exists());
    server.start_again();
    assert!(Client::of(&server).catalog().is_empty());
}

#[test]
fn a_dry_run_lists_exactly_what_goes() {
    let off = json!({"storage": {"delete": {"enabled": false}}});
    let server = Setup::new().config(&off).start();
    let client = Client::of(&server);
    for (seed, repo) in ["review/a", "review/b/c", "main"].into_iter().enumerate() {
        push(&server, repo, seed as u64);
    }
    let boxyard = Boxyard::of(&server);

    let dry = boxyard.succeed(&["repo", "rm", "review/**", "--dry-run"]);
    assert_eq!(client.catalog().len(), 3);
    let done = boxyard.succeed(&["repo", "rm", "review/**"]);

    assert_eq!(dry, done);
    assert_eq!(dry.lines().count(), 2);
    assert_eq!(client.catalog(), ["main"]);
    assert_eq!(boxyard.run(&["repo", "rm", "review/**"]).status, 1);
}

#[test]
fn commands_list_everything_where_clients_get_short_pages() {
    let short = json!({"catalog": {"maxentries": 2}, "tags": {"maxtags": 1}});
    let server = Setup::new().config(&short).start();
    for (seed, repo) in ["a", "b", "c", "d"].into_iter().enumerate() {
        push(&server, repo, seed as u64);
    }
    let boxyard = Boxyard::of(&server);

    assert_eq!(boxyard.succeed(&["repo", "ls"]).lines().count(), 4);
    let tags = boxyard.succeed(&["tag", "rm", "*:v*", "--dry-run"]);
    assert_eq!(tags.lines().count(), 8);
    assert_eq!(boxyard.succeed(&["repo", "rm", "*"]).lines().count(), 4);
}

#[test]
fn what_another_repository_needs_stays() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let image = push(&server, "a", 1);
    push(&server, "b", 1);

    Boxyard::of(&server).succeed(&["repo", "rm", "a"]);

    client.pull_image("b", "v1");
    assert!(has_file(server.root(), &image.layers[0].digest));
    client.head_blob("a", &image.layers[0].digest).expect(404);
}

#[test]
fn a_removal_that_was_killed_may_be_repeated() {
    let mut server = TestServer::start();
    let client = Client::of(&server);
    let image = push(&server, "big", 1);
    for number in 0..300 {
        client.tag("big", "v1", &format!("t{number}")).expect(201);
    }
    server.stop();

    let mut removal = Boxyard::of(&server).begin(&["repo", "rm", "big"]);
    eventually("the removal to have begun", || {
        let is_there = repositories(&server)
            .join("big/_manifests/tags/t299")
            .exists();
        let ended = removal.try_wait().expect("ask for its end").is_some();
        (!is_there || ended).then_some(())
    });
    removal.kill().expect("kill the removal");
    removal.wait().expect("wait for the removal");
    server.start_again();
    let client = Client::of(&server);
    for tag in client
        .get("/v2/big/tags/list")
        .status()
        .map_or_else(Vec::new, |status| {
            if status == 200 {
                client.tags("big")
            } else {
                Vec::new()
            }
        })
    {
        client.get_manifest("big", &tag).expect(200);
    }
    let _repeated = Boxyard::of(&server).run(&["repo", "rm", "big"]);

    assert!(client.catalog().is_empty());
    eventually("the files to go", || {
        (!has_file(server.root(), &image.layers[0].digest)).then_some(())
    });
}

#[test]
fn repositories_and_tags_are_listed_with_sizes_and_times() {
    let server = TestServer::start();
    let image = push(&server, "team/app", 1);
    push(&server, "other", 2);
    let boxyard = Boxyard::of(&server);

    let repositories = boxyard.succeed(&["repo", "ls", "team/*"]);
    let tags = boxyard.succeed(&["tag", "ls", "team/app"]);

    let fields: Vec<&str> = repositories.trim().split('\t').collect();
    assert_eq!(&fields[..3], ["team/app", "2", "1"]);
    assert!(
        fields[3].ends_with("iB") && fields[4].starts_with("20"),
        "{fields:?}"
    );
    assert_eq!(boxyard.succeed(&["repo", "ls"]).lines().count(), 2);
    assert_eq!(tags.lines().count(), 2);
    assert!(
        tags.starts_with("v1\t") && tags.contains(&image.manifest.digest),
        "{tags}"
    );
    assert_eq!(boxyard.run(&["tag", "ls", "nowhere"]).status, 1);
}
