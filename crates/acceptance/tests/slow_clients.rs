//! Clients that vanish, trickle, lie about lengths or get in their own way harm nobody else, and can go on.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use boxyard_testkit::http::{Body, Connection, Response};
use boxyard_testkit::{Blob, Client, Image, Noise, Setup, TestServer, Upload, Way, eventually};
use serde_json::json;

/// How a client leaves in the middle of its request.
#[derive(Clone, Copy, Debug)]
enum Leaving {
    /// It is gone without a word, as after a power cut.
    Reset,
    /// It closes its connection.
    Closed,
    /// It says that nothing more comes, and goes on listening.
    HalfClosed,
}

const LEAVINGS: [Leaving; 3] = [Leaving::Reset, Leaving::Closed, Leaving::HalfClosed];

/// The content that is pushed.
fn blob() -> Blob {
    let bytes = Noise::new(1).draw(3_000_000);
    Blob::new("application/octet-stream", bytes)
}

/// Sends a request of this body, but only the first bytes of it, and leaves.
///
/// Returns when the server has noticed, because what it reads last is the newest request to it.
fn leave(server: &TestServer, method: &str, target: &str, body: &[u8], sent: usize, how: Leaving) {
    let client = Client::of(server);
    let line = format!("\"{method} {target} ");
    let noticed = || server.log().matches(&line).count();
    let before = noticed();
    let mut connection = client.connect().expect("connect");
    let length = body.len();
    let head = format!("{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    connection.write(head.as_bytes()).expect("send the head");
    connection.write(&body[..sent]).expect("send a part");
    match how {
        Leaving::Reset => connection.reset().expect("reset"),
        Leaving::Closed => drop(connection),
        Leaving::HalfClosed => {
            connection.half_close().expect("close one side");
            if let Ok(answer) = connection.read_response() {
                assert_eq!(answer.status, 400, "{answer:?}");
            }
        }
    }
    eventually("its line in the log", || (noticed() > before).then_some(()));
}

/// How many bytes an upload has.
fn received(client: &Client, upload: &Upload) -> usize {
    let status = client.upload_status(upload).expect(204);
    let range = status.required("range").to_owned();
    let last: usize = range[2..].parse().expect("a range has an end");
    if last == 0 { 0 } else { last + 1 }
}

/// The uploads that lie in the folder of a repository.
fn uploads(root: &Path, repo: &str) -> usize {
    let repositories = root.join("docker/registry/v2/repositories");
    let folder = repositories.join(repo).join("_uploads");
    fs::read_dir(folder).map_or(0, Iterator::count)
}

#[test]
fn a_client_that_vanishes_in_a_chunk_can_go_on_wherever_it_was() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let blob = blob();
    for how in LEAVINGS {
        for sent in [0, 1, 300_000, 2_999_999] {
            let upload = Upload::at(&client.begin_upload("app").expect(202));

            leave(&server, "PATCH", &upload.location, &blob.bytes, sent, how);

            let there = received(&client, &upload);
            assert!(there <= sent, "{how:?} after {sent} bytes: {there}");
            let rest = &blob.bytes[there..];
            let patched = client.patch(&upload, Some(there), rest).expect(202);
            client
                .finish(&Upload::at(&patched), &blob.digest, b"")
                .expect(201);
            assert_eq!(
                client.get_blob("app", &blob.digest).expect(200).body,
                blob.bytes
            );
            client.delete_blob("app", &blob.digest).expect(202);
        }
    }
}

#[test]
fn a_client_that_vanishes_in_its_last_request_leaves_no_blob_and_can_finish_later() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let blob = blob();
    for how in LEAVINGS {
        let upload = Upload::at(&client.begin_upload("app").expect(202));
        let target = upload.target_of(&blob.digest);

        leave(&server, "PUT", &target, &blob.bytes, 2_999_999, how);

        client.head_blob("app", &blob.digest).expect(404);
        let there = received(&client, &upload);
        client
            .finish(&upload, &blob.digest, &blob.bytes[there..])
            .expect(201);
        client.delete_blob("app", &blob.digest).expect(202);
    }
}

