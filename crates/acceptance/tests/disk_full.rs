//! A full disk refuses what is pushed, clearly, and nothing else: pulls go on, and deleting makes room.
//!
//! These tests mount small filesystems, so they run as root.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::thread;

use boxyard_testkit::{
    Blob, Client, Image, Noise, Reply, Setup, TestServer, Upload, Way, eventually, media_type,
};
use serde_json::json;
use tempfile::TempDir;

const MIB: u64 = 1 << 20;
/// What the registry keeps free for its database, for deletes and for the tree.
const RESERVE: u64 = 64 * MIB;

/// A small filesystem that is unmounted when it is dropped.
struct Disk {
    folder: TempDir,
    /// What the filesystem lies in, if it is not in memory.
    _image: Option<tempfile::NamedTempFile>,
}

impl Disk {
    /// One in memory that has room for this many bytes beyond the reserve.
    fn beyond_reserve(bytes: u64) -> Self {
        let folder = TempDir::with_prefix("boxyard-small-").expect("make a folder to mount on");
        let options = format!("size={}", RESERVE + bytes);
        run(
            "mount",
            &["-t", "tmpfs", "-o", &options, "tmpfs", &text(folder.path())],
        );
        Self {
            folder,
            _image: None,
        }
    }

    /// One with room for many bytes in few files.
    fn with_files(files: u64) -> Self {
        let folder = TempDir::with_prefix("boxyard-small-").expect("make a folder to mount on");
        let image = tempfile::NamedTempFile::new().expect("make a file for a filesystem");
        image.as_file().set_len(4 * RESERVE).expect("size the file");
        let path = text(image.path());
        run("mkfs.ext4", &["-q", "-N", &files.to_string(), &path]);
        run("mount", &["-o", "loop", &path, &text(folder.path())]);
        Self {
            folder,
            _image: Some(image),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// How many bytes are free.
    fn free(&self) -> u64 {
        self.ask("--output=avail")
    }

    /// How many files can still be made.
    fn free_files(&self) -> u64 {
        self.ask("--output=iavail")
    }

    fn ask(&self, column: &str) -> u64 {
        let told = run("df", &["--block-size=1", column, &text(self.path())]);
        let number = told
            .lines()
            .last()
            .and_then(|line| line.trim().parse().ok());
        number.expect("df tells a number")
    }

    fn serve(&self) -> TestServer {
        // It tells its administrator of each push that it refuses.
        Setup::new()
            .root(self.path().join("registry"))
            .allow_error("storage is full")
            .start()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["--lazy", &text(self.path())]);
    }
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("run {program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {output:?}"
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn blob(seed: u64, size: u64) -> Blob {
    let size = usize::try_from(size).expect("it fits into memory");
    Blob::new("application/octet-stream", Noise::new(seed).draw(size))
}

#[track_caller]
fn is_refused_clearly(reply: Reply) {
    let answer = reply.expect_error(507, "INSUFFICIENT_STORAGE");
    let message = answer.json()["errors"][0]["message"].to_string();
    assert!(message.contains("storage is full"), "{message}");
}

/// Pushes until nothing more fits; what was taken.
fn fill(client: &Client, repo: &str, size: u64) -> Vec<Blob> {
    let mut taken = Vec::new();
    loop {
        let seed = 1000 + taken.len() as u64;
        let more = blob(seed, size);
        let reply = client.push_blob(repo, &more);
        if reply.status() != Some(201) {
            is_refused_clearly(reply);
            return taken;
        }
        taken.push(more);
    }
}

#[test]
fn a_disk_that_fills_up_in_the_middle_of_a_layer_drops_that_layer_and_serves_on() {
    let disk = Disk::beyond_reserve(24 * MIB);
    let server = disk.serve();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[100_000, 10]);
    client.push_image("small", "latest", &image).expect(201);
    let (before, huge) = (disk.free(), blob(2, 40 * MIB));

    for way in [Way::Post, Way::PostPut, Way::Chunks(5 << 20), Way::Streamed] {
        is_refused_clearly(client.push_blob_by(way, "huge", &huge));

        client.pull_image("small", "latest");
        client.head_blob("huge", &huge.digest).expect(404);
        let freed = || (disk.free() + MIB > before).then_some(());
        eventually("the room of the dropped layer", freed);
    }
    let fits = blob(3, 16 * MIB);
    client.push_blob("huge", &fits).expect(201);
    assert_eq!(
        client.get_blob("huge", &fits.digest).expect(200).body,
        fits.bytes
    );
}

#[test]
fn a_disk_without_room_for_a_manifest_refuses_it_and_a_delete_makes_that_room() {
    let disk = Disk::beyond_reserve(12 * MIB);
    let server = disk.serve();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[1000]);
    client.push_image("app", "v1", &image).expect(201);
    let taken = fill(&client, "app", MIB);
    let note = "x".repeat(3 << 20);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "config": image.config.descriptor(),
        "layers": [],
        "annotations": { "note": note },
    });
    let manifest = Blob::json(media_type::OCI_MANIFEST, &manifest);

    is_refused_clearly(client.put_manifest("app", "v2", &manifest));

    client.pull_image("app", "v1");
    assert_eq!(client.tags("app"), ["v1"]);
    for blob in &taken[..8] {
        client.delete_blob("app", &blob.digest).expect(202);
    }
    let put = || {
        let reply = client.put_manifest("app", "v2", &manifest);
        (reply.status() == Some(201)).then_some(())
    };
    eventually("room for the manifest", put);
    client.pull_image("app", "v2");
}

