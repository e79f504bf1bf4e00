//! From one registry to another: what comes along, what is named how, and what is not sent again.

use std::fs;

use boxyard_acceptance::{Boxyard, Layout, platforms};
use boxyard_testkit::{Client, Image, TestServer};
use serde_json::{Value, json};

use crate::support::{Pair, digest_of, gzip, pack, run, run_with_input};

#[test]
fn an_index_goes_through_folder_tar_and_pipe_byte_for_byte() {
    let pair = Pair::new();
    let index = platforms();
    Client::of(&pair.from)
        .push_index("team/app", "v1", &index)
        .expect(201);
    let (folder, tar) = (pair.path("layout"), pair.path("app.tar"));

    pair.export(&["team/app:v1", "--output", &folder]);
    pair.export(&["team/app:v1", "--output", &tar]);
    let piped = Boxyard::of(&pair.from)
        .command(&["export", "team/app:v1", "--output", "-"])
        .output()
        .expect("run boxyard");
    assert!(piped.status.success());
    assert_eq!(piped.stdout, fs::read(&tar).expect("read the archive"));

    pair.import(&[&folder, "by/folder"]);
    pair.import(&[&tar, "by/tar:v2"]);
    let said = run_with_input(&pair.to, &["import", "-", "by/pipe"], &gzip(&piped.stdout));
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!(said.out, format!("by/pipe:v1\t{}\n", index.manifest.digest));
    for (repo, tag) in [("by/folder", "v1"), ("by/tar", "v2"), ("by/pipe", "v1")] {
        assert_eq!(digest_of(&pair.to, repo, tag), index.manifest.digest);
        for image in &index.images {
            let pulled = Client::of(&pair.to).pull_image(repo, &image.manifest.digest);
            assert_eq!(pulled.manifest.bytes, image.manifest.bytes);
        }
    }
}

#[test]
fn what_is_there_is_not_sent_again() {
    let pair = Pair::new();
    let image = Image::with_layers(1, &[300_000, 2_000]);
    Client::of(&pair.from)
        .push_image("app", "v1", &image)
        .expect(201);
    let tar = pair.path("app.tar");
    pair.export(&["app:v1", "--output", &tar]);

    let first = run(&pair.to, "import", &[&tar]).err;
    let again = run(&pair.to, "import", &[&tar]).err;
    let elsewhere = run(&pair.to, "import", &[&tar, "other"]).err;

    assert!(first.contains("3 blobs sent"), "{first}");
    for said in [again, elsewhere] {
        let expected = "imported 1 tag with 1 manifest: 0 blobs sent (0 B), 3 here already";
        assert!(said.contains(expected), "{said}");
    }
    Client::of(&pair.to).pull_image("other", "v1");
}

#[test]
fn without_a_server_the_folder_itself_is_read_and_written() {
    let mut pair = Pair::new();
    let image = Image::with_layers(1, &[100_000]);
    Client::of(&pair.from)
        .push_image("app", "v1", &image)
        .expect(201);
    pair.from.stop();
    pair.to.stop();
    let tar = pair.path("app.tar");

    pair.export(&["app:v1", "-o", &tar]);
    pair.import(&[&tar]);

    pair.to.start_again();
    let pulled = Client::of(&pair.to).pull_image("app", "v1");
    assert_eq!(pulled.manifest.bytes, image.manifest.bytes);
}

#[test]
fn one_platform_is_taken_where_that_is_asked_for() {
    let pair = Pair::new();
    let index = platforms();
    Client::of(&pair.from)
        .push_index("app", "v1", &index)
        .expect(201);
    let (whole, arm) = (pair.path("whole.tar"), pair.path("arm.tar"));
    pair.export(&["app:v1", "-o", &whole]);
    pair.export(&["app:v1", "-o", &arm, "--platform", "linux/arm64"]);

    pair.import(&[&arm, "exported"]);
    pair.import(&[&whole, "imported", "--platform", "linux/arm64"]);
    let wrong = ["import", &arm, "wrong", "--platform", "linux/amd64"];
    let refused = Boxyard::of(&pair.to).run(&wrong);
    let nowhere = ["export", "app:v1", "-o", &arm, "--platform", "linux/s390x"];
    let absent = Boxyard::of(&pair.from).run(&nowhere);

    let expected = &index.images[1].manifest.digest;
    assert_eq!(&digest_of(&pair.to, "exported", "v1"), expected);
    assert_eq!(&digest_of(&pair.to, "imported", "v1"), expected);
    assert!(refused.err.contains("for linux/arm64"), "{refused:?}");
    assert!(
        absent.err.contains("linux/amd64, linux/arm64"),
        "{absent:?}"
    );
}

