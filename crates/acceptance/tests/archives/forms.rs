//! Forms that archives take: without manifests, with long names, and larger than memory.

use std::fs;
use std::process::Command;

use boxyard_acceptance::{BIG_LAYER, Boxyard, big_image};
use boxyard_testkit::{Client, Image, Tar, TestServer, eventually, media_type, sha512};
use serde_json::json;

use crate::support::{Pair, run_with_input};

#[test]
fn layers_without_a_manifest_are_packed_where_that_is_asked_for() {
    let server = TestServer::start();
    let zeros = Tar::new().file("zeros", 0o644, &vec![0; 100_000]).finish();
    let image = Image::of("amd64", vec![zeros.clone(), zeros], &["/none"]);
    let hex = image.config.digest.replace("sha256:", "");
    let config = format!("{hex}.json");
    let manifest =
        json!([{"Config": config, "RepoTags": ["app:v1"], "Layers": ["a.tar", "b.tar"]}]);
    let archive = Tar::new()
        .file("manifest.json", 0o644, manifest.to_string().as_bytes())
        .file(&config, 0o644, &image.config.bytes)
        .file("a.tar", 0o644, &image.layers[0].bytes)
        .symbolic_link("b.tar", "a.tar")
        .finish();

    for (words, packs) in [
        (&["import", "-", "plain:v1"][..], false),
        (&["import", "-", "packed:v1", "--gzip"], true),
    ] {
        let ran = run_with_input(&server, words, &archive);
        assert_eq!(ran.status, 0, "{ran:?}");
        assert!(ran.err.contains("2 blobs sent") || packs, "{ran:?}");
    }

    let client = Client::of(&server);
    let layers = |repo: &str| {
        client.pull_image(repo, "v1");
        let manifest = client.get_manifest(repo, "v1").expect(200).json();
        assert_eq!(manifest["config"]["digest"], image.config.digest.as_str());
        assert_eq!(manifest["layers"][0], manifest["layers"][1]);
        manifest["layers"][0].clone()
    };
    let (plain, packed) = (layers("plain"), layers("packed"));
    assert_eq!(plain["digest"], image.layers[0].digest.as_str());
    assert_eq!(packed["mediaType"], media_type::DOCKER_LAYER);
    assert!(packed["size"].as_u64() < Some(2_000), "{packed}");
}

#[test]
fn archives_of_pax_and_long_names_are_read() {
    let pair = Pair::new();
    let image = Image::with_layers(1, &[5_000]);
    let client = Client::of(&pair.from);
    client.push_image("app", "v1", &image).expect(201);
    // What has a digest by SHA-512 has a name for which plain headers have no room.
    let digest = sha512(&image.manifest.bytes);
    let put = client
        .request("PUT", &format!("/v2/app/manifests/{digest}"))
        .header("Content-Type", &image.manifest.media_type)
        .bytes(image.manifest.bytes.clone());
    client.send(put).expect(201);
    let (tar, layout) = (pair.path("app.tar"), pair.path("layout"));
    let source = format!("app@{digest}");
    pair.export(&[&source, "-o", &tar]);
    pair.export(&[&source, "-o", &layout]);

    pair.import(&[&tar, "gnu:v1"]);
    for form in ["pax", "gnu", "posix"] {
        let packed = pair.path(&format!("{form}.tar"));
        let made = Command::new("tar")
            .args(["--create", "--format", form, "--file", &packed])
            .args(["--directory", &layout, "."])
            .status();
        assert!(made.expect("run `tar`").success());
        pair.import(&[&packed, &format!("{form}/again:v1")]);
    }

    for repo in ["gnu", "pax/again", "gnu/again", "posix/again"] {
        let pulled = Client::of(&pair.to).pull_image(repo, &digest);
        assert_eq!(pulled.manifest.bytes, image.manifest.bytes);
    }
}

#[test]
fn a_layer_of_more_than_a_gigabyte_needs_little_memory() {
    let big = big_image();
    let archive = big.path().display().to_string();
    let pair = Pair::new();
    let out = pair.path("out.tar");

    let imported = most_memory(&pair.from, &["import", &archive, "big:v1"]);
    let exported = most_memory(&pair.from, &["export", "big:v1", "-o", &out]);

    for memory in [imported, exported] {
        assert!(memory < 150 << 20, "{} MiB", memory >> 20);
    }
    let size = fs::metadata(&out).expect("the archive").len();
    assert!(size > BIG_LAYER, "{size}");
}

/// Runs a command that must succeed; how many bytes of memory it has had at most.
fn most_memory(server: &TestServer, words: &[&str]) -> u64 {
    let mut command = Boxyard::of(server).begin(words);
    let status = format!("/proc/{}/status", command.id());
    let mut most = 0;
    let ended = eventually("the command to end", || {
        let said = fs::read_to_string(&status).unwrap_or_default();
        let peak = said.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.split_whitespace().next()?.parse::<u64>().ok());
        most = most.max(peak.unwrap_or_default() << 10);
        command.try_wait().expect("ask for its end")
    });
    assert!(ended.success(), "{ended}");
    most
}

#[test]
fn an_interrupted_export_ends_at_once_and_leaves_the_former_file() {
    let big = big_image();
    let archive = big.path().display().to_string();
    let pair = Pair::new();
    Boxyard::of(&pair.from).succeed(&["import", &archive, "big:v1"]);
    let out = pair.path("out.tar");
    fs::write(&out, "the former one").expect("write a file");
    let unfinished = pair.path("out.tar.unfinished");

    // One to a reader that never reads, and one to a file.
    for to in ["-", &out] {
        let mut command = Boxyard::of(&pair.from).begin(&["export", "big:v1", "-o", to]);
        eventually("the export to have begun", || {
            let wrote = format!("/proc/{}/io", command.id());
            let said = fs::read_to_string(wrote).unwrap_or_default();
            let bytes = said.lines().find_map(|line| line.strip_prefix("wchar: "));
            let bytes: Option<u64> = bytes.and_then(|bytes| bytes.parse().ok());
            (bytes >= Some(60_000)).then_some(())
        });
        let told = Command::new("kill")
            .args(["-INT", &command.id().to_string()])
            .status();
        assert!(told.expect("run `kill`").success());
        let status = eventually("the export to end", || {
            command.try_wait().expect("ask for its end")
        });
        assert_eq!(status.code(), Some(1), "{to}");
    }

    assert_eq!(fs::read(&out).expect("read"), b"the former one");
    assert!(!fs::exists(unfinished).expect("look"));
}