#[test]
fn a_full_disk_is_told_by_readyz_and_pulls_go_on_until_there_is_room_again() {
    let disk = Disk::beyond_reserve(12 * MIB);
    let server = Setup::new()
        .debug()
        .root(disk.path().join("registry"))
        .config(&json!({"health": {"storagedriver": {"enabled": true, "interval": "50ms"}}}))
        .allow_error("storage is full")
        .start();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[1000]);
    client.push_image("app", "v1", &image).expect(201);
    let says = |expected: &str| {
        for address in [server.address(), server.debug_address()] {
            eventually(expected, || {
                let said = Client::at(address).get("/readyz").expect(200).text();
                (said == expected).then_some(())
            });
        }
    };
    says("ok\n");

    let taken = fill(&client, "app", MIB);
    // Somebody else takes the rest and some of the reserve.
    let other = blob(1, 4 * MIB);
    fs::write(disk.path().join("other"), &other.bytes).expect("write beside the registry");
    says("ok, but storage is full: uploads are refused\n");

    client.pull_image("app", "v1");
    let health = Client::at(server.debug_address()).get("/debug/health");
    assert_eq!(health.expect(200).json(), json!({}));
    // Half of them would hardly be more than what the other has taken.
    for blob in &taken[..taken.len() * 3 / 4] {
        client.delete_blob("app", &blob.digest).expect(202);
    }
    says("ok\n");
    // Room for a little comes before all that was deleted has gone.
    eventually("room for what was there before", || {
        let pushed = client.push_blob("app", &taken[0]);
        (pushed.status() == Some(201)).then_some(())
    });
}

#[test]
fn deleting_works_on_a_full_disk_and_makes_room_for_as_much_again() {
    let disk = Disk::beyond_reserve(24 * MIB);
    let server = disk.serve();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[8 << 20]);
    client.push_image("app", "latest", &image).expect(201);
    client.tag("app", "latest", "also").expect(201);
    let taken = fill(&client, "more", MIB);
    assert!(taken.len() > 8, "only {} blobs fitted", taken.len());
    is_refused_clearly(client.push_blob("app", &blob(1, MIB)));

    client.delete_tag("app", "also").expect(202);
    client
        .delete_manifest("app", &image.manifest.digest)
        .expect(202);
    for (repo, blob) in image
        .blobs()
        .map(|blob| ("app", blob))
        .chain(taken.iter().map(|blob| ("more", blob)))
    {
        client.delete_blob(repo, &blob.digest).expect(202);
        client.head_blob(repo, &blob.digest).expect(404);
    }

    let freed = || (disk.free() > RESERVE + 20 * MIB).then_some(());
    eventually("the room of what was deleted", freed);
    let image = Image::with_layers(2, &[16 << 20]);
    client.push_image("app", "latest", &image).expect(201);
    client.pull_image("app", "latest");
}

#[test]
fn cancelling_an_upload_on_a_full_disk_makes_room_at_once() {
    let disk = Disk::beyond_reserve(16 * MIB);
    let server = disk.serve();
    let client = Client::of(&server);
    let begun = client.begin_upload("app").expect(202);
    let large = blob(1, 10 * MIB);
    let patched = client.patch(&Upload::at(&begun), None, &large.bytes);
    let upload = Upload::at(&patched.expect(202));
    fill(&client, "app", MIB);

    client.cancel(&upload).expect(204);

    client.push_blob("app", &blob(2, 8 * MIB)).expect(201);
    client.upload_status(&upload).expect(404);
}

#[test]
fn sixteen_pushers_who_fill_a_disk_leave_the_reserve_alone() {
    let disk = Disk::beyond_reserve(40 * MIB);
    let server = disk.serve();
    let layers = [700_000, 1000];
    let taken = sixteen_pushers(&server, |client, number| {
        fill_with_images(client, number, &layers)
    });

    // The database and the links of what was taken come from the reserve, and that is what it is for.
    let free = disk.free();
    assert!(free > RESERVE - 16 * MIB, "only {free} bytes are left");
    let client = Client::of(&server);
    let there: usize = (0..16)
        .map(|number| client.tags(&format!("app-{number}")).len())
        .sum();
    assert_eq!(there as u64, taken);
    for number in 0..16 {
        for tag in client.tags(&format!("app-{number}")) {
            client.pull_image(&format!("app-{number}"), &tag);
        }
    }
}

