//! Collecting what nothing uses any more: by command, by itself, and beside everything else.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use boxyard_acceptance::{Boxyard, Tool, tools};
use boxyard_testkit::{Blob, Client, Image, Index, Noise, Setup, TestServer, eventually};
use serde_json::{Value, json};

/// Nothing is promised, and the server collects nothing by itself.
fn at_once() -> Value {
    json!({"boxyard": {"collect": {"window": "0s", "enabled": false}}})
}

/// The server itself collects everything soon.
fn soon() -> Value {
    json!({"boxyard": {"collect": {
        "window": "0s", "grace": "0s", "untagged": "0s", "rate": 100_000,
    }}})
}

/// The digests of the files that the folder has.
fn files(root: &Path) -> BTreeSet<String> {
    let list = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries
            .map(|entry| entry.expect("read an entry").path())
            .collect()
    };
    let blobs = list(&root.join("docker/registry/v2/blobs/sha256"));
    let blobs = blobs.iter().flat_map(|shard| list(shard));
    blobs
        .filter(|blob| blob.join("data").exists())
        .map(|blob| {
            format!(
                "sha256:{}",
                blob.file_name().expect("it has a name").display()
            )
        })
        .collect()
}

fn digests(images: &[&Image]) -> BTreeSet<String> {
    let all = images.iter().flat_map(|image| {
        let manifest = std::iter::once(&image.manifest);
        manifest
            .chain(image.blobs())
            .map(|blob| blob.digest.clone())
    });
    all.collect()
}

fn small(seed: u64) -> Image {
    Image::with_layers(seed, &[20_000])
}

/// Pushes and deletes, so that a bit of everything is left over in the folder; what stays.
fn leave_things_over(server: &TestServer) -> BTreeSet<String> {
    let kept = leave_things_over_by(&Client::of(server), || {
        Boxyard::of(server).succeed(&["settle"]);
    });
    Boxyard::of(server).succeed(&["settle"]);
    kept
}

/// The same with any registry; `settle` lets its folder follow.
fn leave_things_over_by(client: &Client, settle: impl Fn()) -> BTreeSet<String> {
    let (old, new) = (small(1), small(2));
    client.push_image("team/app", "latest", &old).expect(201);
    client.push_image("team/app", "latest", &new).expect(201);
    let gone = small(3);
    client.push_image("team/gone", "old", &gone).expect(201);
    settle();
    client
        .delete_manifest("team/gone", &gone.manifest.digest)
        .expect(202);
    let unnamed = Blob::new("application/octet-stream", "nobody names this");
    client.push_blob("team/app", &unnamed).expect(201);
    let index = Index::of(vec![small(4), small(5)]);
    client.push_index("team/multi", "v1", &index).expect(201);
    let mut kept = digests(&[&new, &index.images[0], &index.images[1]]);
    kept.insert(index.manifest.digest.clone());
    kept
}

#[test]
fn a_command_says_what_distribution_says_of_the_same_folder_and_leaves_the_same() {
    let mut server = Setup::new().config(&at_once()).start();
    leave_things_over(&server);
    server.stop();
    let copy = tempfile::tempdir().expect("make a folder");
    let theirs = copy.path().join("theirs");
    Tool::new(copy.path(), "cp").run(format!(
        "-a {} {}",
        server.root().display(),
        theirs.display()
    ));
    let config = copy.path().join("config.yml");
    let text = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n",
        theirs.display()
    );
    fs::write(&config, text).expect("write a configuration");
    let distribution = tools().join("bin/registry-3.1.1").display().to_string();
    let distribution = Tool::new(copy.path(), &distribution).env("OTEL_TRACES_EXPORTER", "none");
    let boxyard = Boxyard::of(&server);

    for options in [
        &["-d"][..],
        &["--dry-run=true", "-m"],
        &[],
        &["--delete-untagged=true"],
    ] {
        let words = options.join(" ");
        let said = distribution.run(format!("garbage-collect {words} {}", config.display()));
        let mut ours = vec!["garbage-collect"];
        ours.extend(options);
        let ours = boxyard.succeed(&ours);

        assert_eq!(conclusions(&ours), conclusions(&said), "{words}");
        assert_eq!(files(server.root()), files(&theirs), "{words}");
    }
    server.start_again();
    assert_eq!(Client::of(&server).catalog(), ["team/app", "team/multi"]);
}

/// What a collection has come to, in an order of its own. Each version lists manifests in another form.
fn conclusions(said: &str) -> BTreeSet<&str> {
    let lines = said.lines().map(str::trim);
    lines
        .filter(|line| line.contains("eligible") && !line.starts_with("manifest eligible"))
        .collect()
}

