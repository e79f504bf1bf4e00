//! Archives that are broken or made to harm: each is refused with a reason, and no tag changes.

use std::fs;
use std::os::unix::fs::symlink;

use boxyard_acceptance::{Boxyard, Layout, Ran};
use boxyard_testkit::{Blob, Client, Image, Tar, TestServer, media_type};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{gzip, run_with_input};

/// A registry that has an image, and one like it that is not there yet.
struct Target {
    server: TestServer,
    before: Image,
    new: Image,
}

impl Target {
    fn start() -> Self {
        let server = TestServer::start();
        let before = Image::with_layers(1, &[4_000]);
        Client::of(&server)
            .push_image("app", "v1", &before)
            .expect(201);
        let new = Image::with_layers(2, &[200_000, 5_000]);
        Self {
            server,
            before,
            new,
        }
    }

    /// Imports an archive as what is there already, in which case it would change the tag.
    fn import(&self, archive: &[u8]) -> Ran {
        run_with_input(&self.server, &["import", "-", "app:v1"], archive)
    }

    /// Fails unless the archive is refused with this reason, and everything is as before.
    #[track_caller]
    fn refuses(&self, archive: &[u8], reason: &str) {
        self.refused(&self.import(archive), reason);
    }

    #[track_caller]
    fn refused(&self, ran: &Ran, reason: &str) {
        assert_eq!(ran.status, 1, "{reason}: {ran:?}");
        assert!(ran.err.contains(reason), "`{reason}` is not said: {ran:?}");
        assert_eq!(ran.out, "", "{ran:?}");
        let client = Client::of(&self.server);
        assert_eq!(client.catalog(), ["app"], "{reason}");
        assert_eq!(client.tags("app"), ["v1"], "{reason}");
        let pulled = client.pull_image("app", "v1");
        assert_eq!(pulled.manifest.bytes, self.before.manifest.bytes);
    }

