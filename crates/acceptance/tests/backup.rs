//! Backups, rehearsed: made while others push and delete, killed in the middle, and restored elsewhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use boxyard_acceptance::{Boxyard, platforms};
use boxyard_testkit::{Client, Image, Setup, TestServer, eventually};
use tempfile::TempDir;

fn push(server: &TestServer, repo: &str, tag: &str, seed: u64) -> Image {
    let image = Image::with_layers(seed, &[50_000, 60_000]);
    Client::of(server).push_image(repo, tag, &image).expect(201);
    image
}

/// Where backups go, and servers that are made of them.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().expect("make a folder");
        Self { folder }
    }

    fn backup(&self) -> PathBuf {
        self.folder.path().join("backup")
    }

    /// A server on an empty folder, that does not run yet.
    fn empty(&self, name: &str) -> TestServer {
        let root = self.folder.path().join(name);
        let mut server = Setup::new().root(&root).allow_error("damage").start();
        server.stop();
        fs::remove_dir_all(&root).expect("empty the folder");
        server
    }

    /// A server that is made of the backup and runs.
    fn restored(&self, name: &str) -> TestServer {
        let mut server = self.empty(name);
        restore(&server, &self.backup());
        server.start_again();
        server
    }
}

fn backup(server: &TestServer, to: &Path) -> String {
    Boxyard::of(server).succeed(&["backup".as_ref(), to.as_os_str()])
}

fn restore(server: &TestServer, from: &Path) -> String {
    Boxyard::of(server).succeed(&["restore".as_ref(), from.as_os_str(), "--verify".as_ref()])
}

fn copied(said: &str) -> u64 {
    let words: Vec<&str> = said.split_whitespace().collect();
    let place = words
        .iter()
        .position(|word| *word == "of")
        .expect("a count");
    words[place - 1].parse().expect("a number")
}

fn blobs_of(folder: &Path) -> usize {
    let mut count = 0;
    let mut folders = vec![folder.join("blobs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                count += 1;
            }
        }
    }
    count
}

#[test]
fn everything_acknowledged_before_a_backup_is_in_it_while_others_push_and_delete() {
    let server = TestServer::start();
    let place = Place::new();
    let images: Vec<Image> = (0..20)
        .map(|seed| push(&server, "team/app", &format!("v{seed}"), seed))
        .collect();
    let index = platforms();
    Client::of(&server)
        .push_index("multi", "v1", &index)
        .expect(201);
    let goes_on = AtomicBool::new(true);

    std::thread::scope(|scope| {
        for worker in 0..3_u64 {
            let (server, goes_on) = (&server, &goes_on);
            scope.spawn(move || {
                let client = Client::of(server);
                let mut seed = 1_000 * (worker + 1);
                while goes_on.load(Ordering::SeqCst) {
                    seed += 1;
                    let image = push(server, "busy", "latest", seed);
                    client
                        .delete_manifest("busy", &image.manifest.digest)
                        .status();
                }
            });
        }
        for _ in 0..3 {
            backup(&server, &place.backup());
        }
        goes_on.store(false, Ordering::SeqCst);
    });

    let restored = place.restored("other");
    let client = Client::of(&restored);
    for (seed, image) in images.iter().enumerate() {
        let pulled = client.pull_image("team/app", &format!("v{seed}"));
        assert_eq!(pulled.manifest.bytes, image.manifest.bytes);
    }
    client.pull_image("multi", "v1");
    // Whatever else is there pulls whole as well.
    for repo in client.catalog() {
        for tag in client.tags(&repo) {
            client.pull_image(&repo, &tag);
        }
    }
    assert_eq!(Boxyard::of(&restored).run(&["scrub"]).status, 0);
}

#[test]
fn the_next_backup_copies_what_is_new_and_forgets_what_is_gone() {
    let mut server = TestServer::start();
    let place = Place::new();
    push(&server, "app", "v1", 1);
    // What has no file yet is copied within the database.
    Boxyard::of(&server).succeed(&["settle"]);
    let first = copied(&backup(&server, &place.backup()));
    assert_eq!(first, 3);
    push(&server, "app", "v2", 2);
    Boxyard::of(&server).succeed(&["settle"]);

    let second = copied(&backup(&server, &place.backup()));
    assert_eq!(second, 3);
    assert_eq!(blobs_of(&place.backup()), 6);
    Boxyard::of(&server).succeed(&["repo", "rm", "app"]);
    let third = push(&server, "other", "v1", 3);
    server.stop();
    assert_eq!(copied(&backup(&server, &place.backup())), 3);

    assert_eq!(blobs_of(&place.backup()), 3);
    let restored = place.restored("other");
    assert_eq!(Client::of(&restored).catalog(), ["other"]);
    let pulled = Client::of(&restored).pull_image("other", "v1");
    assert_eq!(pulled.manifest.bytes, third.manifest.bytes);
}

