//! Where the registry listens, how it is seen from outside, and how it stops.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use boxyard_acceptance::{Authority, Boxyard, Tool};
use boxyard_testkit::http::{Connection, Request, Response};
use boxyard_testkit::{Blob, Client, Image, Noise, Setup, TestServer, Upload, eventually, sha256};
use serde_json::{Value, json};
use tempfile::TempDir;

fn with(http: &Value) -> Setup {
    Setup::new().config(&json!({ "http": http }))
}

/// Asks through a socket at a path; the status.
fn asked_at(path: &Path, target: &str) -> String {
    let folder = path.parent().expect("it lies in a folder");
    let socket = format!("--unix-socket {}", path.display());
    let curl = Tool::new(folder, &format!("curl -sS -o /dev/null {socket}"));
    curl.run(format!("-w %{{http_code}} http://registry{target}"))
}

#[test]
fn a_socket_at_a_path_is_listened_on() {
    let folder = TempDir::new().expect("make a folder");
    let path = folder.path().join("registry.sock");
    let config = json!({
        "http": { "net": "unix", "addr": path },
        "boxyard": { "socketmode": "0660" },
    });
    let mut server = Setup::new().config(&config).start();

    assert_eq!(asked_at(&path, "/v2/"), "200");
    Boxyard::of(&server).succeed(&["healthcheck"]);
    let mode = fs::metadata(&path).expect("it is there").permissions();
    assert_eq!(mode.mode() & 0o777, 0o660);

    server.stop();
    assert!(!path.exists());
    Boxyard::of(&server).run(&["healthcheck"]).fails();
    server.start_again();
    server.kill();
    assert!(path.exists(), "nobody was there to remove it");
    server.start_again();
    assert_eq!(asked_at(&path, "/v2/"), "200");
}

#[test]
fn a_path_that_somebody_else_uses_is_left_alone() {
    let folder = TempDir::new().expect("make a folder");
    let (socket, file) = (folder.path().join("socket"), folder.path().join("file"));
    let _listener = UnixListener::bind(&socket).expect("listen");
    fs::write(&file, "precious").expect("write");

    let refusal = |path: &Path| with(&json!({ "net": "unix", "addr": path })).refuse().log;

    let taken = refusal(&socket);
    assert!(taken.contains("somebody listens on"), "{taken}");
    let precious = refusal(&file);
    assert!(precious.contains("is there and no socket"), "{precious}");
    assert_eq!(fs::read(&file).expect("it is there"), b"precious");
}

#[test]
fn a_socket_that_a_service_manager_has_opened_counts_more_than_the_configuration() {
    // Nobody could listen there.
    let nowhere = json!({ "addr": "192.0.2.1:1" });
    let mut server = with(&nowhere)
        .under("systemd-socket-activate -l ADDRESS")
        .start();

    Client::of(&server)
        .push_image("a", "latest", &Image::with_layers(1, &[100]))
        .expect(201);
    assert!(server.log().contains("the service manager has opened"));
    server.stop();
}

#[test]
fn a_path_that_a_service_manager_has_opened_stays_its_own() {
    let folder = TempDir::new().expect("make a folder");
    let path = folder.path().join("registry.sock");
    let mut server = with(&json!({ "net": "unix", "addr": path }))
        .under(&format!("systemd-socket-activate -l {}", path.display()))
        .start();

    assert_eq!(asked_at(&path, "/v2/"), "200");
    server.stop();
    assert!(path.exists());
}

#[test]
fn several_sockets_of_a_service_manager_are_refused() {
    let folder = TempDir::new().expect("make a folder");
    let path = folder.path().join("registry.sock");
    let launcher = format!("systemd-socket-activate -l {} -l ADDRESS", path.display());
    let setup = with(&json!({ "net": "unix", "addr": path })).under(&launcher);

    // It is run when somebody connects.
    let waking = path.clone();
    let waker = std::thread::spawn(move || {
        eventually("the socket", || {
            std::os::unix::net::UnixStream::connect(&waking).ok()
        })
    });
    let refusal = setup.refuse();

    assert!(
        refusal.log.contains("has opened 2 sockets"),
        "{}",
        refusal.log
    );
    drop(waker.join());
}

#[test]
fn a_service_manager_is_told_when_it_serves_and_when_it_stops() {
    let folder = TempDir::new().expect("make a folder");
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("listen");
    let patience = Some(Duration::from_mins(1));
    manager.set_read_timeout(patience).expect("set a limit");
    let hear = || {
        let mut heard = [0; 64];
        let length = manager.recv(&mut heard).expect("hear something");
        String::from_utf8_lossy(&heard[..length]).into_owned()
    };

    let mut server = Setup::new()
        .env("NOTIFY_SOCKET", &path.display().to_string())
        .start();
    assert_eq!(hear(), "READY=1");
    server.stop();
    assert_eq!(hear(), "STOPPING=1");
}

