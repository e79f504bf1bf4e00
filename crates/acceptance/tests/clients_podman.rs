//! Podman, Buildah and Skopeo push and pull.

use std::fs;

use boxyard_acceptance::{BIG_LAYER, Layout, PLATFORMS, Podman, big_image, platforms};
use boxyard_testkit::{Client, Image, TestServer, media_type};

#[test]
fn podman_pushes_and_pulls_an_image_of_several_layers() {
    let server = TestServer::start();
    let store = Podman::new();
    let podman = store.podman();
    let name = format!("{}/some/app:v1", server.address());
    let image = Image::with_layers(2, &[10, 20_000, 3_000_000]);
    let layout = Layout::of_image(&store.sandbox().home().join("image"), &image, &name);
    podman.run(format!("load --input {}", layout.archive().display()));
    let before = podman.json(format!("image inspect {name}"))[0].take();

    podman.run(format!("push --tls-verify=false {name}"));
    podman.run(format!("rmi {name}"));
    podman.fail(format!("image inspect {name}"));
    podman.run(format!("pull --tls-verify=false {name}"));

    let after = podman.json(format!("image inspect {name}"))[0].take();
    assert_eq!(after["RootFS"], before["RootFS"]);
    let pushed = Client::of(&server).pull_image("some/app", "v1");
    assert_eq!(pushed.blobs.len(), 4);
}

#[test]
fn podman_pushes_an_index_and_pulls_the_platform_it_asks_for() {
    let server = TestServer::start();
    let store = Podman::new();
    let podman = store.podman();
    let name = format!("{}/platforms:all", server.address());
    podman.run("manifest create all");
    for (architecture, image) in PLATFORMS.iter().zip(platforms().images) {
        let folder = store.sandbox().home().join(architecture);
        Layout::of_image(&folder, &image, "image:v1");
        podman.run(format!("manifest add all oci:{}:v1", folder.display()));
    }

    podman.run(format!(
        "manifest push --all --tls-verify=false all docker://{name}"
    ));

    let pushed = Client::of(&server).pull_image("platforms", "all");
    assert_eq!(pushed.children.len(), 2);
    for architecture in PLATFORMS {
        podman.run(format!(
            "pull --tls-verify=false --arch {architecture} {name}"
        ));
        let root = podman.run(format!("image mount {name}"));
        let file = fs::read_to_string(format!("{root}/architecture")).unwrap();
        assert_eq!(file, architecture);
        podman.run(format!("image unmount {name}"));
    }
}

#[test]
fn podman_pushes_and_pulls_a_layer_of_more_than_a_gigabyte() {
    let big = big_image();
    let server = TestServer::start();
    let store = Podman::new();
    let podman = store.podman();
    let name = format!("{}/big:latest", server.address());
    podman.run(format!("load --input {}", big.path().display()));
    let before = podman.json("image inspect big")[0].take();

    podman.run(format!("push --tls-verify=false big docker://{name}"));
    podman.run("rmi big");
    podman.run(format!("pull --tls-verify=false {name}"));

    let after = podman.json(format!("image inspect {name}"))[0].take();
    assert_eq!(after["RootFS"], before["RootFS"]);
    let pushed = Client::of(&server)
        .get_manifest("big", "latest")
        .expect(200);
    assert!(pushed.json()["layers"][0]["size"].as_u64() > Some(BIG_LAYER));
}

#[test]
fn buildah_builds_pushes_and_pulls_an_image_of_several_layers() {
    let server = TestServer::start();
    let store = Podman::new();
    let buildah = store.buildah();
    let name = format!("{}/built:v1", server.address());
    let context = store.sandbox().home().join("context");
    fs::create_dir(&context).unwrap();
    fs::write(
        context.join("Dockerfile"),
        "FROM scratch\nCOPY one /\nCOPY two /\n",
    )
    .unwrap();
    fs::write(context.join("one"), "1").unwrap();
    fs::write(context.join("two"), "2").unwrap();
    buildah.run(format!("build --layers --tag {name} {}", context.display()));

    buildah.run(format!("push --tls-verify=false {name}"));
    buildah.run("rmi --all");
    buildah.run(format!("pull --tls-verify=false {name}"));

    let container = buildah.run(format!("from --pull-never {name}"));
    let root = buildah.run(format!("mount {container}"));
    assert_eq!(fs::read_to_string(format!("{root}/one")).unwrap(), "1");
    assert_eq!(fs::read_to_string(format!("{root}/two")).unwrap(), "2");
    let pushed = Client::of(&server).pull_image("built", "v1");
    assert_eq!(pushed.blobs.len(), 3);
}

