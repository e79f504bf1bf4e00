//! What keys of the configuration do: a store in memory, maintenance, limits of lists, and rules about manifests.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use boxyard_testkit::{
    Blob, Client, Image, Index, Setup, TestServer, Upload, eventually, media_type, sha256,
};
use serde_json::{Value, json};

#[test]
fn a_store_in_memory_is_private_and_gone_at_the_stop() {
    let mut server = Setup::new().env("REGISTRY_STORAGE", "inmemory").start();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[1_000]);

    client.push_image("kept", "latest", &image).expect(201);
    client.get_manifest("kept", "latest").expect(200);
    let folder = folder_in_memory(&server);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(&folder)
            .expect("prepare or look at the test's files")
            .permissions(),
    );
    server.restart();

    assert_eq!(mode & 0o777, 0o700);
    assert!(!folder.exists(), "{}", folder.display());
    assert!(!server.root().exists(), "nothing is written elsewhere");
    client
        .get_manifest("kept", "latest")
        .expect_error(404, "MANIFEST_UNKNOWN");
    assert!(server.log().contains("nothing is kept"));
}

/// The folder that the log names.
fn folder_in_memory(server: &TestServer) -> PathBuf {
    let log = server.log();
    let start = log
        .find("/dev/shm/boxyard-inmemory-")
        .or_else(|| log.find("/tmp/boxyard-inmemory-"));
    let path = &log[start.expect("the log names the folder")..];
    let end = path.find(['"', ' ', '\n']).unwrap_or(path.len());
    PathBuf::from(&path[..end])
}

#[test]
fn commands_do_not_work_on_a_store_in_memory() {
    let command = std::process::Command::new(boxyard_testkit::binary())
        .arg("findings")
        .env("REGISTRY_STORAGE", "inmemory")
        .output()
        .expect("prepare or look at the test's files");

    let said = String::from_utf8_lossy(&command.stderr);
    assert!(!command.status.success());
    assert!(said.contains("keeps nothing"), "{said}");
}

#[test]
fn a_read_only_registry_is_pulled_from_and_refuses_every_change() {
    let mut writable = TestServer::start();
    let client = Client::of(&writable);
    let image = Image::with_layers(1, &[1_000]);
    client.push_image("kept", "latest", &image).expect(201);
    let upload = client
        .begin_upload("kept")
        .expect(202)
        .required("location")
        .to_owned();
    writable.stop();
    let root = writable.root().to_owned();
    let server = Setup::new()
        .root(&root)
        .config(&json!({"storage": {"maintenance": {"readonly": {"enabled": true}}}}))
        .start();
    let client = Client::of(&server);
    let layer = &image.layers[0];

    client.get_manifest("kept", "latest").expect(200);
    client.get_blob("kept", &layer.digest).expect(200);
    client.get("/v2/_catalog").expect(200);
    let refused = [
        client.begin_upload("kept"),
        client.mount("other", &layer.digest, Some("kept")),
        client.put_manifest("kept", "new", &image.manifest),
        client.delete_tag("kept", "latest"),
        client.delete_manifest("kept", &image.manifest.digest),
        client.delete_blob("kept", &layer.digest),
        client.send(client.request("PATCH", &upload)),
        client.send(client.request("PUT", &upload)),
        client.delete(&upload),
    ];

    for reply in refused {
        let refused = reply.expect_error(405, "UNSUPPORTED");
        let message = refused.json()["errors"][0]["message"].to_string();
        assert!(message.contains("read-only for maintenance"), "{message}");
        assert!(!refused.required("allow").contains("PUT"));
    }
    client.get_manifest("kept", "latest").expect(200);
}

fn purging(more: &Value) -> Setup {
    Setup::new()
        .config(&json!({"storage": {"maintenance": {"uploadpurging": {
            "enabled": true, "age": "168h", "interval": "1s", "dryrun": false, "jitter": "0s",
        }}}}))
        .config(&json!({"storage": {"maintenance": {"uploadpurging": more}}}))
}

/// Makes an upload as another registry leaves it, begun at a time.
fn left_upload(root: &Path, id: &str, started: &str) -> PathBuf {
    let folder = root.join(format!(
        "docker/registry/v2/repositories/left/_uploads/{id}"
    ));
    fs::create_dir_all(&folder).expect("prepare or look at the test's files");
    fs::write(folder.join("data"), "some bytes").expect("prepare or look at the test's files");
    fs::write(folder.join("startedat"), started).expect("prepare or look at the test's files");
    age(&folder.join("data"));
    folder
}