#[test]
fn all_paths_have_the_prefix() {
    let image = Image::with_layers(1, &[1_000]);
    for prefix in ["/registry/", "registry", "/registry"] {
        let server = with(&json!({ "prefix": prefix })).start();
        let client = Client::of(&server);

        client.get("/registry/v2/").expect(200);
        client.get("/v2/").expect(404);
        client.get("/registryx/v2/").expect(404);
        // Load balancers look there, whatever the prefix is.
        client.get("/").expect(200);
        Boxyard::of(&server).succeed(&["healthcheck"]);
        let begun = client
            .send(client.request("POST", "/registry/v2/a/b/blobs/uploads/"))
            .expect(202);
        let upload = Upload::at(&begun);
        assert!(
            upload
                .location
                .starts_with("/registry/v2/a/b/blobs/uploads/"),
            "{}",
            upload.location
        );
        let layer = &image.layers[0];
        let stored = client
            .finish(&upload, &layer.digest, &layer.bytes)
            .expect(201);
        let blob = stored.required("location");
        assert_eq!(blob, format!("/registry/v2/a/b/blobs/{}", layer.digest));
        client.get(blob).expect(200);
    }
}

#[test]
fn a_prefix_beside_a_host_is_the_hosts_own_matter() {
    let http = json!({ "prefix": "/registry/", "host": "https://r.example/registry/" });
    let server = with(&http).start();
    let client = Client::of(&server);

    let begun = client
        .send(client.request("POST", "/registry/v2/a/blobs/uploads/"))
        .expect(202);

    let location = begun.required("location");
    assert!(
        location.starts_with("https://r.example/registry/v2/a/blobs/uploads/"),
        "{location}"
    );
}

/// What a proxy would add.
const FORWARDED: [(&str, &str); 3] = [
    ("X-Forwarded-For", "198.51.100.9, 192.0.2.7"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "evil.example"),
];

fn forwarded(server: &TestServer) -> Response {
    let client = Client::of(server);
    let request = client.request("POST", "/v2/a/blobs/uploads/");
    let request = FORWARDED.iter().fold(request, |request, (name, value)| {
        request.header(name, value)
    });
    client.send(request).expect(202)
}

#[test]
fn forwarded_headers_count_from_trusted_networks_alone() {
    let trusting = Setup::new()
        .config(&json!({ "boxyard": { "trustedproxies": ["127.0.0.0/8"] } }))
        .start();
    let usual = TestServer::start();

    for server in [&trusting, &usual] {
        // Whoever is believed: a client reaches what it reached already.
        let location = forwarded(server).required("location").to_owned();
        assert!(location.starts_with("/v2/a/blobs/uploads/"), "{location}");
    }

    let line = |server: &TestServer| {
        eventually("the line of the request", || {
            let log = server.log();
            let line = log.lines().find(|line| line.contains("\"POST /v2/a/blobs"));
            line.map(str::to_owned)
        })
    };
    assert!(
        line(&trusting).starts_with("192.0.2.7 - - ["),
        "{}",
        line(&trusting)
    );
    assert!(
        line(&usual).starts_with("127.0.0.1 - - ["),
        "{}",
        line(&usual)
    );
}

/// An upload of which half was sent.
fn half(server: &TestServer, connection: &mut Connection) -> Upload {
    let upload = Upload::at(&Client::of(server).begin_upload("a").expect(202));
    let head = format!(
        "PATCH {} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello",
        upload.location
    );
    connection.write(head.as_bytes()).expect("write");
    upload
}

#[test]
fn a_stop_lets_transfers_end_and_closes_what_rests() {
    let mut server = with(&json!({ "draintimeout": "1m" })).start();
    let address = server.address();
    let mut resting = Connection::open(address).expect("connect");
    resting
        .send(&mut Request::new("GET", "/v2/").header("Host", "x"))
        .expect("an answer");
    let mut transfer = Connection::open(address).expect("connect");
    half(&server, &mut transfer);

    server.tell_to_stop();
    assert!(resting.read_to_close().expect("it closes").is_empty());
    eventually("new connections to be refused", || {
        Connection::open(address).err()
    });
    transfer.write(b"world").expect("write");
    let answer = transfer.read_response().expect("an answer");

    assert_eq!(answer.status, 202);
    assert_eq!(answer.required("range"), "0-9");
    server.wait_for_stop();
    assert!(!server.log().contains("were cut off"));
}