#[test]
fn a_client_that_vanishes_in_a_single_post_leaves_nothing_behind() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let blob = blob();
    let target = format!("/v2/app/blobs/uploads/?digest={}", blob.digest);
    for how in LEAVINGS {
        leave(&server, "POST", &target, &blob.bytes, 2_000_000, how);

        let left = || (uploads(server.root(), "app") == 0).then_some(());
        eventually("the upload to go", left);
        client.head_blob("app", &blob.digest).expect(404);
    }
    client.push_blob_by(Way::Post, "app", &blob).expect(201);
}

#[test]
fn a_client_that_does_not_wait_for_its_answer_has_pushed_all_the_same() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let blob = blob();
    let upload = Upload::at(&client.begin_upload("app").expect(202));
    let (target, size) = (upload.target_of(&blob.digest), blob.bytes.len());

    leave(&server, "PUT", &target, &blob.bytes, size, Leaving::Closed);

    let there = || client.head_blob("app", &blob.digest).status();
    eventually("the blob", || (there() == Some(200)).then_some(()));
    client.finish(&upload, &blob.digest, b"").expect(201);
}

/// A server that waits three seconds for a kibibyte.
fn impatient() -> TestServer {
    let uploads = json!({ "window": "3s", "minimum": 1024 });
    Setup::new()
        .config(&json!({ "boxyard": { "uploads": uploads } }))
        .start()
}

/// Sends the head of an upload and then one byte a second, until the server has enough of it.
fn trickle(client: &Client, target: &str, second: Duration) -> (Duration, Response) {
    let mut connection = client.connect().expect("connect");
    let head = format!("PATCH {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
    connection.write(head.as_bytes()).expect("send the head");
    let began = Instant::now();
    let sent = connection.trickle(&[7; 60], second).expect("trickle");
    assert!(sent < 60, "nobody minds");
    let took = began.elapsed();
    (took, connection.read_response().expect("an answer"))
}

#[test]
fn a_client_that_trickles_one_byte_a_second_is_given_up_and_can_go_on() {
    let server = impatient();
    let client = Client::of(&server);
    let upload = Upload::at(&client.begin_upload("app").expect(202));

    let (took, answer) = trickle(&client, &upload.location, Duration::from_secs(1));

    assert_eq!(answer.status, 408, "{answer:?}");
    assert_eq!(answer.error_codes(), ["BLOB_UPLOAD_INVALID"]);
    let bounds = Duration::from_secs(2)..Duration::from_secs(30);
    assert!(bounds.contains(&took), "it took {took:?}");
    let (blob, there) = (blob(), received(&client, &upload));
    assert!(there < 60, "{there} bytes");
    client.cancel(&upload).expect(204);
    client.push_blob("app", &blob).expect(201);
}

#[test]
fn a_hundred_clients_that_trickle_hinder_nobody_else() {
    let server = impatient();
    let client = Client::of(&server);
    let trickling: Vec<Connection> = (0..100).map(|_| begin_to_trickle(&client)).collect();

    let began = Instant::now();
    for seed in 0..20 {
        let image = Image::with_layers(seed, &[200_000, 1000]);
        client.push_image("other", "latest", &image).expect(201);
        client.pull_image("other", "latest");
    }

    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    for mut connection in trickling {
        let answer = connection.read_response().expect("an answer");
        assert_eq!(answer.status, 408, "{answer:?}");
    }
}

fn begin_to_trickle(client: &Client) -> Connection {
    let upload = Upload::at(&client.begin_upload("slow").expect(202));
    let mut connection = client.connect().expect("connect");
    let target = upload.location;
    let head = format!("PATCH {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n7");
    connection.write(head.as_bytes()).expect("send the head");
    connection
}

#[test]
fn more_or_less_than_a_chunk_announces_changes_nothing() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let blob = blob();
    let upload = Upload::at(&client.begin_upload("app").expect(202));
    let first = &blob.bytes[..1_000_000];
    let upload = Upload::at(&client.patch(&upload, Some(0), first).expect(202));
    for length in [0, 1, 1_999_999, 2_000_000] {
        // Without a length of its own, only the range tells how long the chunk is.
        let request = client
            .request("PATCH", &upload.location)
            .header("Content-Range", "1000000-2499999")
            .header("Content-Type", "application/octet-stream");
        let chunk = &blob.bytes[1_000_000..1_000_000 + length];
        let body = Body::Chunked(Box::new(chunk));

        let refused = client.send(request.body(body));

        assert_eq!(refused.expect(400).error_codes(), ["SIZE_INVALID"]);
        assert_eq!(received(&client, &upload), 1_000_000, "{length} bytes");
    }
    let rest = &blob.bytes[1_000_000..];
    let upload = Upload::at(&client.patch(&upload, Some(1_000_000), rest).expect(202));
    client.finish(&upload, &blob.digest, b"").expect(201);
    assert_eq!(
        client.get_blob("app", &blob.digest).expect(200).body,
        blob.bytes
    );
}

