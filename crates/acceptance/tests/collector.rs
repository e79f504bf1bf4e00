//! The real collector of OpenTelemetry takes our traces. Only `./test full` runs this, since the collector takes minutes to build.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

use boxyard_acceptance::{Network, Sandbox, tools};
use boxyard_testkit::{Client, Image, Setup, eventually};
use serde_json::{Value, json};

/// A collector that takes OTLP both ways and writes each batch as a line of JSON.
struct Collector {
    /// What runs it.
    sandbox: Sandbox,
    http: String,
    grpc: String,
}

impl Collector {
    #[track_caller]
    fn start() -> Self {
        let mut sandbox = Sandbox::new(Network::Machine);
        let [http, grpc] = free_addresses();
        let config = json!({
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": http}, "grpc": {"endpoint": grpc}}}},
            "exporters": {"file": {"path": spans(&sandbox), "flush_interval": "50ms"}},
            "service": {
                "telemetry": {"metrics": {"level": "none"}},
                "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["file"]}},
            },
        });
        // JSON is YAML.
        let file = sandbox.home().join("collector.yml");
        fs::write(&file, config.to_string()).expect("write the collector's configuration");
        let program = tools().join("bin/otelcol");
        let collector = sandbox.tool(&program.display().to_string());
        let log = sandbox.log_file("collector");
        let ready =
            || fs::read_to_string(&log).is_ok_and(|said| said.contains("Everything is ready"));
        let words = format!("--config {}", file.display());
        sandbox.start("collector", &collector, &words, ready);
        Self {
            sandbox,
            http,
            grpc,
        }
    }

    /// The spans that it has written so far, each with what its resource is.
    fn spans(&self) -> Vec<(Value, Value)> {
        let written = fs::read_to_string(spans(&self.sandbox)).unwrap_or_default();
        // The last line may be half written.
        let batches = written
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let resources = batches.flat_map(|batch| list(&batch["resourceSpans"]));
        let spans = resources.flat_map(|resource| {
            let scopes = list(&resource["scopeSpans"]).into_iter();
            let spans = scopes.flat_map(|scope| list(&scope["spans"]));
            let of = resource["resource"].clone();
            spans
                .map(move |span| (of.clone(), span))
                .collect::<Vec<_>>()
        });
        spans.collect()
    }

    /// The span of the request with this id.
    #[track_caller]
    fn span_of(&self, id: &str) -> (Value, Value) {
        eventually("the collector to write the span", || {
            let spans = self.spans().into_iter();
            let mut of_request = spans.filter(|(_, span)| {
                attribute(span, "http.request.id") == json!({"stringValue": id})
            });
            of_request.next()
        })
    }
}

fn spans(sandbox: &Sandbox) -> PathBuf {
    sandbox.home().join("spans.json")
}

/// Two addresses at which nobody listens.
fn free_addresses() -> [String; 2] {
    let held = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").expect("find a free port"));
    held.map(|listener| {
        let address = listener.local_addr().expect("a listener has an address");
        address.to_string()
    })
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// The value of an attribute of a span or a resource, as OTLP writes it.
fn attribute(of: &Value, key: &str) -> Value {
    let attributes = list(&of["attributes"]).into_iter();
    let mut named = attributes.filter(|attribute| attribute["key"] == key);
    named
        .next()
        .map_or(Value::Null, |found| found["value"].clone())
}

/// A server that sends spans there at once.
fn traced(endpoint: &str) -> Setup {
    let tracing = json!({"boxyard": {"tracing": {"endpoint": format!("http://{endpoint}")}}});
    Setup::new()
        .config(&tracing)
        .env("OTEL_BSP_SCHEDULE_DELAY", "20")
}

#[test]
fn a_real_collector_takes_the_spans_of_a_push_and_a_pull_over_http() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const PARENT: &str = "b7ad6b7169203331";
    let collector = Collector::start();
    let server = traced(&collector.http).start();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[1_000]);
    let pushed = client.push_image("a/b", "latest", &image).expect(201);

    let pulled = Client::of(&server)
        .with_header("traceparent", &format!("00-{TRACE}-{PARENT}-01"))
        .get("/v2/a/b/manifests/latest")
        .expect(200);

    let (resource, push) = collector.span_of(pushed.required("x-request-id"));
    let (_, pull) = collector.span_of(pulled.required("x-request-id"));
    assert_eq!(
        attribute(&resource, "service.name"),
        json!({"stringValue": "boxyard"})
    );
    assert_eq!(push["name"], "PUT manifest");
    assert_eq!(push["kind"], 2, "the span is a server's: {push}");
    assert_eq!(
        attribute(&push, "http.response.status_code"),
        json!({"intValue": "201"})
    );
    assert_eq!(pull["name"], "GET manifest");
    assert_eq!(
        attribute(&pull, "url.path"),
        json!({"stringValue": "/v2/a/b/manifests/latest"})
    );
    assert_eq!(
        (&pull["traceId"], &pull["parentSpanId"]),
        (&json!(TRACE), &json!(PARENT))
    );
    let (began, ended) = (
        nanoseconds(&pull["startTimeUnixNano"]),
        nanoseconds(&pull["endTimeUnixNano"]),
    );
    assert!(began < ended, "{pull}");
}

#[test]
fn the_port_for_grpc_gets_nothing_and_the_log_says_so() {
    let collector = Collector::start();
    let server = traced(&collector.grpc).start();

    Client::of(&server).get("/v2/").expect(200);

    eventually("the log to say it", || {
        server.log().contains("traces are lost").then_some(())
    });
    assert_eq!(collector.spans(), []);
}

fn nanoseconds(time: &Value) -> u64 {
    let digits = time.as_str().expect("OTLP writes times as texts");
    digits.parse().expect("a time is a number")
}