/// Dates a file back by two weeks.
fn age(file: &Path) {
    let past = std::time::SystemTime::now() - std::time::Duration::from_hours(336);
    fs::File::options()
        .write(true)
        .open(file)
        .expect("prepare or look at the test's files")
        .set_modified(past)
        .expect("prepare or look at the test's files");
}

#[test]
fn abandoned_uploads_go_and_those_in_use_stay() {
    let mut server = purging(&json!({"enabled": false})).start();
    let client = Client::of(&server);
    let own = client.begin_upload("left").expect(202);
    let root = server.root().to_owned();
    let old = left_upload(
        &root,
        "00000000-0000-4000-8000-000000000001",
        "2020-01-01T00:00:00Z",
    );
    let new = left_upload(
        &root,
        "00000000-0000-4000-8000-000000000002",
        "2999-01-01T00:00:00Z",
    );
    let fresh = left_upload(
        &root,
        "00000000-0000-4000-8000-000000000003",
        "2020-01-01T00:00:00Z",
    );
    fs::write(fresh.join("data"), "written just now").expect("prepare or look at the test's files");
    server.stop();

    let purging = purging(&json!({})).root(&root).start();
    eventually("the old upload to go", || (!old.exists()).then_some(()));

    assert!(new.exists() && fresh.exists());
    let client = Client::of(&purging);
    client.upload_status(&Upload::at(&own)).expect(204);
}

/// The body of a request that hands out its second half once `until` is done.
struct Halves<'a> {
    first: &'a [u8],
    second: &'a [u8],
    until: Option<&'a dyn Fn()>,
}

impl Read for Halves<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.first.is_empty() {
            return self.first.read(buffer);
        }
        if let Some(until) = self.until.take() {
            until();
        }
        self.second.read(buffer)
    }
}

#[test]
fn an_upload_that_is_being_written_is_kept_while_others_go() {
    let server = purging(&json!({})).start();
    let client = Client::of(&server);
    let upload = Upload::at(&client.begin_upload("busy").expect(202));
    let uploads = "docker/registry/v2/repositories/busy/_uploads";
    // It is in memory for a moment.
    let folder = eventually("the folder of the upload", || {
        let mut folders = fs::read_dir(server.root().join(uploads)).ok()?;
        let folder = folders.next()?.ok()?.path();
        folder.join("data").exists().then_some(folder)
    });
    let old = "2020-01-01T00:00:00Z";
    fs::write(folder.join("startedat"), old).expect("date the upload back");
    // While the request stands, its upload looks as abandoned as the one beside it, which goes.
    let wait = || {
        let id = "00000000-0000-4000-8000-000000000001";
        let abandoned = left_upload(server.root(), id, old);
        eventually("the abandoned upload to go", || {
            age(&folder.join("data"));
            (!abandoned.exists()).then_some(())
        });
    };
    let bytes = vec![7; 200_000];
    let (first, second) = bytes.split_at(100_000);
    let body = Halves {
        first,
        second,
        until: Some(&wait),
    };

    client.patch_stream(&upload, body).expect(202);

    let digest = sha256(&bytes);
    client.finish(&upload, &digest, &[]).expect(201);
    let blob = client.get_blob("busy", &digest).expect(200);
    assert!(blob.body == bytes);
}

#[test]
fn a_dry_run_only_tells_what_would_go() {
    let folder = tempfile::tempdir().expect("prepare or look at the test's files");
    let root = folder.path().join("registry");
    let old = left_upload(
        &root,
        "00000000-0000-4000-8000-000000000001",
        "2020-01-01T00:00:00Z",
    );

    let server = purging(&json!({"dryrun": true})).root(&root).start();
    eventually("the look at the uploads", || {
        server.log().contains("abandoned upload").then_some(())
    });

    assert!(old.exists());
}

#[test]
fn a_page_has_as_many_names_as_the_configuration_allows() {
    let server = Setup::new()
        .config(&json!({"catalog": {"maxentries": 2}, "tags": {"maxtags": 2}}))
        .start();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[10]);
    for name in ["a", "b", "c"] {
        client.push_image(name, "1", &image).expect(201);
        client.push_image("a", name, &image).expect(201);
    }

    let tags = client.get("/v2/a/tags/list?n=3").expect(200);
    assert_eq!(tags.json()["tags"], json!(["1", "a"]));
    assert!(tags.required("link").contains("n=2"));
    client
        .get("/v2/_catalog?n=3")
        .expect_error(400, "PAGINATION_NUMBER_INVALID");
    let page = client.get("/v2/_catalog?n=2").expect(200);
    assert_eq!(page.json()["repositories"], json!(["a", "b"]));
    assert_eq!(client.tags("a").len(), 4);
    assert_eq!(client.catalog().len(), 3);
}