#[test]
fn bytes_behind_an_announced_length_are_no_part_of_the_blob() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let blob = blob();
    let upload = Upload::at(&client.begin_upload("app").expect(202));
    let target = upload.target_of(&blob.digest);
    let mut connection = client.connect().expect("connect");
    let length = blob.bytes.len();
    let head = format!("PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");

    connection.write(head.as_bytes()).expect("send the head");
    connection.write(&blob.bytes).expect("send the body");
    // The server may be quicker with closing than this is with sending.
    let _ = connection.write(&blob.bytes[..1000]);

    assert_eq!(connection.read_response().expect("an answer").status, 201);
    let rest = connection.read_to_close().expect("the end");
    let rest = String::from_utf8_lossy(&rest).into_owned();
    assert!(
        rest.is_empty() || rest.starts_with("HTTP/1.1 400"),
        "{rest}"
    );
    assert_eq!(
        client.get_blob("app", &blob.digest).expect(200).body,
        blob.bytes
    );
}

/// A body that gives what it has and then waits until it is told to go on.
struct Stalling {
    first: io::Cursor<Vec<u8>>,
    reached: Option<Sender<()>>,
    go_on: Receiver<()>,
}

impl Read for Stalling {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.first.read(buffer)?;
        if read == 0 {
            drop(self.reached.take());
            // Its sender goes when the test has seen enough.
            let _ = self.go_on.recv();
        }
        Ok(read)
    }
}

#[test]
fn a_newer_request_takes_an_upload_over_from_one_that_stalls() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let blob = blob();
    let upload = Upload::at(&client.begin_upload("app").expect(202));
    let ((reached, stalls), (end, go_on)) = (channel(), channel());
    let stalling = Stalling {
        first: io::Cursor::new(blob.bytes[..1_500_000].to_vec()),
        reached: Some(reached),
        go_on,
    };
    thread::scope(|scope| {
        let older = scope.spawn(|| client.patch_stream(&upload, stalling));
        assert!(stalls.recv().is_err(), "it stalls when its end is dropped");

        let there = received(&client, &upload);
        let rest = &blob.bytes[there..];
        let newer = client.patch(&upload, Some(there), rest).expect(202);
        client
            .finish(&Upload::at(&newer), &blob.digest, b"")
            .expect(201);

        drop(end);
        let older = older.join().expect("the older client does not panic");
        assert_eq!(older.expect(409).error_codes(), ["BLOB_UPLOAD_INVALID"]);
    });
    assert_eq!(
        client.get_blob("app", &blob.digest).expect(200).body,
        blob.bytes
    );
}

#[test]
fn an_upload_that_many_finish_at_once_becomes_its_blob_once() {
    let server = TestServer::start();
    let client = Client::of(&server);
    for seed in 0..10 {
        let bytes = Noise::new(seed).draw(500_000);
        let blob = Blob::new("application/octet-stream", bytes);
        let begun = Upload::at(&client.begin_upload("app").expect(202));
        let upload = Upload::at(&client.patch(&begun, None, &blob.bytes).expect(202));

        let finish = || client.finish(&upload, &blob.digest, b"").status();
        let statuses = thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(finish)).collect();
            let ends = threads.into_iter().map(thread::ScopedJoinHandle::join);
            ends.map(|end| end.expect("no client panics"))
                .collect::<Vec<_>>()
        });

        assert!(statuses.contains(&Some(201)), "{statuses:?}");
        let known = |status: &Option<u16>| matches!(status, Some(201 | 409));
        assert!(statuses.iter().all(known), "{statuses:?}");
        assert_eq!(
            client.get_blob("app", &blob.digest).expect(200).body,
            blob.bytes
        );
        client.finish(&upload, &blob.digest, b"").expect(201);
        client
            .patch(&upload, None, b"more")
            .expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    }
}