#[test]
fn buildah_pushes_and_pulls_an_index() {
    let server = TestServer::start();
    let store = Podman::new();
    let buildah = store.buildah();
    let name = format!("{}/platforms:all", server.address());
    buildah.run("manifest create all");
    for (architecture, image) in PLATFORMS.iter().zip(platforms().images) {
        let folder = store.sandbox().home().join(architecture);
        Layout::of_image(&folder, &image, "image:v1");
        buildah.run(format!("manifest add all oci:{}:v1", folder.display()));
    }

    buildah.run(format!(
        "manifest push --all --tls-verify=false all docker://{name}"
    ));

    let pushed = Client::of(&server).pull_image("platforms", "all");
    assert_eq!(pushed.children.len(), 2);
    for architecture in PLATFORMS {
        buildah.run(format!(
            "pull --tls-verify=false --arch {architecture} {name}"
        ));
        let inspected = buildah.json(format!("inspect --type image {name}"));
        assert_eq!(inspected["OCIv1"]["architecture"], architecture);
    }
}

#[test]
fn skopeo_copies_an_image_of_several_layers_byte_for_byte() {
    let server = TestServer::start();
    let store = Podman::new();
    let image = Image::with_layers(3, &[10, 20_000, 3_000_000]);
    let from = store.sandbox().home().join("from");
    Layout::of_image(&from, &image, "image:v1");

    let name = format!("{}/some/app:v1", server.address());
    let pulled = copy_there_and_back(
        &store,
        "--preserve-digests",
        &format!("oci:{}:v1", from.display()),
        &name,
    );

    assert_eq!(pulled, image.manifest.bytes);
    let pushed = Client::of(&server).pull_image("some/app", "v1");
    assert_eq!(pushed.manifest, image.manifest);
}

#[test]
fn skopeo_copies_an_index_byte_for_byte() {
    let server = TestServer::start();
    let store = Podman::new();
    let index = platforms();
    let from = store.sandbox().home().join("from");
    Layout::of_index(&from, &index, "image:all");

    let name = format!("{}/platforms:all", server.address());
    let from = format!("oci:{}:all", from.display());
    let pulled = copy_there_and_back(&store, "--all --preserve-digests", &from, &name);

    assert_eq!(pulled, index.manifest.bytes);
    let pushed = Client::of(&server).pull_image("platforms", "all");
    assert_eq!(pushed.manifest, index.manifest);
}

#[test]
fn skopeo_copies_a_manifest_list_of_docker_images() {
    let server = TestServer::start();
    let store = Podman::new();
    let from = store.sandbox().home().join("from");
    Layout::of_index(&from, &platforms(), "image:all");

    let name = format!("{}/platforms:all", server.address());
    let from = format!("oci:{}:all", from.display());
    let pulled = copy_there_and_back(&store, "--all --format v2s2", &from, &name);

    let pushed = Client::of(&server).pull_image("platforms", "all");
    assert_eq!(pushed.manifest.bytes, pulled);
    assert_eq!(pushed.manifest.media_type, media_type::DOCKER_LIST);
    assert_eq!(pushed.children[0].media_type, media_type::DOCKER_MANIFEST);
}

/// Pushes and pulls with Skopeo, and returns the manifest that came back.
#[track_caller]
fn copy_there_and_back(store: &Podman, options: &str, from: &str, name: &str) -> String {
    let skopeo = store.skopeo();
    let back = store.sandbox().home().join("back");
    skopeo.run(format!(
        "copy {options} --dest-tls-verify=false {from} docker://{name}"
    ));
    skopeo.run(format!(
        "copy {options} --src-tls-verify=false docker://{name} dir:{}",
        back.display()
    ));
    fs::read_to_string(back.join("manifest.json")).expect("read what came back")
}