#[test]
fn a_stop_serves_who_has_just_connected_and_not_who_connects_later() {
    let mut server = with(&json!({ "draintimeout": "1m" })).start();
    let mut fresh = Connection::open(server.address()).expect("connect");
    // It is accepted before the one that is served after it.
    Client::of(&server).get("/v2/").expect(200);

    server.tell_to_stop();
    eventually("new connections to be refused", || {
        Connection::open(server.address()).err()
    });
    let answer = fresh
        .send(&mut Request::new("GET", "/v2/").header("Host", "x"))
        .expect("an answer");

    assert_eq!(answer.status, 200);
    assert!(fresh.read_to_close().expect("it closes").is_empty());
    server.wait_for_stop();
}

#[test]
fn a_stop_lets_a_long_pull_end() {
    let mut server = with(&json!({ "draintimeout": "1m" })).start();
    let blob = Blob::new("application/octet-stream", Noise::new(1).draw(32 << 20));
    Client::of(&server).push_blob("a", &blob).expect(201);
    let mut pull = Connection::open(server.address()).expect("connect");
    let head = format!(
        "GET /v2/a/blobs/{} HTTP/1.1\r\nHost: x\r\n\r\n",
        blob.digest
    );
    pull.write(head.as_bytes()).expect("write");
    // More than fits anywhere between the two is still to come.
    let begun = pull.read_some(1_000).expect("a beginning");

    server.tell_to_stop();
    eventually("new connections to be refused", || {
        Connection::open(server.address()).err()
    });
    let rest = pull.read_to_close().expect("the rest");

    let answer = [begun, rest].concat();
    assert!(answer.ends_with(&blob.bytes), "{}", answer.len());
    server.wait_for_stop();
    assert!(!server.log().contains("were cut off"));
}

#[test]
fn a_second_signal_ends_a_stop_at_once() {
    let mut server = with(&json!({ "draintimeout": "10m" })).start();
    let mut transfer = Connection::open(server.address()).expect("connect");
    let upload = half(&server, &mut transfer);
    server.tell_to_stop();
    eventually("new connections to be refused", || {
        Connection::open(server.address()).err()
    });

    server.tell_to_stop();

    transfer.read_to_close().expect("it closes");
    eventually("the last word", || {
        let log = server.log();
        log.contains("told to stop twice").then_some(())
    });
    server.kill();
    server.start_again();
    let state = Client::of(&server).get(&upload.location).expect(204);
    assert!(state.required("range").starts_with("0-"), "{state:?}");
}

#[test]
fn a_stop_cuts_off_what_takes_longer_than_the_configuration_allows() {
    let mut server = with(&json!({ "draintimeout": "300ms" })).start();
    let mut transfers = [(); 3].map(|()| {
        let mut transfer = Connection::open(server.address()).expect("connect");
        half(&server, &mut transfer);
        transfer
    });

    server.stop();

    for transfer in &mut transfers {
        transfer.read_to_close().expect("it closes");
    }
    let log = server.log();
    let line = log.lines().find(|line| line.contains("were cut off"));
    assert!(
        line.is_some_and(|line| line.contains("connections=3")),
        "{log}"
    );
}

#[test]
fn a_stop_lets_encrypted_transfers_end() {
    let folder = TempDir::new().expect("make a folder");
    let authority = Authority::new(folder.path(), "ca");
    let pair = authority.server("server");
    let http = json!({ "draintimeout": "1m", "tls": pair.tls() });
    let content = vec![b'x'; 4 << 20];
    let file = folder.path().join("content");
    fs::write(&file, &content).expect("write");

    for version in ["--http1.1", "--http2"] {
        let mut server = with(&http).start();
        let url = format!(
            "https://{}/v2/a/blobs/uploads/?digest={}",
            server.address(),
            sha256(&content)
        );
        let curl = Command::new("curl")
            .args(["-sS", version, "--limit-rate", "2M", "--data-binary"])
            .arg(format!("@{}", file.display()))
            .args(["-w", "%{http_code}", &url, "--cacert"])
            .arg(&authority.certificate)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("run curl");
        let uploads = server
            .root()
            .join("docker/registry/v2/repositories/a/_uploads");
        eventually("the upload to begin", || {
            fs::read_dir(&uploads).ok()?.next()?.ok()
        });

        server.stop();

        let said = curl.wait_with_output().expect("wait for curl");
        assert_eq!(String::from_utf8_lossy(&said.stdout), "201", "{version}");
    }
}