#[test]
fn a_backup_that_was_killed_leaves_the_one_before_it() {
    let server = TestServer::start();
    let place = Place::new();
    push(&server, "app", "v1", 1);
    backup(&server, &place.backup());
    for seed in 2..60 {
        push(&server, "app", &format!("v{seed}"), seed);
    }

    let boxyard = Boxyard::of(&server);
    let folder = place.backup();
    let mut killed = boxyard.begin(&["backup".as_ref(), folder.as_os_str()]);
    eventually("the backup to copy", || {
        (blobs_of(&folder) > 10).then_some(())
    });
    killed.kill().expect("kill the backup");
    killed.wait().expect("wait for the backup");

    let restored = place.restored("other");
    assert!(Client::of(&restored).tags("app").contains(&"v1".to_owned()));
    Client::of(&restored).pull_image("app", "v1");
    drop(restored);
    // And the next one is whole.
    backup(&server, &folder);
    let restored = place.restored("third");
    for tag in Client::of(&server).tags("app") {
        Client::of(&restored).pull_image("app", &tag);
    }
}

#[test]
fn a_server_that_dies_during_a_backup_leaves_the_one_before_it() {
    let mut server = TestServer::start();
    let place = Place::new();
    push(&server, "app", "v1", 1);
    backup(&server, &place.backup());
    for seed in 2..60 {
        push(&server, "app", &format!("v{seed}"), seed);
    }

    let folder = place.backup();
    let words = ["backup".as_ref(), folder.as_os_str()];
    let running = Boxyard::of(&server).begin(&words);
    eventually("the backup to copy", || {
        (blobs_of(&folder) > 5).then_some(())
    });
    server.kill();
    let ended = running.wait_with_output().expect("wait for the backup");

    // It may just have finished.
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(
        ended.status.success() || said.contains("the server ended"),
        "{said}"
    );
    let restored = place.restored("other");
    Client::of(&restored).pull_image("app", "v1");
}

#[test]
fn a_restore_wants_an_empty_folder_and_goes_on_after_a_kill() {
    let server = TestServer::start();
    let place = Place::new();
    for seed in 0..60 {
        push(&server, "app", &format!("v{seed}"), seed);
    }
    backup(&server, &place.backup());
    let folder = place.backup();
    let words = ["restore".as_ref(), folder.as_os_str()];
    let refused = Boxyard::of(&server).run(&words);
    assert_eq!(refused.status, 1);
    assert!(refused.err.contains("is not empty"), "{refused:?}");

    let mut other = place.empty("other");
    let mut killed = Boxyard::of(&other).begin(&words);
    let blobs = other.root().join("docker/registry/v2/blobs/sha256");
    eventually("the restore to copy", || {
        let prefixes = fs::read_dir(&blobs).into_iter().flatten().count();
        (prefixes > 5).then_some(())
    });
    killed.kill().expect("kill the restore");
    killed.wait().expect("wait for the restore");
    if other.root().join("boxyard/restoring").exists() {
        let mut serve = Boxyard::of(&other).command(&["serve"]);
        let output = serve.output().expect("run boxyard serve");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && said.contains("boxyard restore"),
            "{said}"
        );
        restore(&other, &folder);
    }

    other.start_again();
    for seed in 0..60 {
        Client::of(&other).pull_image("app", &format!("v{seed}"));
    }
}

#[test]
fn findings_are_restored_and_damage_is_told() {
    let server = Setup::new().allow_error("damage").start();
    let place = Place::new();
    let (whole, broken) = (push(&server, "app", "v1", 1), push(&server, "app", "v2", 2));
    let hex = &broken.layers[0].digest["sha256:".len()..];
    let blobs = server.root().join("docker/registry/v2/blobs/sha256");
    let file = blobs.join(&hex[..2]).join(hex).join("data");
    let size = fs::metadata(&file).expect("a blob").len();
    fs::write(&file, vec![0; usize::try_from(size).expect("small")]).expect("damage a blob");

    let folder = place.backup();
    let words = ["backup".as_ref(), folder.as_os_str()];
    let ran = Boxyard::of(&server).run(&words);
    assert_eq!(ran.status, 3, "{ran:?}");
    assert!(ran.err.contains(&broken.layers[0].digest), "{ran:?}");
    assert_eq!(Boxyard::of(&server).run(&["scrub"]).status, 3);
    assert_eq!(Boxyard::of(&server).run(&words).status, 0);

    let restored = place.restored("other");
    let client = Client::of(&restored);
    let pulled = client.pull_image("app", "v1");
    assert_eq!(pulled.manifest.bytes, whole.manifest.bytes);
    let found = Boxyard::of(&restored).succeed(&["findings"]);
    assert!(found.contains(&broken.layers[0].digest), "{found}");
}

