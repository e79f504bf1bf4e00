//! A blob that is damaged on disk is a finding and answers 404 until it is pushed again; everything else goes on.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use boxyard_acceptance::Boxyard;
use boxyard_testkit::http::Connection;
use boxyard_testkit::{
    Blob, Client, Image, Noise, Setup, TestServer, Upload, binary, eventually, sha256,
};

/// What happens to a file.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Longer,
    Shorter,
    Emptied,
    Missing,
}

/// How somebody meets the damage first.
#[derive(Clone, Copy, Debug)]
enum Contact {
    Head,
    Get,
    Range,
    Mount,
    Manifest,
    Push,
}

const DAMAGES: [Damage; 4] = [
    Damage::Longer,
    Damage::Shorter,
    Damage::Emptied,
    Damage::Missing,
];
const CONTACTS: [Contact; 6] = [
    Contact::Head,
    Contact::Get,
    Contact::Range,
    Contact::Mount,
    Contact::Manifest,
    Contact::Push,
];

impl Damage {
    fn befall(self, file: &Path) {
        let length = fs::metadata(file).expect("the file is there").len();
        let open = || OpenOptions::new().append(true).open(file);
        let result = match self {
            Self::Longer => open().and_then(|mut file| file.write_all(b"x")),
            Self::Shorter => open().and_then(|file| file.set_len(length - 1)),
            Self::Emptied => open().and_then(|file| file.set_len(0)),
            Self::Missing => fs::remove_file(file),
        };
        result.expect("damage the file");
    }
}

impl Contact {
    /// Asks for the layer of `image`, which must not be served, nor believed.
    fn meet(self, client: &Client, image: &Image) {
        let layer = &image.layers[0];
        let digest = &layer.digest;
        match self {
            Self::Head => drop(client.head_blob("app", digest).expect(404)),
            Self::Get => drop(
                client
                    .get_blob("app", digest)
                    .expect_error(404, "BLOB_UNKNOWN"),
            ),
            Self::Range => drop(client.get_range("app", digest, "bytes=0-9").expect(404)),
            Self::Mount => drop(client.mount("other", digest, Some("app")).expect(202)),
            Self::Manifest => {
                let refused = client.put_manifest("app", "again", &image.manifest);
                let refused = refused.expect_error(400, "MANIFEST_BLOB_UNKNOWN");
                assert!(refused.text().contains(digest), "{}", refused.text());
            }
            Self::Push => drop(client.push_blob("app", layer).expect(201)),
        }
    }
}

/// The file of a blob.
fn file_of(root: &Path, digest: &str) -> PathBuf {
    let (algorithm, hex) = digest.split_once(':').expect("a digest has an algorithm");
    let blobs = root.join("docker/registry/v2/blobs").join(algorithm);
    blobs.join(&hex[..2]).join(hex).join("data")
}

