//! Connections that are too many, too slow to begin with, or broken before they are encrypted: others do not notice.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use boxyard_acceptance::{Authority, Tool};
use boxyard_testkit::http::{Connection, Request};
use boxyard_testkit::{Client, Noise, Setup, TestServer, Upload, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How soon whoever behaves is served, whatever others do.
const SOON: &str = "5";

/// A server with bounds on its connections, encrypted.
struct Bounded {
    server: TestServer,
    folder: TempDir,
    authority: Authority,
}

impl Bounded {
    fn start(connections: &Value) -> Self {
        let folder = TempDir::new().expect("make a folder");
        let authority = Authority::new(folder.path(), "ca");
        let tls = authority.server("server").tls();
        let config = json!({
            "http": { "tls": tls },
            "boxyard": { "connections": connections },
        });
        Self {
            server: Setup::new().config(&config).start(),
            folder,
            authority,
        }
    }

    /// Somebody at another address of this machine is served soon.
    #[track_caller]
    fn serves_others(&self) {
        let ca = self.authority.certificate.display();
        let curl = Tool::new(
            self.folder.path(),
            &format!("curl -sS --interface 127.0.0.2 --max-time {SOON} --cacert {ca}"),
        );
        curl.run(format!("https://{}/v2/", self.server.address()));
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.address()).expect("connect");
        let patience = Some(Duration::from_mins(1));
        stream.set_read_timeout(patience).expect("set a limit");
        stream
    }
}

/// The beginning of what a client of TLS says.
const BEGINNING: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

#[test]
fn handshakes_that_take_too_long_are_given_up() {
    let bounded = Bounded::start(&json!({}));
    let began = Instant::now();
    let mut slow = [bounded.connect(), bounded.connect()];
    slow[0].write_all(BEGINNING).expect("write");

    bounded.serves_others();
    for stream in &mut slow {
        let mut rest = Vec::new();
        let _ended = stream.read_to_end(&mut rest);
        assert!(rest.is_empty(), "{rest:?}");
    }

    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn heads_that_come_too_slowly_are_given_up() {
    let config = json!({ "boxyard": { "connections": { "idletimeout": "2s" } } });
    let server = Setup::new().config(&config).start();
    let head =
        b"GET /v2/ HTTP/1.1\r\nHost: a.name.that.takes.more.than.a.minute.to.be.said.in.whole";

    let began = Instant::now();
    let slow = Connection::open(server.address()).expect("connect");
    let mut after_another = Connection::open(server.address()).expect("connect");
    let request = Request::new("GET", "/v2/");
    after_another
        .send(&mut request.header("Host", "x"))
        .expect("an answer");
    std::thread::scope(|scope| {
        for mut connection in [slow, after_another] {
            scope.spawn(move || {
                // It is closed before all is said.
                let _said = connection.trickle(head, Duration::from_millis(500));
                assert!(connection.read_to_close().unwrap_or_default().is_empty());
            });
        }
        for _ in 0..20 {
            Client::of(&server).get("/v2/").expect(200);
        }
    });

    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn noise_instead_of_handshakes_disturbs_nobody() {
    let bounded = Bounded::start(&json!({}));
    let mut noise = Noise::new(1);

    for length in [1, 5, 100, 16_384, 100_000] {
        for beginning in [&b""[..], BEGINNING, b"\x16\x03\x01\xff\xff"] {
            let mut stream = bounded.connect();
            let bytes = [beginning, &noise.draw(length)].concat();
            // It may be closed before all is sent.
            let _sent = stream.write_all(&bytes);
            let _ended = stream.shutdown(std::net::Shutdown::Write);
            let _read = stream.read_to_end(&mut Vec::new());
        }
    }

    bounded.serves_others();
}

#[test]
fn connections_that_do_nothing_make_room_for_others() {
    let bounded = Bounded::start(&json!({ "limit": 16, "peraddress": 1_000 }));
    let mut idle: Vec<_> = (0..64).map(|_| bounded.connect()).collect();

    for _ in 0..20 {
        bounded.serves_others();
    }

    let closed = idle
        .iter_mut()
        .map(|stream| {
            stream.set_nonblocking(true).expect("do not wait");
            usize::from(matches!(stream.read(&mut [0]), Ok(0)))
        })
        .sum::<usize>();
    assert!(closed >= 48, "{closed} were closed");
}

#[test]
fn one_address_cannot_take_all_connections() {
    let connections = json!({ "limit": 8, "peraddress": 4 });
    let config = json!({ "boxyard": { "connections": connections } });
    let server = Setup::new().config(&config).start();
    let uploads: Vec<_> = (0..4)
        .map(|_| Upload::at(&Client::of(&server).begin_upload("a").expect(202)))
        .collect();
    let busy = uploads.iter().map(|upload| {
        let mut connection = Connection::open(server.address()).expect("connect");
        let head = format!(
            "PATCH {} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n",
            upload.location
        );
        connection.write(head.as_bytes()).expect("write");
        // The server has begun with it.
        let asked = b"HTTP/1.1 100 Continue\r\n\r\n";
        assert_eq!(connection.read_some(asked.len()).expect("an answer"), asked);
        connection
    });
    let mut busy: Vec<_> = busy.collect();

    eventually("a connection to be refused", || {
        let request = Request::new("GET", "/v2/");
        let mut connection = Connection::open(server.address()).ok()?;
        connection.send(&mut request.header("Host", "x")).err()
    });
    let folder = TempDir::new().expect("make a folder");
    let curl = Tool::new(
        folder.path(),
        &format!("curl -sS --interface 127.0.0.2 --max-time {SOON}"),
    );
    curl.run(format!("http://{}/v2/", server.address()));

    for connection in &mut busy {
        connection.write(b"helloworld").expect("write");
        assert_eq!(connection.read_response().expect("an answer").status, 202);
    }
}
