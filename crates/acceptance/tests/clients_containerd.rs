//! containerd pushes and pulls by `ctr`: Debian's 1.6 and the newest.

use boxyard_acceptance::{
    BIG_LAYER, BigImage, Containerd, Layout, PLATFORMS, big_image, platforms,
};
use boxyard_testkit::{Client, Image, TestServer};

#[test]
fn debians_ctr_pushes_and_pulls_an_image_of_several_layers() {
    push_and_pull_layers(&Containerd::debian());
}

#[test]
fn the_newest_ctr_pushes_and_pulls_an_image_of_several_layers() {
    push_and_pull_layers(&Containerd::newest());
}

#[test]
fn debians_ctr_pushes_and_pulls_an_index_with_all_platforms() {
    push_and_pull_platforms(&Containerd::debian());
}

#[test]
fn the_newest_ctr_pushes_and_pulls_an_index_with_all_platforms() {
    push_and_pull_platforms(&Containerd::newest());
}

#[test]
fn debians_ctr_pushes_and_pulls_a_layer_of_more_than_a_gigabyte() {
    let big = big_image();
    push_and_pull_a_big_layer(&Containerd::debian(), &big);
}

#[test]
fn the_newest_ctr_pushes_and_pulls_a_layer_of_more_than_a_gigabyte() {
    let big = big_image();
    push_and_pull_a_big_layer(&Containerd::newest(), &big);
}

fn push_and_pull_layers(ctr: &Containerd) {
    let server = TestServer::start();
    let name = format!("{}/some/app:v1", server.address());
    let image = Image::with_layers(4, &[10, 20_000, 3_000_000]);
    let layout = Layout::of_image(&ctr.sandbox().home().join("image"), &image, &name);
    ctr.run(format!("images import {}", layout.archive().display()));

    ctr.run(format!("images push --plain-http {name}"));
    forget(ctr, &name);
    ctr.run(format!("images pull --plain-http {name}"));

    assert!(
        ctr.run("content list --quiet")
            .contains(&image.manifest.digest)
    );
    assert!(ctr.run("images check --quiet").contains(&name));
    let pushed = Client::of(&server).pull_image("some/app", "v1");
    assert_eq!(pushed.manifest, image.manifest);
}

fn push_and_pull_platforms(ctr: &Containerd) {
    let server = TestServer::start();
    let name = format!("{}/platforms:all", server.address());
    let index = platforms();
    let layout = Layout::of_index(&ctr.sandbox().home().join("index"), &index, &name);
    let archive = layout.archive();
    ctr.run(format!(
        "images import --all-platforms --no-unpack {}",
        archive.display()
    ));

    ctr.run(format!("images push --plain-http {name}"));
    forget(ctr, &name);
    let pull = "images pull --plain-http --platform linux/amd64 --platform linux/arm64";
    ctr.run(format!("{pull} {name}"));

    let pushed = Client::of(&server).pull_image("platforms", "all");
    assert_eq!(pushed.manifest, index.manifest);
    let content = ctr.run("content list --quiet");
    for (image, architecture) in index.images.iter().zip(PLATFORMS) {
        let layer = &image.layers[1].digest;
        assert!(
            content.contains(layer),
            "the layer of {architecture} is missing: {content}"
        );
    }
}

fn push_and_pull_a_big_layer(ctr: &Containerd, big: &BigImage) {
    let server = TestServer::start();
    let name = format!("{}/big:latest", server.address());
    ctr.run(format!(
        "images import --no-unpack {}",
        big.path().display()
    ));
    ctr.run(format!("images tag docker.io/library/big:latest {name}"));

    ctr.run(format!("images push --plain-http {name}"));
    forget(ctr, "docker.io/library/big:latest");
    forget(ctr, &name);
    ctr.run(format!("images pull --plain-http {name}"));

    let manifest = Client::of(&server)
        .get_manifest("big", "latest")
        .expect(200)
        .json();
    assert!(manifest["layers"][0]["size"].as_u64() > Some(BIG_LAYER));
    let layer = manifest["layers"][0]["digest"].as_str().expect("a digest");
    assert!(ctr.run("content list --quiet").contains(layer));
}

/// Removes an image with its content.
#[track_caller]
fn forget(ctr: &Containerd, name: &str) {
    ctr.run(format!("images rm --sync {name}"));
    let left = ctr.run("images list --quiet");
    if left.is_empty() {
        assert_eq!(
            ctr.run("content list --quiet"),
            "",
            "content outlives its image"
        );
    }
}