#[test]
fn several_images_of_several_repositories_keep_their_names() {
    let pair = Pair::new();
    let client = Client::of(&pair.from);
    for (seed, repo) in (0..).zip(["team/app", "team/db", "other"]) {
        let image = Image::with_layers(seed, &[5_000]);
        for tag in ["v1", "v2", "main"] {
            client.push_image(repo, tag, &image).expect(201);
        }
    }
    let (some, all) = (pair.path("some.tar"), pair.path("all.tar"));

    pair.export(&["team/*:v*", "other:main", "-o", &some]);
    pair.export(&["team/**", "--all-tags", "-o", &all]);
    let printed = pair.import(&[&some]);

    let names: Vec<&str> = printed
        .lines()
        .filter_map(|line| line.split('\t').next())
        .collect();
    let expected = [
        "other:main",
        "team/app:v1",
        "team/app:v2",
        "team/db:v1",
        "team/db:v2",
    ];
    assert_eq!(names, expected);
    let all = pair.import(&[&all]);
    assert_eq!(all.lines().count(), 6);
    let clash = Boxyard::of(&pair.to).run(&["import", &some, "one"]);
    assert!(
        clash.err.contains("two images that would be `one:v1`"),
        "{clash:?}"
    );
}

#[test]
fn referrers_come_along_where_that_is_asked_for() {
    let pair = Pair::new();
    let client = Client::of(&pair.from);
    let image = Image::with_layers(1, &[5_000]);
    client.push_image("app", "v1", &image).expect(201);
    let signature = Image::artifact(2, "application/x-signature", Some(&image.manifest));
    let digest = signature.manifest.digest.clone();
    client.push_image("app", &digest, &signature).expect(201);
    let about_it = Image::artifact(3, "application/x-timestamp", Some(&signature.manifest));
    client
        .push_image("app", &about_it.manifest.digest, &about_it)
        .expect(201);
    let (plain, signed) = (pair.path("plain.tar"), pair.path("signed.tar"));

    pair.export(&["app:v1", "-o", &plain]);
    pair.export(&["app:v1", "-o", &signed, "--referrers"]);
    pair.import(&[&plain, "plain"]);
    pair.import(&[&signed, "signed:latest"]);

    let client = Client::of(&pair.to);
    let subject = &image.manifest.digest;
    assert!(client.referrers("plain", subject).is_empty());
    let referrers = client.referrers("signed", subject);
    assert_eq!(referrers, std::slice::from_ref(&digest));
    assert_eq!(
        client.referrers("signed", &digest),
        [about_it.manifest.digest]
    );
    client.pull_image("signed", &digest);
}

#[test]
fn a_layout_gets_what_it_does_not_have_and_a_file_is_replaced() {
    let pair = Pair::new();
    let client = Client::of(&pair.from);
    for (seed, tag) in (0..).zip(["v1", "v2"]) {
        let image = Image::with_layers(seed, &[50_000]);
        client.push_image("app", tag, &image).expect(201);
    }
    let (layout, tar) = (pair.path("layout"), pair.path("app.tar"));

    pair.export(&["app:v1", "-o", &layout]);
    let again = pair.export(&["app:v1", "-o", &layout]);
    pair.export(&["app:v2", "-o", &layout]);
    fs::write(&tar, "something else").expect("write a file");
    pair.export(&["app:v1", "-o", &tar]);

    assert!(again.contains("0 B written"), "{again}");
    assert_eq!(pair.import(&[&layout, "layout"]).lines().count(), 2);
    assert_eq!(pair.import(&[&tar, "tar"]).lines().count(), 1);
}

#[test]
fn what_cannot_be_written_is_said_and_leaves_nothing_half() {
    let pair = Pair::new();
    let artifact = Image::artifact(1, "application/x-thing", None);
    let client = Client::of(&pair.from);
    client.push_image("thing", "v1", &artifact).expect(201);
    let (tar, layout) = (pair.path("old.tar"), pair.path("layout"));
    fs::write(&tar, "the former one").expect("write a file");
    fs::create_dir(&layout).expect("make a folder");
    fs::write(pair.area.path().join("layout/mine"), "mine").expect("write a file");
    let rows: [(&[&str], &str); 8] = [
        (&["thing:v2", "-o", &tar], "there is no image `thing:v2`"),
        (&["thing:x*", "-o", &tar], "no tag matches `thing:x*`"),
        (&["thing", "-o", &tar], "--all-tags"),
        (
            &["thing:v1", "-o", &tar, "--format", "docker"],
            "no image that runs",
        ),
        (&["thing:v1", "-o", &layout], "no OCI layout and not empty"),
        (&["thing:v1", "-o", "a.tar.gz"], "| gzip > a.tar.gz"),
        (
            &["thing:v1", "-o", "a", "--format", "docker"],
            "end in `.tar`",
        ),
        (&["thing:v1", "-o", "/nowhere/a.tar"], "No such file"),
    ];

    for (words, expected) in rows {
        let ran = Boxyard::of(&pair.from).run(&[&["export"], words].concat());
        assert_eq!(ran.status, 1, "{ran:?}");
        assert!(ran.err.contains(expected), "{words:?}: {ran:?}");
    }

    assert_eq!(fs::read(&tar).expect("read"), b"the former one");
    let left = fs::read_dir(pair.area.path()).expect("list").count();
    assert_eq!(left, 2, "files are left over");
}

