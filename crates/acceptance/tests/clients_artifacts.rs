//! Crane, ORAS, regctl, Helm and Cosign push and pull: clients without a daemon, and what is no image.

use std::fs;
use std::path::Path;

use boxyard_acceptance::{BIG_LAYER, Layout, PLATFORMS, Tool, big_image, platforms};
use boxyard_testkit::{Client, Image, Noise, TestServer, media_type};
use tempfile::TempDir;

#[test]
fn crane_pushes_and_pulls_an_image_of_several_layers_byte_for_byte() {
    let server = TestServer::start();
    let home = TempDir::new().unwrap();
    let crane = Tool::new(home.path(), "crane");
    let image = Image::with_layers(5, &[10, 20_000, 3_000_000]);
    let layout = Layout::of_image(&home.path().join("from"), &image, "image:v1");

    let name = format!("{}/some/app:v1", server.address());
    crane.run(format!("push {} {name}", layout.folder().display()));
    crane.run(format!("copy {name} {}/other/app:v1", server.address()));
    crane.run(format!("pull --format oci {name} back"));

    assert_eq!(
        blob(&home.path().join("back"), &image.manifest.digest),
        image.manifest.bytes
    );
    assert_eq!(
        blob(&home.path().join("back"), &image.layers[2].digest),
        image.layers[2].bytes
    );
    for repo in ["some/app", "other/app"] {
        let pushed = Client::of(&server).pull_image(repo, "v1");
        assert_eq!(pushed.manifest, image.manifest);
    }
}

#[test]
fn crane_pushes_and_pulls_an_index() {
    let server = TestServer::start();
    let home = TempDir::new().unwrap();
    let crane = Tool::new(home.path(), "crane");
    let index = platforms();
    let layout = Layout::of_index(&home.path().join("from"), &index, "image:all");

    let name = format!("{}/platforms:all", server.address());
    crane.run(format!("push {} {name}", layout.folder().display()));
    crane.run(format!("pull --format oci {name} back"));

    assert_eq!(crane.run(format!("digest {name}")), index.manifest.digest);
    assert_eq!(
        blob(&home.path().join("back"), &index.manifest.digest),
        index.manifest.bytes
    );
    for (architecture, image) in PLATFORMS.iter().zip(index.images) {
        let digest = crane.run(format!("digest --platform linux/{architecture} {name}"));
        assert_eq!(digest, image.manifest.digest);
    }
}

#[test]
fn crane_lists_and_deletes() {
    let server = TestServer::start();
    let home = TempDir::new().unwrap();
    let crane = Tool::new(home.path(), "crane");
    let client = Client::of(&server);
    let image = Image::with_layers(6, &[10]);
    client.push_image("some/app", "v1", &image).expect(201);
    let address = server.address();
    crane.run(format!("tag {address}/some/app:v1 v2"));

    assert_eq!(crane.run(format!("catalog {address}")), "some/app");
    assert_eq!(crane.run(format!("ls {address}/some/app")), "v1\nv2");
    crane.run(format!("delete {address}/some/app:v1"));

    assert_eq!(crane.run(format!("ls {address}/some/app")), "v2");
}

#[test]
fn oras_pushes_an_artifact_and_discovers_what_is_attached_to_it() {
    let server = TestServer::start();
    let home = TempDir::new().unwrap();
    let oras = Tool::new(home.path(), "oras");
    let name = format!("{}/some/artifact:v1", server.address());
    fs::write(home.path().join("one.bin"), Noise::new(1).draw(10)).unwrap();
    fs::write(home.path().join("two.bin"), Noise::new(2).draw(3_000_000)).unwrap();
    fs::write(home.path().join("sbom.json"), "{}").unwrap();

    oras.run(format!(
        "push --plain-http --artifact-type application/x.test {name} one.bin two.bin"
    ));
    oras.run(format!(
        "attach --plain-http --artifact-type application/x.sbom {name} sbom.json"
    ));
    oras.run(format!(
        "attach --plain-http --artifact-type application/x.scan {name} one.bin"
    ));

    oras.run(format!("pull --plain-http --output back {name}"));
    let [sent, back] = ["two.bin", "back/two.bin"].map(|file| fs::read(home.path().join(file)));
    assert!(sent.unwrap() == back.unwrap());
    assert_eq!(discover(&oras, &name, "").len(), 2);
    let sboms = discover(&oras, &name, "--artifact-type application/x.sbom");
    assert_eq!(sboms, ["application/x.sbom"]);
    // The tag of the referrers' fallback would be a second.
    assert_eq!(Client::of(&server).tags("some/artifact"), ["v1"]);
}

#[test]
fn oras_discovers_what_older_clients_attached_by_a_fallback_tag() {
    let server = TestServer::start();
    let home = TempDir::new().unwrap();
    let oras = Tool::new(home.path(), "oras");
    let name = format!("{}/some/artifact:v1", server.address());
    fs::write(home.path().join("file"), "content").unwrap();
    oras.run(format!("push --plain-http {name} file"));

    let attach = "attach --plain-http --artifact-type";
    oras.run(format!("{attach} application/x.new {name} file"));
    let old = "--distribution-spec v1.1-referrers-tag";
    oras.run(format!("{attach} application/x.old {old} {name} file"));

    let mut types = discover(&oras, &name, "");
    types.sort();
    assert_eq!(types, ["application/x.new", "application/x.old"]);
}