#[test]
fn sixteen_pushers_who_use_up_the_files_leave_enough_for_the_tree() {
    let disk = Disk::with_files(3000);
    let mut server = disk.serve();

    let taken = sixteen_pushers(&server, |client, number| {
        fill_with_images(client, number, &[1000])
    });

    assert!(taken > 50, "only {taken} images fitted");
    assert!(disk.free() > 2 * RESERVE, "there are bytes enough");
    let client = Client::of(&server);
    let held = &Image::with_layers(0, &[1000]).layers[0];
    is_refused_clearly(client.mount("other", &held.digest, Some("app-0")));
    // It stops only once the tree holds everything, and complains of nothing on the way.
    server.restart();
    let there: usize = (0..16)
        .map(|number| client.tags(&format!("app-{number}")).len())
        .sum();
    assert_eq!(there as u64, taken);
}

/// Lets sixteen clients push at the same time; the sum of what they answer.
fn sixteen_pushers(server: &TestServer, push: impl Fn(&Client, u64) -> u64 + Sync) -> u64 {
    thread::scope(|scope| {
        let pushers = (0..16).map(|number| {
            let client = Client::of(server).pushing_by(Way::Streamed);
            let push = &push;
            scope.spawn(move || push(&client, number))
        });
        let pushers: Vec<_> = pushers.collect();
        let taken = pushers.into_iter().map(thread::ScopedJoinHandle::join);
        taken.map(|taken| taken.expect("no pusher fails")).sum()
    })
}

/// Pushes images until one is refused; how many were taken.
fn fill_with_images(client: &Client, number: u64, layers: &[usize]) -> u64 {
    let mut taken = 0;
    loop {
        let image = Image::with_layers(number << 32 | taken, layers);
        let repo = format!("app-{number}");
        let reply = client.push_image(&repo, &format!("v{taken}"), &image);
        if reply.status() != Some(201) {
            is_refused_clearly(reply);
            return taken;
        }
        taken += 1;
    }
}

#[test]
fn a_filesystem_without_files_left_refuses_pushes_and_deletes_make_room() {
    let disk = Disk::with_files(800);
    let server = disk.serve();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[1000]);
    client.push_image("app", "latest", &image).expect(201);

    let taken = fill(&client, "app", 100);

    assert!(disk.free() > 2 * RESERVE, "there are bytes enough");
    assert!(taken.len() > 50, "only {} blobs fitted", taken.len());
    let tag = |number| client.put_manifest("app", &format!("v{number}"), &image.manifest);
    let refused = (0..100).map(tag).find(|reply| reply.status() != Some(201));
    is_refused_clearly(refused.expect("a tag takes files, too"));
    client.pull_image("app", "latest");
    for blob in &taken {
        client.delete_blob("app", &blob.digest).expect(202);
    }
    let freed = || (disk.free_files() > 400).then_some(());
    eventually("the files of what was deleted", freed);
    tag(100).expect(201);
}

#[test]
fn a_disk_that_somebody_else_fills_to_the_last_byte_stops_pushes_only_until_there_is_room() {
    let disk = Disk::beyond_reserve(16 * MIB);
    let mut server = disk.serve();
    server.allow_error("");
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[300_000]);
    client.push_image("app", "latest", &image).expect(201);
    let other = Image::with_layers(7, &[300_000]);
    client.push_image("app", "other", &other).expect(201);
    client.delete_tag("app", "other").expect(202);
    let begun = Upload::at(&client.begin_upload("app").expect(202));

    let filler = disk.path().join("filler");
    let mut file = fs::File::create(&filler).expect("make a file");
    while file.write_all(&[1; 4096]).is_ok() {}

    is_refused_clearly(client.patch(&begun, None, &blob(1, MIB).bytes));
    is_refused_clearly(client.begin_upload("app"));
    is_refused_clearly(client.put_manifest("app", "v2", &image.manifest));
    for _ in 0..20 {
        client.pull_image("app", "latest");
    }
    let status = client
        .delete_manifest("app", &other.manifest.digest)
        .status();
    assert!(matches!(status, Some(202 | 507)), "{status:?}");
    drop(file);
    fs::remove_file(&filler).expect("remove the file");
    client
        .push_image("app", "v3", &Image::with_layers(2, &[300_000]))
        .expect(201);
    client.delete_tag("app", "latest").expect(202);
    client.pull_image("app", "v3");
    server.restart();
    client.pull_image("app", "v3");
    assert_eq!(client.tags("app"), ["v3"]);
}