/// What `boxyard findings` says.
fn findings(server: &TestServer) -> String {
    let mut command = Command::new(binary());
    let output = command.arg("findings").arg(server.config()).output();
    let output = output.expect("run boxyard findings");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A server that may tell of damage.
fn serve() -> TestServer {
    Setup::new().allow_error("damaged").start()
}

#[test]
fn a_damaged_blob_is_never_served_whoever_meets_it_first_and_a_push_heals_it() {
    let server = serve();
    let client = Client::of(&server);
    let mut seed = 0;
    for damage in DAMAGES {
        for contact in CONTACTS {
            seed += 1;
            let image = Image::with_layers(seed, &[5000]);
            let layer = &image.layers[0];
            client.push_image("app", "latest", &image).expect(201);
            // Until then a small blob is read from the database, whatever its file is.
            Boxyard::of(&server).succeed(&["settle"]);
            damage.befall(&file_of(server.root(), &layer.digest));

            contact.meet(&client, &image);

            client.get_blob("app", &image.config.digest).expect(200);
            client.push_blob("app", layer).expect(201);
            client.pull_image("app", "latest");
            client
                .mount("other", &layer.digest, Some("app"))
                .expect(201);
        }
    }
    assert_eq!(findings(&server), "");
}

#[test]
fn damage_is_a_finding_that_survives_a_restart_and_ends_with_a_push() {
    let mut server = serve();
    let client = Client::of(&server);
    for (seed, damage) in (1..).zip(DAMAGES) {
        let image = Image::with_layers(seed, &[5000]);
        client.push_image("app", "latest", &image).expect(201);
        Boxyard::of(&server).succeed(&["settle"]);
        let digest = &image.layers[0].digest;
        damage.befall(&file_of(server.root(), digest));

        client.head_blob("app", digest).expect(404);

        assert!(findings(&server).contains(digest.as_str()), "{damage:?}");
        server.restart();
        assert!(findings(&server).contains(digest.as_str()), "{damage:?}");
        for contact in [Contact::Get, Contact::Mount, Contact::Manifest] {
            contact.meet(&client, &image);
        }
        client.push_blob("app", &image.layers[0]).expect(201);
        assert_eq!(findings(&server), "", "{damage:?}");
        client.pull_image("app", "latest");
    }
}

#[test]
fn damage_that_befell_a_folder_at_rest_is_found_after_the_start() {
    let mut server = serve();
    let client = Client::of(&server);
    for (seed, damage) in (1..).zip(DAMAGES) {
        let image = Image::with_layers(seed, &[5000]);
        client.push_image("app", "latest", &image).expect(201);
        let digest = &image.layers[0].digest;
        server.stop();
        damage.befall(&file_of(server.root(), digest));
        server.start_again();

        for contact in CONTACTS {
            contact.meet(&client, &image);
            if matches!(contact, Contact::Manifest) {
                let told = || findings(&server).contains(digest.as_str()).then_some(());
                eventually("the finding", told);
            }
        }

        client.pull_image("app", "latest");
        assert_eq!(findings(&server), "", "{damage:?}");
    }
}

/// A pull of a blob that has begun and stops for a while.
struct Pull {
    connection: Connection,
    begun: Vec<u8>,
}

impl Pull {
    fn begin(client: &Client, digest: &str) -> Self {
        let mut connection = client.connect().expect("connect");
        let head =
            format!("GET /v2/app/blobs/{digest} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        connection.write(head.as_bytes()).expect("ask");
        let begun = connection.read_some(1 << 20).expect("read the beginning");
        assert!(begun.starts_with(b"HTTP/1.1 200"));
        Self { connection, begun }
    }

    /// All that came of the body.
    fn end(mut self) -> Vec<u8> {
        let rest = self.connection.read_to_close().expect("read to the end");
        let whole = [self.begun, rest].concat();
        let end_of_head = whole.windows(4).position(|window| window == b"\r\n\r\n");
        whole[end_of_head.expect("there is a head") + 4..].to_vec()
    }
}

#[test]
fn a_file_cut_short_under_a_running_pull_ends_that_pull_and_nothing_else() {
    let server = Setup::new()
        .allow_error("damaged")
        .allow_error("cut short")
        .start();
    let client = Client::of(&server);
    let [cut, whole] = [1, 2].map(|seed| {
        let bytes = Noise::new(seed).draw(64 << 20);
        Blob::new("application/octet-stream", bytes)
    });
    for blob in [&cut, &whole] {
        client.push_blob("app", blob).expect(201);
    }
    let ended = Pull::begin(&client, &cut.digest);
    let other = Pull::begin(&client, &whole.digest);

    let file = OpenOptions::new()
        .write(true)
        .open(file_of(server.root(), &cut.digest));
    file.and_then(|file| file.set_len(32 << 20))
        .expect("cut the file short");

    let came = ended.end();
    assert!(came.len() <= 32 << 20, "{} bytes came", came.len());
    assert_eq!(came, cut.bytes[..came.len()]);
    assert_eq!(sha256(other.end()), whole.digest);
    let found = || findings(&server).contains(&cut.digest).then_some(());
    eventually("the finding", found);
    client.get_blob("app", &cut.digest).expect(404);
    client.push_blob("app", &cut).expect(201);
    let pulled = Pull::begin(&client, &cut.digest).end();
    assert_eq!(sha256(pulled), cut.digest);
}

#[test]
fn a_file_cut_within_its_last_page_is_never_answered_whole() {
    let server = Setup::new()
        .allow_error("damaged")
        .allow_error("cut short")
        .start();
    let client = Client::of(&server);
    let bytes = Noise::new(1).draw((64 << 20) + 100);
    let blob = Blob::new("application/octet-stream", bytes);
    client.push_blob("app", &blob).expect(201);
    let pull = Pull::begin(&client, &blob.digest);

    let file = OpenOptions::new()
        .write(true)
        .open(file_of(server.root(), &blob.digest));
    file.and_then(|file| file.set_len((64 << 20) + 3))
        .expect("cut the file short");

    let came = pull.end();
    assert!(came.len() <= (64 << 20) + 3, "{} bytes came", came.len());
    assert_eq!(came, blob.bytes[..came.len()]);
    let found = || findings(&server).contains(&blob.digest).then_some(());
    eventually("the finding", found);
}

#[test]
fn a_pull_that_runs_while_its_blob_is_deleted_gets_all_of_it() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let blob = Blob::new("application/octet-stream", Noise::new(1).draw(64 << 20));
    client.push_blob("app", &blob).expect(201);
    let pull = Pull::begin(&client, &blob.digest);

    client.delete_blob("app", &blob.digest).expect(202);

    let file = file_of(server.root(), &blob.digest);
    eventually("the file to go", || (!file.exists()).then_some(()));
    assert_eq!(sha256(pull.end()), blob.digest);
    client.get_blob("app", &blob.digest).expect(404);
}

#[test]
fn garbled_links_are_findings_that_hide_nothing_else_and_a_push_heals_them() {
    let mut server = serve();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[5000]);
    let other = Image::with_layers(2, &[5000]);
    client.push_image("app", "sole", &image).expect(201);
    client.push_image("app", "moved", &image).expect(201);
    // The tag has two entries only if the tree has followed in between.
    Boxyard::of(&server).succeed(&["settle"]);
    client.push_image("app", "moved", &other).expect(201);
    client.push_image("app", "good", &image).expect(201);
    server.stop();
    let repository = server.root().join("docker/registry/v2/repositories/app");
    let layer = image.layers[0].digest.replace(':', "/");
    for (link, text) in [
        ("_manifests/tags/sole/current/link".to_owned(), ""),
        (
            "_manifests/tags/moved/current/link".to_owned(),
            "sha256:nonsense",
        ),
        (format!("_layers/{layer}/link"), "\0\0\0\0"),
    ] {
        let mut link = File::create(repository.join(link)).expect("open the link");
        link.write_all(text.as_bytes()).expect("garble the link");
    }
    server.start_again();

    client.get_manifest("app", "sole").expect(200);
    client.get_manifest("app", "moved").expect(404);
    client.get_manifest("app", "good").expect(200);
    client.get_blob("app", &image.layers[0].digest).expect(404);
    client.get_blob("app", &other.layers[0].digest).expect(200);
    for subject in ["sole", "moved", &image.layers[0].digest] {
        let told = || findings(&server).contains(subject).then_some(());
        eventually(subject, told);
    }
    for (tag, image) in [("sole", &image), ("moved", &other)] {
        client.push_image("app", tag, image).expect(201);
    }
    assert_eq!(findings(&server), "");
    server.restart();
    for tag in ["sole", "moved", "good"] {
        client.pull_image("app", tag);
    }
    let begun = client.begin_upload("app").expect(202);
    client.cancel(&Upload::at(&begun)).expect(204);
}