#[test]
fn oras_copies_an_image_with_its_referrers_and_platforms() {
    let server = TestServer::start();
    let home = TempDir::new().unwrap();
    let oras = Tool::new(home.path(), "oras");
    let index = platforms();
    Layout::of_index(&home.path().join("from"), &index, "image:all");
    fs::write(home.path().join("sbom.json"), "{}").unwrap();
    oras.run("attach --oci-layout --artifact-type application/x.sbom from:all sbom.json");

    let name = format!("{}/platforms:all", server.address());
    oras.run(format!(
        "cp --recursive --from-oci-layout from:all --to-plain-http {name}"
    ));
    oras.run(format!(
        "cp --recursive --from-plain-http {name} --to-oci-layout back:all"
    ));

    assert_eq!(
        Client::of(&server).pull_image("platforms", "all").manifest,
        index.manifest
    );
    assert_eq!(
        blob(&home.path().join("back"), &index.manifest.digest),
        index.manifest.bytes
    );
    assert_eq!(discover(&oras, &name, ""), ["application/x.sbom"]);
    let back = oras.json("discover --oci-layout --format json back:all");
    assert_eq!(back["referrers"].as_array().map(Vec::len), Some(1));
}

#[test]
fn oras_pushes_and_pulls_a_layer_of_more_than_a_gigabyte() {
    let big = big_image();
    let server = TestServer::start();
    let home = TempDir::new_in(boxyard_acceptance::target().join("tmp"));
    let home = home.unwrap();
    let oras = Tool::new(home.path(), "oras");

    let name = format!("{}/big:latest", server.address());
    let from = format!("--from-oci-layout {}:latest", big.path().display());
    oras.run(format!("cp {from} --to-plain-http {name}"));
    oras.run(format!(
        "cp --from-plain-http {name} --to-oci-layout back:latest"
    ));

    let manifest = Client::of(&server)
        .get_manifest("big", "latest")
        .expect(200)
        .json();
    let layer = manifest["layers"][0]["digest"].as_str().unwrap();
    let back = home.path().join("back/blobs").join(layer.replace(':', "/"));
    assert!(fs::metadata(back).unwrap().len() > BIG_LAYER);
}

#[test]
fn regctl_copies_an_image_of_several_layers_there_and_back() {
    let (server, home, regctl) = with_regctl();
    let image = Image::with_layers(7, &[10, 20_000, 3_000_000]);
    Layout::of_image(&home.path().join("from"), &image, "image:v1");

    let name = format!("{}/some/app:v1", server.address());
    regctl.run(format!("image copy ocidir://from:v1 {name}"));
    regctl.run(format!("image copy {name} ocidir://back:v1"));

    assert_eq!(
        Client::of(&server).pull_image("some/app", "v1").manifest,
        image.manifest
    );
    assert_eq!(
        blob(&home.path().join("back"), &image.layers[2].digest),
        image.layers[2].bytes
    );
    assert_eq!(
        regctl.run(format!("tag ls {}/some/app", server.address())),
        "v1"
    );
}

#[test]
fn regctl_copies_an_index_with_referrers_there_and_back() {
    let (server, home, regctl) = with_regctl();
    let index = platforms();
    Layout::of_index(&home.path().join("from"), &index, "image:all");
    fs::write(home.path().join("sbom.json"), "{}").unwrap();
    let name = format!("{}/platforms:all", server.address());
    let other = format!("{}/other:all", server.address());

    regctl.run(format!("image copy ocidir://from:all {name}"));
    regctl.run(format!(
        "artifact put --artifact-type application/x.sbom --subject {name} --file sbom.json"
    ));
    regctl.run(format!("image copy --referrers {name} {other}"));
    regctl.run(format!("image copy --referrers {other} ocidir://back:all"));

    assert_eq!(
        Client::of(&server).pull_image("other", "all").manifest,
        index.manifest
    );
    assert_eq!(
        blob(&home.path().join("back"), &index.manifest.digest),
        index.manifest.bytes
    );
    for name in [name.as_str(), &other, "ocidir://back:all"] {
        let listed = regctl.run_words(&["artifact", "list", "--format", "{{json .}}", name]);
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        assert_eq!(
            listed["descriptors"][0]["artifactType"], "application/x.sbom",
            "{name}"
        );
    }
}

#[test]
fn regctl_deletes_a_tag_and_leaves_the_others() {
    let (server, _home, regctl) = with_regctl();
    let client = Client::of(&server);
    let image = Image::with_layers(8, &[10]);
    for tag in ["v1", "v2"] {
        client.push_image("some/app", tag, &image).expect(201);
    }

    regctl.run(format!("tag delete {}/some/app:v1", server.address()));

    assert_eq!(client.tags("some/app"), ["v2"]);
    client.pull_image("some/app", "v2");
}