    /// A layout of the new image, without what is left out.
    fn layout(&self, without: &str) -> Tar {
        let mut tar = Tar::new().file("oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#);
        if without != "index.json" {
            let index = json!({"schemaVersion": 2, "manifests": [self.new.manifest.descriptor()]});
            tar = tar.file("index.json", 0o644, index.to_string().as_bytes());
        }
        for blob in self.new.blobs().chain([&self.new.manifest]) {
            if blob.digest != without {
                tar = tar.file(&path(blob), 0o644, &blob.bytes);
            }
        }
        tar
    }
}

fn path(blob: &Blob) -> String {
    format!("blobs/{}", blob.digest.replace(':', "/"))
}

fn docker(config: &str, layers: &[&str]) -> Tar {
    let manifest = json!([{"Config": config, "RepoTags": ["app:v1"], "Layers": layers}]);
    Tar::new().file("manifest.json", 0o644, manifest.to_string().as_bytes())
}

#[test]
fn what_is_no_archive_is_refused() {
    let target = Target::start();
    let whole = target.layout("").finish();
    let mut damaged = whole.clone();
    damaged[20] ^= 1;
    let packed = gzip(&whole);

    target.refuses(b"", "it is an empty archive");
    target.refuses(&[0; 1024], "it is an empty archive");
    target.refuses(&b"no archive at all".repeat(100), "it is no tar file");
    target.refuses(&damaged, "the header at byte 0 is none");
    target.refuses(&whole[..whole.len() / 2], "it is cut short");
    target.refuses(&whole[..1_100], "it is no tar file, or cut short");
    target.refuses(&packed[..packed.len() / 2], "damaged or cut short");
    target.refuses(&[0x28, 0xb5, 0x2f, 0xfd, 0, 0], "it is packed by zstd");
    target.refuses(
        &Tar::new().file("a", 0o644, b"a").finish(),
        "neither an OCI layout",
    );
    let old = Tar::new().file("repositories", 0o644, b"{}");
    target.refuses(&old.finish(), "Docker before 1.10");
    let ran = Boxyard::of(&target.server).run(&["import", "/nowhere/app.tar"]);
    target.refused(&ran, "open `/nowhere/app.tar`");
}

#[test]
fn what_is_missing_or_not_what_it_says_is_refused_before_or_while_it_is_sent() {
    let target = Target::start();
    let layer = &target.new.layers[0];
    let mut wrong = layer.bytes.to_vec();
    wrong[100_000] ^= 1;
    let of = |content: &[u8]| {
        target
            .layout(&layer.digest)
            .file(&path(layer), 0o644, content)
    };

    target.refuses(
        &target.layout(&layer.digest).finish(),
        "is missing, which the manifest",
    );
    let manifest = &target.new.manifest.digest;
    target.refuses(&target.layout(manifest).finish(), "which is missing");
    target.refuses(&of(&wrong).finish(), "it is damaged; no tag was set");
    target.refuses(
        &of(&wrong[1..]).finish(),
        "has 201727 bytes, but the manifest",
    );
    let other = target.layout(manifest).file(
        &path(&target.new.manifest),
        0o644,
        &target.before.manifest.bytes,
    );
    target.refuses(&other.finish(), "bytes, but `index.json` says");
    target.refuses(
        &target.layout("index.json").finish(),
        "neither an OCI layout",
    );
}

#[test]
fn paths_and_links_that_lead_out_of_the_archive_are_refused() {
    let target = Target::start();
    let area = TempDir::new().expect("make a folder");
    let secret = area.path().join("secret");
    fs::write(&secret, &target.new.layers[0].bytes).expect("write a file");
    let secret = secret.display().to_string();
    let layer = &target.new.layers[0];
    let base = || target.layout(&layer.digest);

    for name in ["../outside", "/etc/passwd", "blobs/../../outside"] {
        let archive = base().file(name, 0o644, b"x").finish();
        target.refuses(&archive, "leads out of the archive");
    }
    for to in [&secret, "../../../../../etc/passwd"] {
        let archive = base().symbolic_link(&path(layer), to).finish();
        target.refuses(&archive, "is a link that leads out of the archive");
    }
    let archive = base().hard_link(&path(layer), &secret).finish();
    target.refuses(&archive, "is a link that leads out of the archive");
    let circle = base()
        .symbolic_link(&path(layer), "b")
        .symbolic_link("blobs/sha256/b", "b");
    target.refuses(&circle.finish(), "leads nowhere, in a circle");
    let nowhere = base().symbolic_link(&path(layer), "nothing").finish();
    target.refuses(&nowhere, "is missing, which the manifest");
    let folder = base().folder(&path(layer)).finish();
    target.refuses(&folder, "is no file");
    let escape = docker("../../etc/passwd", &[]).finish();
    target.refuses(&escape, "leads out of the archive");

    // The same as folders, such as somebody has unpacked.
    let layout = Layout::of_image(&area.path().join("layout"), &target.new, "app:v2");
    let file = layout.folder().join(path(layer));
    fs::remove_file(&file).expect("remove a blob");
    symlink(&secret, &file).expect("make a link");
    let folder = layout.folder().display().to_string();
    let ran = Boxyard::of(&target.server).run(&["import", &folder]);
    target.refused(&ran, "is a link that leads out of the folder");
}

#[test]
fn links_within_the_archive_are_followed() {
    let target = Target::start();
    let layer = &target.new.layers[0];
    let archive = target
        .layout(&layer.digest)
        .file("elsewhere/layer.tar", 0o644, &layer.bytes)
        .hard_link("elsewhere/other", "elsewhere/layer.tar")
        .symbolic_link(&path(layer), "../../elsewhere/other")
        .finish();

    let ran = target.import(&archive);

    assert_eq!(ran.status, 0, "{ran:?}");
    let pulled = Client::of(&target.server).pull_image("app", "v1");
    assert_eq!(pulled.manifest.bytes, target.new.manifest.bytes);
}

#[test]
fn documents_that_are_huge_or_broken_are_refused() {
    let target = Target::start();
    let huge = vec![b' '; 17 << 20];
    let file = |name: &str, content: &[u8]| Tar::new().file(name, 0o644, content).finish();

    target.refuses(&file("manifest.json", &huge), "expected at most 16777216");
    target.refuses(&file("index.json", &huge), "expected at most 16777216");
    target.refuses(&file("manifest.json", b"[{"), "read `manifest.json`");
    target.refuses(&file("index.json", b"[1]"), "read `index.json`");
    target.refuses(&file("index.json", b"{}"), "lists nothing");
    target.refuses(&file("manifest.json", b"[]"), "lists nothing");
    let nested = "[".repeat(100_000);
    target.refuses(&file("index.json", nested.as_bytes()), "read `index.json`");
    // A manifest that is longer than registries take.
    let long = Blob::new(media_type::OCI_MANIFEST, vec![b' '; 5 << 20]);
    let index = json!({"manifests": [long.descriptor()]}).to_string();
    let archive = Tar::new().file("index.json", 0o644, index.as_bytes());
    let archive = archive.file(&path(&long), 0o644, &long.bytes).finish();
    target.refuses(&archive, "expected at most 4194304");
}

#[test]
fn an_archive_that_unpacks_to_far_too_much_is_refused() {
    let target = Target::start();
    let much = Tar::new()
        .file("zeros", 0o644, &vec![0; 300 << 20])
        .finish();
    let packed = gzip(&much);
    assert!(packed.len() < 1 << 20, "{}", packed.len());

    target.refuses(&packed, "unpacks to more than 200 times its size");
    // The same as a layer of an archive that is not packed itself.
    let config = json!({"rootfs": {"type": "layers", "diff_ids": [target.before.manifest.digest]}});
    let archive = docker("config.json", &["layer.tar"])
        .file("config.json", 0o644, config.to_string().as_bytes())
        .file("layer.tar", 0o644, &packed)
        .finish();
    target.refuses(&archive, "unpacks to more than 200 times its size");
}

#[test]
fn entries_that_are_there_twice_are_refused_and_thousands_of_tiny_ones_are_not() {
    let target = Target::start();
    let index = json!({"schemaVersion": 2, "manifests": [target.before.manifest.descriptor()]});
    let twice = target
        .layout("")
        .file("./index.json", 0o644, index.to_string().as_bytes());
    target.refuses(&twice.finish(), "it has `index.json` twice");

    let mut tar = target.layout("");
    for number in 0..20_000 {
        tar = tar.file(&format!("junk/{number}"), 0o644, b"x");
    }
    let ran = target.import(&tar.finish());

    assert_eq!(ran.status, 0, "{ran:?}");
}

#[test]
fn names_of_entries_have_bounds() {
    let target = Target::start();
    // A long name in the way of GNU: an entry of its own, here of a megabyte.
    let mut archive = Tar::new()
        .file("././@LongLink", 0o644, &vec![b'a'; 1 << 20])
        .finish();
    archive[156] = b'L';
    // The sum of the header, of which one letter has changed.
    let sum: u32 = (0..512)
        .map(|at| {
            if (148..156).contains(&at) {
                32
            } else {
                u32::from(archive[at])
            }
        })
        .sum();
    archive[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());

    target.refuses(&archive, "the name of an entry has 1048576 bytes");
}

#[test]
fn indexes_in_a_circle_are_refused() {
    let target = Target::start();
    let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
    let index = |child: &str| {
        json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_INDEX,
            "manifests": [{"mediaType": media_type::OCI_INDEX, "digest": child, "size": 273}],
        })
        .to_string()
    };
    let (a, b) = (index(&digest("b")), index(&digest("a")));
    let top = json!({"manifests": [
        {"mediaType": media_type::OCI_INDEX, "digest": digest("a"), "size": a.len()},
    ]});
    let archive = Tar::new()
        .file("index.json", 0o644, top.to_string().as_bytes())
        .file(
            &format!("blobs/sha256/{}", "a".repeat(64)),
            0o644,
            a.as_bytes(),
        )
        .file(
            &format!("blobs/sha256/{}", "b".repeat(64)),
            0o644,
            b.as_bytes(),
        )
        .finish();

    // Their digests would have to be right, which nobody can make them.
    target.refuses(&archive, "manifest has the digest");
}