#[test]
fn a_command_collects_beside_a_running_server_and_the_rest_goes_on() {
    let server = Setup::new().config(&at_once()).start();
    let client = Client::of(&server);
    let kept = leave_things_over(&server);
    let boxyard = Boxyard::of(&server);
    let before = files(server.root());

    assert_eq!(boxyard.succeed(&["garbage-collect", "-d", "-m", "-q"]), "");
    assert_eq!(files(server.root()), before, "a dry run removes nothing");
    let said = boxyard.succeed(&["garbage-collect", "-m"]);

    assert!(
        said.contains("team/app: marking manifest sha256:"),
        "{said}"
    );
    assert!(
        said.contains("10 blobs marked, 6 blobs and 1 manifests eligible"),
        "{said}"
    );
    assert_eq!(files(server.root()), kept);
    client.pull_image("team/app", "latest");
    let again = boxyard.succeed(&["garbage-collect", "--delete-untagged"]);
    assert!(
        again.contains("10 blobs marked, 0 blobs and 0 manifests"),
        "{again}"
    );
    client.push_image("team/app", "back", &small(1)).expect(201);
    client.pull_image("team/app", "back");
}

#[test]
fn a_server_collects_by_itself_and_untagged_manifests_only_if_told_to() {
    let mut server = Setup::new().config(&at_once()).start();
    let kept = leave_things_over(&server);
    let with_untagged: BTreeSet<String> = &kept | &digests(&[&small(1)]);
    server.stop();
    let stays = json!({"boxyard": {"collect": {"window": "0s", "grace": "0s"}}});
    let mut server = Setup::new().root(server.root()).config(&stays).start();

    eventually("the files that nothing uses to go", || {
        (files(server.root()) == with_untagged).then_some(())
    });
    server.stop();
    let server = Setup::new().root(server.root()).config(&soon()).start();
    eventually("the untagged image to go", || {
        (files(server.root()) == kept).then_some(())
    });
    Client::of(&server).pull_image("team/multi", &small(4).manifest.digest);
}

#[test]
fn what_a_client_was_told_stays_for_the_window_whatever_a_command_says() {
    let config = json!({"boxyard": {"collect": {"window": "1h", "grace": "0s"}}});
    let mut server = Setup::new().config(&config).start();
    let image = small(1);
    let layer = &image.layers[0].digest;
    Client::of(&server)
        .push_image("app", "v1", &image)
        .expect(201);

    for _ in 0..2 {
        let client = Client::of(&server);
        client.head(&format!("/v2/app/blobs/{layer}")).expect(200);
        client
            .delete_manifest("app", &image.manifest.digest)
            .expect(202);
        let ran = Boxyard::of(&server).run(&["garbage-collect", "-m"]);
        assert_eq!(ran.status, 0, "{ran:?}");
        assert!(ran.err.contains("2 more stay for now"), "{ran:?}");
        client
            .put_manifest("app", "v1", &image.manifest)
            .expect(201);
        client.pull_image("app", "v1");
        // A promise outlives an orderly stop.
        server.restart();
    }
    Client::of(&server)
        .delete_manifest("app", &image.manifest.digest)
        .expect(202);
    server.kill();
    server.start_again();
    let ran = Boxyard::of(&server).run(&["garbage-collect", "-m"]);
    assert!(
        ran.err.contains("more stay for now"),
        "after a crash: {ran:?}"
    );
    Client::of(&server)
        .head(&format!("/v2/app/blobs/{layer}"))
        .expect(200);
}

#[test]
fn what_is_kept_and_what_waits_is_listed() {
    let config = json!({"boxyard": {"collect": {"window": "0s", "grace": "2h"}}});
    let server = Setup::new().config(&config).start();
    leave_things_over(&server);

    let ran = Boxyard::of(&server).run(&["du"]);

    let row = |name: &str| -> Vec<String> {
        let line = ran
            .out
            .lines()
            .find(|line| line.starts_with(&format!("{name}\t")));
        let line = line.unwrap_or_else(|| panic!("no `{name}` in {ran:?}"));
        line.split('\t').map(ToOwned::to_owned).collect()
    };
    let app = row("team/app");
    assert_eq!(app[1..3], ["1", "2"], "tags and manifests");
    assert_eq!(app[5], "1 blob, 1 manifest", "{app:?}");
    assert!(app[7].starts_with("20"), "when it goes: {app:?}");
    assert_eq!(row("team/gone")[5], "2 blobs");
    assert_eq!(row("team/multi")[5], "-");
    assert!(ran.err.contains("in all blobs"), "{ran:?}");
}

