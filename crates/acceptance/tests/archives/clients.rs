//! skopeo, crane and oras: what they write is imported, and what is exported they read.

use std::fs;

use boxyard_acceptance::{Podman, Tool, platforms};
use boxyard_testkit::{Client, Image, TestServer};

use crate::support::{Pair, digest_of, run};

/// Two registries, of which the first has an image of two platforms and one of them alone.
fn pair() -> Pair {
    let pair = Pair::new();
    let client = Client::of(&pair.from);
    let index = platforms();
    client.push_index("team/app", "all", &index).expect(201);
    client
        .push_image("team/app", "one", &index.images[0])
        .expect(201);
    let docker = index.images[0].to_docker();
    client.push_image("team/app", "docker", &docker).expect(201);
    pair
}

#[test]
fn what_skopeo_copies_into_archives_is_imported() {
    let pair = pair();
    let podman = Podman::new();
    let skopeo = podman.skopeo();
    let copy = |options: &str, tag: &str, to: &str| {
        let from = format!("docker://{}/team/app:{tag}", pair.from.address());
        skopeo.run(format!("copy --src-tls-verify=false {options} {from} {to}"));
    };
    let (layout, archive, docker) = (
        pair.path("layout"),
        pair.path("oci.tar"),
        pair.path("docker.tar"),
    );

    // Otherwise it packs layers, which changes their digests.
    let keep = "--preserve-digests";
    copy(&format!("--all {keep}"), "all", &format!("oci:{layout}:v1"));
    copy(keep, "one", &format!("oci-archive:{archive}:v2"));
    copy(
        "",
        "docker",
        &format!("docker-archive:{docker}:registry.lan:5000/team/app:v3"),
    );

    pair.import(&[&layout, "team/app"]);
    pair.import(&[&archive, "team/app"]);
    pair.import(&[&docker]);
    for (tag, before) in [("v1", "all"), ("v2", "one")] {
        let expected = digest_of(&pair.from, "team/app", before);
        assert_eq!(digest_of(&pair.to, "team/app", tag), expected);
    }
    Client::of(&pair.to).pull_image("team/app", "v3");
}

#[test]
fn skopeo_copies_what_is_exported() {
    let pair = pair();
    let podman = Podman::new();
    let skopeo = podman.skopeo();
    let copy = |options: &str, from: &str, tag: &str| {
        let to = format!("docker://{}/copied:{tag}", pair.to.address());
        skopeo.run(format!(
            "copy --dest-tls-verify=false {options} {from} {to}"
        ));
    };
    let (layout, archive, docker) = (
        pair.path("layout"),
        pair.path("oci.tar"),
        pair.path("docker.tar"),
    );
    pair.export(&["team/app", "--all-tags", "-o", &layout]);
    pair.export(&["team/app:one", "-o", &archive]);
    pair.export(&["team/app:docker", "-o", &docker, "--format", "docker"]);

    // Otherwise it packs layers, which changes their digests.
    let keep = "--preserve-digests";
    copy(
        &format!("--all {keep}"),
        &format!("oci:{layout}:all"),
        "all",
    );
    copy(keep, &format!("oci-archive:{archive}"), "one");
    copy("", &format!("docker-archive:{docker}"), "docker");
    copy(
        "",
        &format!("docker-archive:{docker}:team/app:docker"),
        "named",
    );

    for tag in ["all", "one"] {
        let expected = digest_of(&pair.from, "team/app", tag);
        assert_eq!(digest_of(&pair.to, "copied", tag), expected);
    }
    Client::of(&pair.to).pull_image("copied", "docker");
    Client::of(&pair.to).pull_image("copied", "named");
}

#[test]
fn what_crane_pulls_is_imported_and_what_is_exported_it_pushes() {
    let pair = pair();
    let crane = Tool::new(pair.area.path(), "crane");
    let from = |tag: &str| format!("{}/team/app:{tag}", pair.from.address());
    let path = |name: &str| pair.path(name);
    let one = digest_of(&pair.from, "team/app", "one");
    let config = platforms().images[0].config.digest.clone();

    for format in ["tarball", "legacy"] {
        let to = path(&format!("{format}.tar"));
        crane.run(format!("pull --format {format} {} {to}", from("one")));
        pair.import(&[&to, &format!("pulled/{format}:v1")]);
        assert!(pair.import(&[&to]).starts_with("team/app:one\t"));
        let repo = format!("pulled/{format}");
        let found = Client::of(&pair.to).get_manifest(&repo, "v1").expect(200);
        assert_eq!(found.json()["config"]["digest"], config.as_str());
        Client::of(&pair.to).pull_image(&repo, "v1");
    }
    let layout = path("oci");
    crane.run(format!("pull --format oci {} {layout}", from("one")));
    pair.import(&[&layout, "pulled/oci:v1"]);
    assert_eq!(digest_of(&pair.to, "pulled/oci", "v1"), one);

    let (tar, folder) = (path("exported.tar"), path("exported"));
    pair.export(&["team/app:one", "--format", "docker", "-o", &tar]);
    pair.export(&["team/app:one", "-o", &folder]);
    for (what, tag) in [(tar, "tar"), (folder, "folder")] {
        crane.run(format!("push {what} {}/pushed:{tag}", pair.to.address()));
        Client::of(&pair.to).pull_image("pushed", tag);
    }
    assert_eq!(digest_of(&pair.to, "pushed", "folder"), one);
}

#[test]
fn oras_copies_what_is_exported_and_what_it_copies_is_imported() {
    let pair = pair();
    let artifact = Image::artifact(3, "application/x-thing", None);
    Client::of(&pair.from)
        .push_image("thing", "v1", &artifact)
        .expect(201);
    let signature = Image::artifact(4, "application/x-signature", Some(&artifact.manifest));
    let digest = &signature.manifest.digest;
    Client::of(&pair.from)
        .push_image("thing", digest, &signature)
        .expect(201);
    let oras = Tool::new(pair.area.path(), "oras");
    let (out, copied) = (pair.path("out"), pair.path("copied"));
    let [from, to] = [&pair.from, &pair.to].map(TestServer::address);

    pair.export(&["thing:v1", "-o", &out, "--referrers"]);
    oras.run(format!(
        "cp -r --from-oci-layout --to-plain-http {out}:v1 {to}/by/oras:v1"
    ));
    oras.run(format!(
        "cp -r --from-plain-http --to-oci-layout {from}/thing:v1 {copied}:v2"
    ));
    run(&pair.to, "import", &[&copied, "from/oras"]);

    for (repo, tag) in [("by/oras", "v1"), ("from/oras", "v2")] {
        assert_eq!(digest_of(&pair.to, repo, tag), artifact.manifest.digest);
        let referrers = Client::of(&pair.to).referrers(repo, &artifact.manifest.digest);
        assert_eq!(&referrers, std::slice::from_ref(digest));
    }
    assert!(fs::metadata(&copied).expect("a layout").is_dir());
}