#[test]
fn a_damaged_backup_is_not_restored_where_that_is_verified() {
    let server = TestServer::start();
    let place = Place::new();
    push(&server, "app", "v1", 1);
    backup(&server, &place.backup());
    let folder = place.backup().join("blobs/sha256");
    let prefix = fs::read_dir(&folder).expect("blobs").next();
    let prefix = prefix.expect("a prefix").expect("a prefix").path();
    let blob = fs::read_dir(prefix).expect("a blob").next();
    let blob = blob.expect("a blob").expect("a blob").path();
    let mut bytes = fs::read(&blob).expect("read");
    bytes[0] ^= 1;
    fs::write(&blob, bytes).expect("flip a bit");

    let other = place.empty("other");
    let folder = place.backup();
    let words = ["restore".as_ref(), folder.as_os_str(), "--verify".as_ref()];
    let ran = Boxyard::of(&other).run(&words);

    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.err.contains("nothing was restored"), "{ran:?}");
    assert!(!other.root().join("docker").exists());
}

#[test]
fn debians_registry_serves_what_was_restored() {
    let server = TestServer::start();
    let place = Place::new();
    let image = push(&server, "team/app", "v1", 1);
    backup(&server, &place.backup());
    let restored = place.empty("other");
    restore(&restored, &place.backup());

    let other = Setup::new()
        .program("/usr/bin/docker-registry")
        .root(restored.root())
        .start();

    let pulled = Client::of(&other).pull_image("team/app", "v1");
    assert_eq!(pulled.manifest.bytes, image.manifest.bytes);
}

#[test]
fn a_plain_copy_of_the_live_folder_without_its_database_is_served() {
    let server = TestServer::start();
    let place = Place::new();
    let images: Vec<Image> = (0..5)
        .map(|seed| push(&server, "app", &format!("v{seed}"), seed))
        .collect();
    let copy = place.folder.path().join("copy");
    // The links are written within a second of the answer.
    Boxyard::of(&server).succeed(&["settle"]);
    let output = Command::new("cp")
        .arg("-a")
        .arg(server.root())
        .arg(&copy)
        .output()
        .expect("copy the folder");
    assert!(output.status.success(), "{output:?}");
    // A database that was copied while it ran is not to be trusted; the tree is.
    for suffix in ["", "-wal", "-shm"] {
        let _absent = fs::remove_file(copy.join(format!("boxyard.db{suffix}")));
    }

    let other = Setup::new().root(&copy).start();

    for (seed, image) in images.iter().enumerate() {
        let pulled = Client::of(&other).pull_image("app", &format!("v{seed}"));
        assert_eq!(pulled.manifest.bytes, image.manifest.bytes);
    }
}

/// What was acknowledged: tags, and the images that they name.
type Acknowledged = Mutex<Vec<(String, Image)>>;

/// Pushes one image after another until it is told to end.
fn push_on(server: &TestServer, worker: u64, goes_on: &AtomicBool, acknowledged: &Acknowledged) {
    let client = Client::of(server);
    for number in 0.. {
        if !goes_on.load(Ordering::SeqCst) {
            return;
        }
        let tag = format!("w{worker}-{number}");
        let image = Image::with_layers(worker * 100_000 + number, &[20_000, 3_000]);
        client.push_image("busy/app", &tag, &image).expect(201);
        let mut acknowledged = acknowledged.lock().expect("no pusher has failed");
        acknowledged.push((tag, image));
    }
}

#[test]
fn an_rsync_of_the_live_folder_under_load_has_what_was_acknowledged_before_it_began() {
    let server = TestServer::start();
    let place = Place::new();
    let copy = place.folder.path().join("copy");
    let goes_on = AtomicBool::new(true);
    let acknowledged = Acknowledged::default();
    let before = std::thread::scope(|scope| {
        for worker in 0..3 {
            let (server, goes_on, acknowledged) = (&server, &goes_on, &acknowledged);
            scope.spawn(move || push_on(server, worker, goes_on, acknowledged));
        }
        eventually("some images to be there", || {
            let acknowledged = acknowledged.lock().expect("no pusher has failed");
            (acknowledged.len() >= 60).then_some(())
        });
        let before = acknowledged.lock().expect("no pusher has failed").clone();
        Boxyard::of(&server).succeed(&["settle"]);
        let copied = Command::new("rsync")
            .args([
                "--archive",
                "--exclude=/boxyard.db*",
                "--exclude=admin.sock",
            ])
            .arg(format!("{}/", server.root().display()))
            .arg(&copy)
            .output();
        goes_on.store(false, Ordering::SeqCst);
        let copied = copied.expect("run `rsync`");
        // 24: files went while it worked, such as those of uploads.
        assert!(matches!(copied.status.code(), Some(0 | 24)), "{copied:?}");
        before
    });
    let after = acknowledged.lock().expect("no pusher has failed").len();
    assert!(after > before.len(), "nothing was pushed meanwhile");

    // What was pushed meanwhile may be there in part, and is told.
    let other = Setup::new().root(&copy).allow_error("").start();

    for (tag, image) in &before {
        let pulled = Client::of(&other).pull_image("busy/app", tag);
        assert_eq!(pulled.manifest.bytes, image.manifest.bytes, "{tag}");
    }
}