#[test]
fn what_waits_to_be_collected_is_measured() {
    let config = json!({
        "boxyard": {"collect": {"window": "0s", "grace": "2h"}},
        "http": {"debug": {"prometheus": {"enabled": true}}},
    });
    let server = Setup::new().config(&config).debug().start();
    leave_things_over(&server);
    let measured = |name: &str| -> f64 {
        let page = Client::at(server.debug_address())
            .get("/metrics")
            .expect(200);
        let page = String::from_utf8(page.body.to_vec()).expect("metrics are text");
        let line = page
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        let line = line.unwrap_or_else(|| panic!("no `{name}` in {page}"));
        let (_, value) = line.rsplit_once(' ').expect("a line ends with a value");
        value.parse().expect("a value is a number")
    };

    assert!((measured(r#"boxyard_collect_waiting{kind="blob"}"#) - 3.0).abs() < 0.1);
    assert!((measured(r#"boxyard_collect_waiting{kind="manifest"}"#) - 1.0).abs() < 0.1);
    assert!(measured(r#"boxyard_collect_next_timestamp_seconds{kind="blob"}"#) > 1e9);
    assert!(measured(r#"boxyard_collect_next_timestamp_seconds{kind="manifest"}"#) < 1.0);
    assert!(measured("boxyard_storage_blob_bytes") > 80_000.0);
    Boxyard::of(&server).succeed(&["garbage-collect", "-m", "-q"]);

    assert!((measured(r#"boxyard_collected_total{kind="manifest"}"#) - 1.0).abs() < 0.1);
    assert!((measured(r#"boxyard_collected_total{kind="blob"}"#) - 6.0).abs() < 0.1);
    assert!(measured("boxyard_collected_bytes_total") > 20_000.0);
}

#[test]
fn nothing_is_collected_while_the_registry_is_read_only() {
    let config = json!({
        "storage": {"maintenance": {"readonly": {"enabled": true}}},
        "boxyard": {"collect": {"window": "0s", "grace": "0s"}},
    });
    let mut server = Setup::new().config(&at_once()).start();
    leave_things_over(&server);
    server.stop();
    let before = files(server.root());
    let server = Setup::new().root(server.root()).config(&config).start();

    let ran = Boxyard::of(&server).run(&["garbage-collect"]);

    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.err.contains("read-only"), "{ran:?}");
    assert_eq!(files(server.root()), before);
}

/// One client with a repository of its own, and what it was told last.
struct Pusher {
    repo: String,
    noise: Noise,
    /// What `latest` may name: more than one image where the last push was not answered.
    latest: Vec<Option<Image>>,
}

/// How long a client may rely on what it was told.
const WINDOW: Duration = Duration::from_secs(1);

impl Pusher {
    /// Pushes image after image, and takes the tag away now and then, until the server is gone.
    fn work(&mut self, client: &Client) {
        loop {
            let image = small(self.noise.below(30));
            let since = Instant::now();
            let reply = client.push_image(&self.repo, "latest", &image);
            match reply.status() {
                Some(201) => self.latest = vec![Some(image)],
                // Slower than the window: the blobs may have gone.
                Some(400) if since.elapsed() >= WINDOW => {}
                Some(other) => panic!("{other} after {:?}", since.elapsed()),
                None => {
                    self.latest.push(Some(image));
                    return;
                }
            }
        }
    }

    fn verify(&mut self, client: &Client) {
        let digest = match client.get_manifest(&self.repo, "latest").status() {
            Some(404) => None,
            _ => Some(client.pull_image(&self.repo, "latest").manifest.digest),
        };
        let is_it = |image: &Option<Image>| {
            image.as_ref().map(|image| &image.manifest.digest) == digest.as_ref()
        };
        let found = self.latest.iter().find(|image| is_it(image)).cloned();
        self.latest = vec![found.unwrap_or_else(|| panic!("{}: {digest:?}", self.repo))];
    }
}

#[test]
fn a_folder_of_debians_registry_is_collected_under_pushes_and_kills_and_loses_nothing() {
    let root = tempfile::tempdir_in("/dev/shm").expect("make a folder in memory");
    let mut peer = Setup::new()
        .program("/usr/bin/docker-registry")
        .root(root.path())
        .start();
    let kept = leave_things_over_by(&Client::of(&peer), || {});
    peer.stop();
    let config = json!({"boxyard": {"collect": {
        "window": "1s", "grace": "0s", "untagged": "0s", "rate": 100_000,
    }}});
    let mut server = Setup::new().root(root.path()).config(&config).start();
    let mut pushers: Vec<Pusher> = (0..8)
        .map(|number| Pusher {
            repo: format!("crowd/{number}"),
            noise: Noise::new(number + 1),
            latest: vec![None],
        })
        .collect();
    let mut noise = Noise::new(99);
    for _ in 0..12 {
        thread::scope(|scope| {
            for pusher in &mut pushers {
                let client = Client::of(&server);
                scope.spawn(move || pusher.work(&client));
            }
            let lives = Instant::now() + Duration::from_millis(300 + noise.below(2_000));
            eventually("the time of the kill", || {
                (Instant::now() >= lives).then_some(())
            });
            kill(&server);
        });
        server.kill();
        server.start_again();
        let client = Client::of(&server);
        for pusher in &mut pushers {
            pusher.verify(&client);
        }
        client.pull_image("team/app", "latest");
    }

    let latest: Vec<&Image> = pushers
        .iter()
        .filter_map(|pusher| pusher.latest[0].as_ref())
        .collect();
    let needed = &kept | &digests(&latest);
    eventually("the files of what is tagged and no others", || {
        (files(root.path()) == needed).then_some(())
    });
    server.stop();
}

fn kill(server: &TestServer) {
    let status = std::process::Command::new("kill")
        .args(["-9", &server.pid().to_string()])
        .status();
    assert!(status.expect("run kill").success());
}
