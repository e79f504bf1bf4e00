//! Docker pushes and pulls, by its oldest engine that matters and by its newest.

use std::fs;

use boxyard_acceptance::{
    BIG_LAYER, BigImage, Docker, Layout, Network, PLATFORMS, big_image, platforms,
};
use boxyard_testkit::{Client, Image, TestServer, media_type};

#[test]
fn debians_docker_pushes_and_pulls_an_image_of_several_layers() {
    push_and_pull_layers(&Docker::debian(Network::Machine));
}

#[test]
fn the_newest_docker_pushes_and_pulls_an_image_of_several_layers() {
    push_and_pull_layers(&Docker::newest(Network::Machine));
}

#[test]
fn debians_docker_pushes_a_manifest_list_and_pulls_the_platform_it_asks_for() {
    let server = TestServer::start();
    let docker = Docker::debian(Network::Machine);
    let name = format!("{}/platforms", server.address());
    for (architecture, image) in PLATFORMS.iter().zip(platforms().images) {
        docker.load(&image, &format!("{name}:{architecture}"));
        docker.run(format!("image push {name}:{architecture}"));
    }

    docker.run(format!(
        "manifest create --insecure {name}:all {name}:amd64 {name}:arm64"
    ));
    docker.run(format!("manifest push --insecure {name}:all"));
    docker.run(format!("image rm {name}:amd64 {name}:arm64"));

    let list = Client::of(&server).pull_image("platforms", "all");
    assert_eq!(list.manifest.media_type, media_type::DOCKER_LIST);
    assert_eq!(list.children.len(), 2);
    pulls_each_platform(&docker, &format!("{name}:all"));
}

#[test]
fn the_newest_docker_pushes_a_whole_index_and_pulls_the_platform_it_asks_for() {
    let server = TestServer::start();
    let docker = Docker::newest(Network::Machine);
    let name = format!("{}/platforms:all", server.address());
    let index = platforms();
    let layout = Layout::of_index(&docker.sandbox().home().join("index"), &index, &name);
    docker.run(format!("image load --input {}", layout.archive().display()));

    docker.run(format!("image push {name}"));
    docker.run(format!("image rm {name}"));

    let pushed = Client::of(&server).pull_image("platforms", "all");
    assert_eq!(pushed.manifest.bytes, index.manifest.bytes);
    pulls_each_platform(&docker, &name);
}

#[test]
fn debians_docker_pushes_and_pulls_a_layer_of_more_than_a_gigabyte() {
    let big = big_image();
    push_and_pull_a_big_layer(&Docker::debian(Network::Machine), &big);
}

#[test]
fn the_newest_docker_pushes_and_pulls_a_layer_of_more_than_a_gigabyte() {
    let big = big_image();
    push_and_pull_a_big_layer(&Docker::newest(Network::Machine), &big);
}

fn push_and_pull_layers(docker: &Docker) {
    let server = TestServer::start();
    let name = format!("{}/some/app:v1", server.address());
    let image = Image::with_layers(1, &[10, 20_000, 3_000_000]);
    docker.load(&image, &name);
    let before = docker.inspect(&name);

    docker.run(format!("image push {name}"));
    docker.run(format!("image rm {name}"));
    assert!(!docker.client().succeeds(format!("image inspect {name}")));
    docker.run(format!("image pull {name}"));

    let after = docker.inspect(&name);
    assert_eq!(after["Id"], before["Id"]);
    assert_eq!(after["RootFS"], before["RootFS"]);
    let pushed = Client::of(&server).pull_image("some/app", "v1");
    assert_eq!(pushed.blobs.len(), 4);
}

fn push_and_pull_a_big_layer(docker: &Docker, big: &BigImage) {
    let server = TestServer::start();
    let name = format!("{}/big:latest", server.address());
    docker.run(format!("image load --input {}", big.path().display()));
    docker.run(format!("image tag big {name}"));
    let before = docker.inspect(&name);

    docker.run(format!("image push {name}"));
    docker.run(format!("image rm {name} big"));
    docker.run(format!("image pull {name}"));

    assert_eq!(docker.inspect(&name)["RootFS"], before["RootFS"]);
    let pushed = Client::of(&server)
        .get_manifest("big", "latest")
        .expect(200);
    assert!(pushed.json()["layers"][0]["size"].as_u64() > Some(BIG_LAYER));
}

fn pulls_each_platform(docker: &Docker, name: &str) {
    let copy = docker.sandbox().home().join("copy");
    for architecture in PLATFORMS {
        let platform = format!("--platform linux/{architecture}");
        docker.run(format!("image pull {platform} {name}"));

        let container = docker.run(format!("container create {platform} {name}"));
        let file = format!("{container}:/architecture");
        docker.run(format!("container cp {file} {}", copy.display()));
        let copied = fs::read_to_string(&copy).expect("read the copy");
        assert_eq!(copied, architecture);
        docker.run(format!("container rm {container}"));
        docker.run(format!("image rm {name}"));
    }
}
