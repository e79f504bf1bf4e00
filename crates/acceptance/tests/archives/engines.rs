//! Docker's engines of two ages and Podman: what they save is imported, what is exported they load, and it runs.

use std::path::Path;

use boxyard_acceptance::{Docker, Network, Podman, platforms};
use boxyard_testkit::{Client, Image, TestServer};
use serde_json::json;

use crate::support::{digest_of, run};

/// What the image of these tests says.
const GREETING: &str = "Hello from Boxyard's tests!";

/// A registry with an image that runs here, as OCI's, as Docker's, and as one of several platforms.
fn registry() -> TestServer {
    let server = TestServer::start();
    let client = Client::of(&server);
    let hello = Image::hello("amd64");
    client.push_image("team/hello", "oci", &hello).expect(201);
    let docker = hello.to_docker();
    client
        .push_image("team/hello", "docker", &docker)
        .expect(201);
    let index = boxyard_testkit::Index::of(vec![Image::hello("arm64"), hello]);
    client.push_index("team/hello", "index", &index).expect(201);
    server
}

fn at(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

/// The digest of the configuration of what a tag names, which engines of old call the image by.
fn config_of(server: &TestServer, repo: &str, tag: &str) -> String {
    let manifest = Client::of(server).get_manifest(repo, tag).expect(200);
    manifest.json()["config"]["digest"]
        .as_str()
        .expect("an image has a configuration")
        .to_owned()
}

/// Loads what is exported, runs it, saves it, and imports that as `back`.
fn there_and_back(server: &TestServer, docker: &Docker, tag: &str, back: &str) {
    let home = docker.sandbox().home();
    let (out, saved) = (
        at(home, &format!("{tag}.tar")),
        at(home, &format!("{tag}-saved.tar")),
    );
    let image = format!("team/hello:{tag}");
    let host = ["--host", "registry.lan:5000"];
    let words = ["--format", "docker", "-o", &out];
    run(
        server,
        "export",
        &[&[image.as_str()][..], &words, &host].concat(),
    );

    let loaded = docker.run(format!("image load --input {out}"));
    let name = format!("registry.lan:5000/{image}");
    assert!(loaded.contains(&name), "{loaded}");
    assert_eq!(
        docker.run(format!("container run --rm --network none {name}")),
        GREETING
    );
    docker.run(format!("image save --output {saved} {name}"));

    let imported = run(server, "import", &[&saved]);
    assert!(
        imported.out.starts_with(&format!("{image}\t")),
        "{imported:?}"
    );
    run(server, "import", &[&saved, back]);
}

#[test]
fn debians_docker_loads_what_is_exported_and_what_it_saves_is_imported() {
    let server = registry();
    let docker = Docker::debian(Network::Private);

    for tag in ["oci", "docker", "index"] {
        there_and_back(&server, &docker, tag, &format!("back/{tag}:v1"));

        // It knows no manifests, but what an image is to it stays.
        let before = Image::hello("amd64").config.digest;
        assert_eq!(config_of(&server, &format!("back/{tag}"), "v1"), before);
        Client::of(&server).pull_image(&format!("back/{tag}"), "v1");
    }
}

#[test]
fn the_newest_docker_loads_what_is_exported_and_what_it_saves_is_imported() {
    let server = registry();
    let docker = Docker::newest(Network::Private);

    for tag in ["oci", "docker", "index"] {
        let before = digest_of(&server, "team/hello", tag);

        there_and_back(&server, &docker, tag, &format!("back/{tag}:v1"));

        let digest = digest_of(&server, &format!("back/{tag}"), "v1");
        assert_eq!(digest, before, "{tag}");
        Client::of(&server).pull_image(&format!("back/{tag}"), "v1");
    }
}

#[test]
fn of_an_index_that_docker_has_pulled_in_part_its_image_is_imported() {
    let server = registry();
    let docker = Docker::newest(Network::Machine);
    let name = format!("{}/team/hello:index", server.address());
    let saved = at(docker.sandbox().home(), "saved.tar");
    docker.run(format!("image pull {name}"));
    docker.run(format!("image save --output {saved} {name}"));

    let ran = run(&server, "import", &[&saved, "part:v1"]);

    assert!(
        ran.err.contains("that for linux/amd64, which is taken"),
        "{ran:?}"
    );
    assert_eq!(
        digest_of(&server, "part", "v1"),
        digest_of(&server, "team/hello", "oci")
    );
}

#[test]
fn several_images_that_debians_docker_saves_in_one_archive_are_imported() {
    let server = registry();
    let docker = Docker::debian(Network::Private);
    let home = docker.sandbox().home();
    docker.load(&Image::hello("amd64"), "registry.lan:5000/one:v1");
    docker.run("image tag registry.lan:5000/one:v1 two:v2");
    let index = platforms();
    docker.load(&index.images[0], "registry.lan:5000/three:v3");
    docker.load(&index.images[1], "four:latest");
    let saved = at(home, "saved.tar");
    let names = "registry.lan:5000/one:v1 two:v2 registry.lan:5000/three:v3 four:latest";
    docker.run(format!("image save --output {saved} {names}"));

    let mut printed: Vec<String> = run(&server, "import", &[&saved])
        .out
        .lines()
        .filter_map(|line| Some(line.split_once('\t')?.0.to_owned()))
        .collect();

    printed.sort();
    assert_eq!(printed, ["four:latest", "one:v1", "three:v3", "two:v2"]);
    assert_eq!(
        digest_of(&server, "one", "v1"),
        digest_of(&server, "two", "v2")
    );
    assert_eq!(
        config_of(&server, "three", "v3"),
        index.images[0].config.digest
    );
}

#[test]
fn podman_loads_what_is_exported_and_what_it_saves_is_imported() {
    let server = registry();
    let podman = Podman::new();
    let home = podman.sandbox().home();
    let tool = podman.podman();
    for (tag, format) in [("oci", "oci"), ("docker", "docker"), ("index", "docker")] {
        let out = at(home, &format!("{tag}.tar"));
        let image = format!("team/hello:{tag}");
        let host = ["--host", "registry.lan:5000"];
        let words = ["--format", format, "-o", &out];
        run(
            &server,
            "export",
            &[&[image.as_str()][..], &words, &host].concat(),
        );
        let loaded = tool.run(format!("load --input {out}"));
        let id = loaded
            .rsplit_once(": ")
            .expect("it says what it has loaded")
            .1;
        let greeting = tool.run(format!(
            "run --rm --network none --security-opt seccomp=unconfined {id}"
        ));
        assert_eq!(greeting, GREETING);

        for format in ["docker-archive", "oci-archive"] {
            let saved = at(home, &format!("{tag}-{format}.tar"));
            let back = format!("back/{tag}-{format}");
            tool.run(format!("tag {id} registry.lan:5000/saved/{tag}:{format}"));
            tool.run(format!(
                "save --format {format} --output {saved} registry.lan:5000/saved/{tag}:{format}"
            ));
            let named = run(&server, "import", &[&saved]).out;
            assert!(
                named.starts_with(&format!("saved/{tag}:{format}\t")),
                "{named}"
            );
            run(&server, "import", &[&saved, &format!("{back}:v1")]);
            let client = Client::of(&server);
            client.pull_image(&back, "v1");
            let config = client.get_blob(&back, &config_of(&server, &back, "v1"));
            let config = config.expect(200).json();
            assert_eq!(config["config"]["Cmd"], json!(["/hello"]));
        }
    }
}