#[test]
fn a_blob_that_is_damaged_in_the_registry_ends_an_export() {
    let pair = Pair::new();
    let image = Image::with_layers(1, &[200_000]);
    let client = Client::of(&pair.from);
    client.push_image("app", "v1", &image).expect(201);
    let hex = image.layers[0].digest.replace("sha256:", "");
    let blobs = pair.from.root().join("docker/registry/v2/blobs/sha256");
    let file = blobs.join(&hex[..2]).join(&hex).join("data");
    let mut bytes = fs::read(&file).expect("read a blob");
    bytes[100_000] ^= 1;
    fs::write(&file, bytes).expect("damage a blob");
    let tar = pair.path("app.tar");

    let ran = Boxyard::of(&pair.from).run(&["export", "app:v1", "-o", &tar]);

    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.err.contains("is damaged: `boxyard scrub`"), "{ran:?}");
    assert_eq!(fs::read_dir(pair.area.path()).expect("list").count(), 0);
}

#[test]
fn layers_that_are_fetched_from_elsewhere_stay_there() {
    let mut pair = Pair::new();
    let urls = json!({"validation": {"manifests": {"urls": {"allow": ["^https://example.com/"]}}}});
    pair.from = boxyard_testkit::Setup::new().config(&urls).start();
    pair.to = boxyard_testkit::Setup::new().config(&urls).start();
    let mut image = Image::with_layers(1, &[5_000, 6_000]);
    let mut manifest: Value = serde_json::from_slice(&image.manifest.bytes).expect("JSON");
    manifest["layers"][0]["mediaType"] =
        json!("application/vnd.oci.image.layer.nondistributable.v1.tar");
    manifest["layers"][0]["urls"] = json!(["https://example.com/layer"]);
    image.layers.remove(0);
    image.manifest = boxyard_testkit::Blob::json(&image.manifest.media_type, &manifest);
    Client::of(&pair.from)
        .push_image("app", "v1", &image)
        .expect(201);
    let tar = pair.path("app.tar");

    let said = pair.export(&["app:v1", "-o", &tar]);
    let ran = run(&pair.to, "import", &[&tar]);

    for said in [said, ran.err] {
        assert!(
            said.contains("1 layers are fetched from elsewhere"),
            "{said}"
        );
    }
    assert_eq!(digest_of(&pair.to, "app", "v1"), image.manifest.digest);
}

#[test]
fn names_are_those_of_the_archive_or_of_the_person() {
    let server = TestServer::start();
    let area = tempfile::tempdir().expect("make a folder");
    let image = Image::with_layers(1, &[5_000]);
    let layout = Layout::of_image(
        &area.path().join("image"),
        &image,
        "host.lan:5000/team/app:v1",
    );
    let folder = layout.folder().display().to_string();
    let boxyard = Boxyard::of(&server);
    let import = |words: &[&str]| boxyard.run(&[&["import", &folder], words].concat());
    let rename = |annotations: Value| {
        let path = layout.folder().join("index.json");
        let mut index: Value =
            serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
        index["manifests"][0]["annotations"] = annotations;
        fs::write(&path, index.to_string()).expect("write");
    };

    assert!(import(&[]).out.starts_with("team/app:v1\t"));
    assert!(import(&["other"]).out.starts_with("other:v1\t"));
    assert!(import(&["other:v9"]).out.starts_with("other:v9\t"));
    rename(json!({"org.opencontainers.image.ref.name": "v3"}));
    let ran = import(&[]);
    assert!(
        ran.err
            .contains("such as `boxyard import ARCHIVE team/app`"),
        "{ran:?}"
    );
    assert!(import(&["team/app"]).out.starts_with("team/app:v3\t"));
    rename(json!(null));
    // The `manifest.json` beside it still knows.
    assert!(import(&[]).out.starts_with("team/app:v1\t"));
    fs::remove_file(layout.folder().join("manifest.json")).expect("remove");
    let ran = import(&["team/app"]);
    assert!(ran.err.contains("say REPOSITORY:TAG"), "{ran:?}");
    assert!(import(&["team/app:v4"]).out.starts_with("team/app:v4\t"));
    let packed = pack(layout.folder()).display().to_string();
    assert_eq!(boxyard.run(&["import", &packed, "Team"]).status, 2);
}

#[test]
fn a_registry_that_is_read_only_says_so() {
    let pair = Pair::new();
    let image = Image::with_layers(1, &[5_000]);
    Client::of(&pair.from)
        .push_image("app", "v1", &image)
        .expect(201);
    let tar = pair.path("app.tar");
    pair.export(&["app:v1", "-o", &tar]);
    let read_only = json!({"storage": {"maintenance": {"readonly": {"enabled": true}}}});
    let server = boxyard_testkit::Setup::new().config(&read_only).start();

    let ran = Boxyard::of(&server).run(&["import", &tar]);

    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.err.contains("read-only"), "{ran:?}");
}
