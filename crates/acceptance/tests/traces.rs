//! Traces of requests, as a collector of OpenTelemetry gets them, and what a broken collector does to requests.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use boxyard_testkit::{Client, Setup, TestServer, eventually};
use serde_json::json;

/// How soon ended spans are sent, in milliseconds.
const DELAY: &str = "OTEL_BSP_SCHEDULE_DELAY";
/// Something that no test waits for, in milliseconds.
const NEVER: &str = "3600000";
const BASE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// A collector that keeps what it is sent.
struct Collector {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the test's own step works");
        let address = listener.local_addr().expect("the test's own step works");
        let requests = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let kept = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if let Ok(request) = stream.and_then(take) {
                    kept.lock()
                        .expect("the test's own step works")
                        .push(request);
                }
            }
        });
        Self { address, requests }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn requests(&self) -> Vec<Vec<u8>> {
        self.requests
            .lock()
            .expect("the test's own step works")
            .clone()
    }

    /// The first request that has these bytes.
    fn request_with(&self, bytes: &[u8]) -> Vec<u8> {
        eventually("the spans", || {
            let requests = self.requests();
            requests.into_iter().find(|request| has(request, bytes))
        })
    }
}

/// Takes one request, head and body, and answers it.
fn take(mut stream: TcpStream) -> io::Result<Vec<u8>> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        if reader.read_line(&mut request)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let head = request.to_lowercase();
    let length = head
        .split("content-length: ")
        .nth(1)
        .and_then(|rest| rest.lines().next()?.parse().ok())
        .ok_or(io::ErrorKind::InvalidData)?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    let mut request = request.into_bytes();
    request.append(&mut body);
    Ok(request)
}

fn has(request: &[u8], bytes: &[u8]) -> bool {
    request.windows(bytes.len()).any(|window| window == bytes)
}

/// A server that is configured to send its spans there.
fn traced(url: &str) -> Setup {
    Setup::new().config(&json!({"boxyard": {"tracing": {"endpoint": url}}}))
}

/// The names of the threads of its process.
fn threads(server: &TestServer) -> Vec<String> {
    let tasks =
        fs::read_dir(format!("/proc/{}/task", server.pid())).expect("the test's own step works");
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect()
}

#[test]
fn the_configured_collector_gets_a_span_of_each_request_without_its_secrets() {
    let collector = Collector::start();
    let server = traced(&collector.url()).env(DELAY, "20").start();
    let client = Client::of(&server).with_header("Authorization", "Basic cGFzc3dvcmQ6cGFzcw==");

    let answer = client.get("/v2/a/tags/list?token=hidden").expect(404);

    let id = answer.required("x-request-id");
    let request = collector.request_with(id.as_bytes());
    for expected in [
        "POST /v1/traces HTTP/1.1",
        "application/x-protobuf",
        "GET tags",
        "http.request.method",
        "url.path",
        "/v2/a/tags/list",
        "http.response.status_code",
        "client.address",
        "127.0.0.1",
        "service.name",
        "boxyard",
    ] {
        assert!(has(&request, expected.as_bytes()), "{expected}");
    }
    for secret in ["hidden", "cGFzc3dvcmQ6cGFzcw", "Authorization"] {
        assert!(!has(&request, secret.as_bytes()), "{secret}");
    }
    assert!(!server.log().contains("otel."), "{}", server.log());
}

#[test]
fn the_variables_of_opentelemetry_configure_traces() {
    let collector = Collector::start();
    let server = Setup::new()
        .env(BASE, &collector.url())
        .env("OTEL_SERVICE_NAME", "registry-of-us")
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=seven")
        .env(DELAY, "20")
        .start();

    Client::of(&server).get("/v2/_catalog").expect(200);

    let request = collector.request_with(b"GET catalog");
    assert!(has(&request, b"registry-of-us"));
    assert!(has(&request, b"x-tenant: seven"));
}

#[test]
fn nothing_is_sent_unless_it_is_configured() {
    let collector = Collector::start();
    let mut silenced = traced(&collector.url())
        .env("OTEL_TRACES_EXPORTER", "none")
        .start();
    let usual = TestServer::start();
    let on = traced(&collector.url()).env(DELAY, NEVER).start();

    Client::of(&silenced).get("/v2/_catalog").expect(200);
    Client::of(&usual).get("/v2/_catalog").expect(200);

    let sends = |server| threads(server).contains(&"traces".to_owned());
    assert!(sends(&on), "{:?}", threads(&on));
    assert!(!sends(&usual), "{:?}", threads(&usual));
    assert!(!sends(&silenced), "{:?}", threads(&silenced));
    silenced.stop();
    assert!(collector.requests().is_empty());
}

#[test]
fn the_trace_of_the_client_is_continued() {
    const TRACE: [u8; 16] = *b"\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c";
    const PARENT: [u8; 8] = *b"\xb7\xad\x6b\x71\x69\x20\x33\x31";
    let collector = Collector::start();
    let mut server = traced(&collector.url()).env(DELAY, NEVER).start();
    let parent = |flags| format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");

    Client::of(&server)
        .with_header("traceparent", &parent("01"))
        .get("/v2/_catalog")
        .expect(200);
    Client::of(&server)
        .with_header("traceparent", &parent("00"))
        .get("/v2/not/traced/tags/list")
        .expect(404);
    server.stop();

    let request = collector.request_with(&TRACE);
    assert!(has(&request, &PARENT));
    assert!(!has(&request, b"/v2/not/traced"));
}

#[test]
fn the_spans_of_the_last_requests_are_sent_at_the_stop() {
    let collector = Collector::start();
    let mut server = traced(&collector.url()).env(DELAY, NEVER).start();

    Client::of(&server).get("/v2/_catalog").expect(200);
    assert!(collector.requests().is_empty());
    server.stop();

    assert!(has(&collector.request_with(b"GET catalog"), b"url.path"));
}

#[test]
fn a_collector_that_is_dead_or_hangs_slows_no_request() {
    // The kernel takes its connections, and nobody ever reads from them.
    let hung = TcpListener::bind("127.0.0.1:0").expect("the test's own step works");
    let dead = TcpListener::bind("127.0.0.1:0").expect("the test's own step works");
    let dead_address = dead.local_addr().expect("the test's own step works");
    drop(dead);
    for address in [
        hung.local_addr().expect("the test's own step works"),
        dead_address,
    ] {
        let mut server = traced(&format!("http://{address}"))
            .env(DELAY, "1")
            .env("OTEL_BSP_MAX_QUEUE_SIZE", "2")
            .env("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
            .start();
        let client = Client::of(&server);

        let began = Instant::now();
        for _ in 0..100 {
            client.get("/v2/").expect(200);
        }
        let took = began.elapsed();
        // One wait for the collector would take longer than this.
        assert!(took < Duration::from_secs(8), "{took:?}");

        let began = Instant::now();
        server.stop();
        let took = began.elapsed();
        assert!(took < Duration::from_secs(9), "{took:?}");
        assert!(server.log().contains("traces"), "{}", server.log());
    }
}