#[test]
fn helm_pushes_and_pulls_a_chart() {
    let server = TestServer::start();
    let home = TempDir::new().unwrap();
    let helm = Tool::new(home.path(), "helm");
    let chart = home.path().join("chart");
    fs::create_dir_all(chart.join("templates")).unwrap();
    fs::write(
        chart.join("Chart.yaml"),
        "apiVersion: v2\nname: greeting\nversion: 0.1.0+build.5\n",
    )
    .unwrap();
    fs::write(chart.join("templates/a.yaml"), "kind: ConfigMap\n").unwrap();
    helm.run("package chart");

    let charts = format!("oci://{}/charts", server.address());
    helm.run(format!(
        "push --plain-http greeting-0.1.0+build.5.tgz {charts}"
    ));
    helm.run(format!(
        "pull --plain-http --destination {} {charts}/greeting --version 0.1.0+build.5",
        chart.display()
    ));

    let [sent, back] =
        [home.path(), &chart].map(|folder| fs::read(folder.join("greeting-0.1.0+build.5.tgz")));
    assert!(sent.unwrap() == back.unwrap());
    let shown = helm.run(format!("show chart --plain-http {charts}/greeting"));
    assert!(shown.contains("version: 0.1.0+build.5"), "{shown}");
    assert_eq!(
        Client::of(&server).tags("charts/greeting"),
        ["0.1.0_build.5"]
    );
}

#[test]
fn cosign_signs_and_verifies_with_a_local_key() {
    let (server, _home, cosign) = with_cosign();
    let image = Image::with_layers(9, &[10]);
    Client::of(&server)
        .push_image("signed", "v1", &image)
        .expect(201);
    Client::of(&server)
        .push_image("unsigned", "v1", &Image::with_layers(10, &[10]))
        .expect(201);

    let name = format!("{}/signed@{}", server.address(), image.manifest.digest);
    cosign.run(format!("sign {SIGN} {name}"));

    let verified = cosign.json(format!("verify {VERIFY} {name}"));
    let said = &verified[0]["critical"]["image"]["docker-manifest-digest"];
    assert_eq!(said, &image.manifest.digest);
    cosign.fail(format!("verify {VERIFY} {}/unsigned:v1", server.address()));
}

#[test]
fn cosign_signs_each_image_of_an_index_by_referrers() {
    let (server, _home, cosign) = with_cosign();
    let client = Client::of(&server);
    let index = platforms();
    client.push_index("signed", "all", &index).expect(201);

    let name = format!("{}/signed:all", server.address());
    let cosign = cosign.env("COSIGN_EXPERIMENTAL", "1");
    cosign.run(format!(
        "sign {SIGN} --recursive --registry-referrers-mode oci-1-1 {name}"
    ));

    cosign.run(format!("verify {VERIFY} --experimental-oci11 {name}"));
    for manifest in index
        .images
        .iter()
        .map(|image| &image.manifest)
        .chain([&index.manifest])
    {
        let signatures = client.referrers("signed", &manifest.digest);
        assert_eq!(signatures.len(), 1, "of {}", manifest.media_type);
    }
    assert_eq!(client.tags("signed"), ["all"]);
    assert_eq!(index.manifest.media_type, media_type::OCI_INDEX);
}

const SIGN: &str = "--yes --key cosign.key --tlog-upload=false --allow-http-registry";
const VERIFY: &str = "--key cosign.pub --insecure-ignore-tlog --allow-http-registry";

fn with_cosign() -> (TestServer, TempDir, Tool) {
    let home = TempDir::new().expect("make a folder");
    let cosign = Tool::new(home.path(), "cosign").env("COSIGN_PASSWORD", "");
    cosign.run("generate-key-pair");
    (TestServer::start(), home, cosign)
}

fn with_regctl() -> (TestServer, TempDir, Tool) {
    let server = TestServer::start();
    let home = TempDir::new().expect("make a folder");
    let regctl = Tool::new(home.path(), "regctl");
    regctl.run(format!(
        "registry set --tls disabled --skip-check {}",
        server.address()
    ));
    (server, home, regctl)
}

/// The types of what refers to an artifact.
#[track_caller]
fn discover(oras: &Tool, name: &str, options: &str) -> Vec<String> {
    let found = oras.json(format!(
        "discover --plain-http --format json {options} {name}"
    ));
    let referrers = found["referrers"].as_array().cloned().unwrap_or_default();
    let kind = |referrer: &serde_json::Value| referrer["artifactType"].as_str().map(str::to_owned);
    referrers.iter().filter_map(kind).collect()
}

/// The bytes that an OCI layout has of a digest.
#[track_caller]
fn blob(layout: &Path, digest: &str) -> Vec<u8> {
    let path = layout.join("blobs").join(digest.replace(':', "/"));
    fs::read(&path).unwrap_or_else(|error| panic!("read `{}`: {error}", path.display()))
}