#[test]
fn an_archive_of_docker_save_is_compared_with_its_configuration() {
    let target = Target::start();
    let image = &target.new;
    let [first, second] = [&image.layers[0].bytes, &image.layers[1].bytes];
    let hex = image.config.digest.replace("sha256:", "");
    let config = format!("{hex}.json");
    let other: Value = json!({"rootfs": {"diff_ids": []}});
    let with = |config: &str, content: &[u8], layers: &[&str]| {
        docker(config, layers)
            .file(config, 0o644, content)
            .file("a/layer.tar", 0o644, first)
            .file("b/layer.tar", 0o644, second)
            .finish()
    };
    let bytes = &image.config.bytes;

    let swapped = with(&config, bytes, &["b/layer.tar", "a/layer.tar"]);
    target.refuses(&swapped, "but the configuration says");
    let short = with(&config, bytes, &["a/layer.tar"]);
    target.refuses(&short, "has 1 layers");
    let missing = with(&config, bytes, &["a/layer.tar", "c/layer.tar"]);
    target.refuses(&missing, "names `c/layer.tar`, which is missing");
    let changed = with(&config, other.to_string().as_bytes(), &[]);
    target.refuses(&changed, "it is damaged");
    let whole = with(&config, bytes, &["a/layer.tar", "b/layer.tar"]);
    let ran = target.import(&whole);
    assert_eq!(ran.status, 0, "{ran:?}");
    let pulled = Client::of(&target.server).pull_image("app", "v1");
    assert!(pulled.blobs.contains(&image.config.digest), "{pulled:?}");
}

#[test]
fn an_import_that_is_killed_leaves_the_tag_and_is_run_again() {
    let target = Target::start();
    let image = Image::with_layers(5, &[30_000_000, 1_000]);
    let area = TempDir::new().expect("make a folder");
    let layout = Layout::of_image(&area.path().join("image"), &image, "app:v1");
    let folder = layout.folder().display().to_string();
    let boxyard = Boxyard::of(&target.server);
    let uploads = target.server.root();
    let uploads = uploads.join("docker/registry/v2/repositories/app/_uploads");

    let mut import = boxyard.begin(&["import", &folder]);
    boxyard_testkit::eventually("the import to send", || {
        let begun = fs::read_dir(&uploads).is_ok_and(|mut entries| entries.next().is_some());
        let ended = import.try_wait().expect("ask for its end").is_some();
        (begun || ended).then_some(())
    });
    import.kill().expect("kill the import");
    import.wait().expect("wait for the import");

    let pulled = Client::of(&target.server).pull_image("app", "v1");
    let manifests = [&target.before.manifest.bytes, &image.manifest.bytes];
    assert!(manifests.contains(&&pulled.manifest.bytes));
    boxyard.succeed(&["import", &folder]);
    let pulled = Client::of(&target.server).pull_image("app", "v1");
    assert_eq!(pulled.manifest.bytes, image.manifest.bytes);
}