/// A manifest whose layer is to be fetched from a URL.
fn foreign(client: &Client, url: &str) -> Blob {
    let config = Blob::new(media_type::OCI_EMPTY, "{}");
    client.push_blob("foreign", &config).expect(201);
    let layer = json!({
        "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "digest": sha256("a layer of another registry"), "size": 1, "urls": [url],
    });
    Blob::json(
        media_type::OCI_MANIFEST,
        &json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
            "config": config.descriptor(), "layers": [layer],
        }),
    )
}

#[test]
fn layers_come_from_elsewhere_only_where_the_rules_allow_it() {
    let with = |validation: Value| {
        let server = Setup::new()
            .config(&json!({"validation": validation}))
            .start();
        let client = Client::of(&server);
        move |url: &str| {
            let _running = &server;
            let manifest = foreign(&client, url);
            client.put_manifest("foreign", "latest", &manifest).status()
        }
    };
    let (usual, off) = (with(json!({})), with(json!({"disabled": true})));
    let rules =
        with(json!({"manifests": {"urls": {"allow": ["^https://mirror"], "deny": ["private"]}}}));

    assert_eq!(
        usual("https://mirror.example/1"),
        Some(400),
        "distribution allows none"
    );
    assert_eq!(off("https://mirror.example/1"), Some(201));
    assert_eq!(rules("https://mirror.example/1"), Some(201));
    assert_eq!(rules("https://other.example/1"), Some(400));
    assert_eq!(rules("https://mirror.example/private/1"), Some(400));
    assert_eq!(rules("ftp://mirror.example/1"), Some(400));
}

#[test]
fn an_index_must_have_the_images_that_the_rules_name() {
    let with = |indexes: Value| {
        let server = Setup::new()
            .config(&json!({"validation": {"manifests": {"indexes": indexes}}}))
            .start();
        let client = Client::of(&server);
        move |has: &[&str]| {
            let _running = &server;
            pushed_index(&client, has)
        }
    };
    let (all, none) = (with(json!({})), with(json!({"platforms": "none"})));
    let list = with(
        json!({"platforms": "List", "platformlist": [{"architecture": "amd64", "os": "linux"}]}),
    );

    assert_eq!(all(&["amd64"]), Some(400));
    assert_eq!(all(&["amd64", "arm64"]), Some(201));
    assert_eq!(none(&[]), Some(201));
    assert_eq!(list(&["amd64"]), Some(201));
    assert_eq!(list(&["arm64"]), Some(400));
}

/// Pushes an index of two images, of which the repository has only those of some architectures.
fn pushed_index(client: &Client, has: &[&str]) -> Option<u16> {
    let repo = format!("index{}{}", has.len(), has.concat());
    let mut children = Vec::new();
    for (seed, architecture) in [(1, "amd64"), (2, "arm64")] {
        let image = Image::with_layers(seed, &[10]);
        if has.contains(&architecture) {
            client.push_image(&repo, architecture, &image).expect(201);
        }
        let mut child = image.manifest.descriptor();
        child["platform"] = json!({"architecture": architecture, "os": "linux"});
        children.push(child);
    }
    let index = Blob::json(
        media_type::OCI_INDEX,
        &json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": children,
        }),
    );
    client.put_manifest(&repo, "latest", &index).status()
}

#[test]
fn only_images_of_the_named_classes_are_taken() {
    let server = Setup::new()
        .config(&json!({"policy": {"repository": {"classes": ["image"]}}}))
        .start();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[10]);
    let plugin = json!({
        "schemaVersion": 2, "mediaType": media_type::DOCKER_MANIFEST,
        "config": {
            "mediaType": "application/vnd.docker.plugin.v1+json",
            "digest": image.config.digest, "size": image.config.bytes.len(),
        },
        "layers": [],
    });
    let plugin = Blob::json(media_type::DOCKER_MANIFEST, &plugin);

    client.push_image("classes", "image", &image).expect(201);
    client
        .put_manifest("classes", "plugin", &plugin)
        .expect_error(403, "DENIED");
    let index = Index::of(vec![image]);
    client.push_index("classes", "index", &index).expect(201);
}
