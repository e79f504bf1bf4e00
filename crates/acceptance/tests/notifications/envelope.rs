//! Every event is what distribution sends for the same action, field by field.

use std::path::Path;

use boxyard_acceptance::{Heard, Receiver};
use boxyard_testkit::{Blob, Client, Image, Index, Setup, TestServer};
use serde_json::{Value, json};

/// What distribution 3.1.1 is called.
const PEER: &str = "registry-3.1.1";

/// A registry that tells a receiver of its own.
struct Site {
    server: TestServer,
    client: Client,
    receiver: Receiver,
}

impl Site {
    fn start(setup: Setup, references: bool) -> Self {
        let receiver = Receiver::start();
        let endpoint = json!({
            "name": "receiver",
            "url": receiver.url("/events?from=test"),
            "headers": { "Authorization": ["Bearer a-secret"] },
            "timeout": "5s",
        });
        let config = json!({ "notifications": {
            "events": { "includereferences": references },
            "endpoints": [endpoint],
        }});
        let server = setup.config(&config).start();
        let client = Client::of(&server).with_header("User-Agent", "tester/1 <a&b>");
        Self {
            server,
            client,
            receiver,
        }
    }

    fn peer(references: bool) -> Self {
        let config = json!({ "log": { "accesslog": { "disabled": true }, "level": "warn" } });
        let setup = Setup::new()
            .program(program())
            .config(&config)
            .env("OTEL_TRACES_EXPORTER", "none");
        Self::start(setup, references)
    }

    fn ours(references: bool) -> Self {
        Self::start(Setup::new(), references)
    }

    /// The next requests, without what differs from run to run.
    fn told(&self, count: usize) -> Vec<String> {
        let heard = self.receiver.take(count);
        heard.iter().map(|heard| self.neutral(heard)).collect()
    }

    fn neutral(&self, heard: &Heard) -> String {
        let event = heard.event();
        let address = self.server.address();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (id, instance) = (text(&event["id"]), text(&event["source"]["instanceID"]));
        for uuid in [&id, &instance] {
            assert_eq!(
                uuid.split('-').map(str::len).collect::<Vec<_>>(),
                [8, 4, 4, 4, 12]
            );
        }
        let (time, request) = (text(&event["timestamp"]), &event["request"]);
        assert!(time.starts_with("20") && time.contains('T'), "{time}");
        let source = text(&event["source"]["addr"]);
        assert!(
            source.ends_with(&format!(":{}", address.port())),
            "{source}"
        );
        let (request_id, peer) = (text(&request["id"]), text(&request["addr"]));
        assert!(
            !request_id.is_empty() && peer.starts_with("127.0.0.1:"),
            "{request}"
        );
        let secrets = ["content-type", "authorization"].map(|name| heard.header(name));
        let body = heard
            .body
            .replace(&id, "ID")
            .replace(&instance, "INSTANCE")
            .replace(&time, "TIME")
            .replace(&source, "SOURCE")
            .replace(&request_id, "REQUEST")
            .replace(&peer, "PEER")
            .replace(&address.to_string(), "HOST");
        format!("{} {secrets:?}\n{body}", heard.line)
    }
}

fn program() -> std::path::PathBuf {
    let tools = std::env::var_os("BOXYARD_TOOLS").map(std::path::PathBuf::from);
    let home =
        || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache/boxyard/tools"));
    let tools = tools.or_else(home).expect("the environment has a HOME");
    tools.join("bin").join(PEER)
}

/// An action, and of how many events it is told.
type Action = (&'static str, usize, fn(&Client));

fn image() -> Image {
    Image::with_layers(1, &[1_000, 40_000])
}

fn alone() -> Blob {
    Blob::new("application/octet-stream", &b"alone"[..])
}

fn manifest_of_docker() -> Blob {
    image().to_docker().manifest
}

/// Every action there is.
const ACTIONS: &[Action] = &[
    ("push blobs and a manifest by tag", 4, |client| {
        client.push_image("team/app", "v1", &image()).expect(201);
    }),
    ("push the manifest again by another tag", 1, |client| {
        let manifest = image().manifest;
        client.put_manifest("team/app", "v2", &manifest).expect(201);
    }),
    ("push a manifest by its digest", 1, |client| {
        let manifest = manifest_of_docker();
        client
            .put_manifest("team/app", &manifest.digest, &manifest)
            .expect(201);
    }),
    ("push a blob again", 1, |client| {
        client.push_blob("team/app", &image().layers[0]).expect(201);
    }),
    ("mount a blob", 1, |client| {
        let layer = &image().layers[0];
        client
            .mount("other", &layer.digest, Some("team/app"))
            .expect(201);
    }),
    ("mount what is not there", 0, |client| {
        client
            .mount("other", &alone().digest, Some("team/app"))
            .expect(202);
    }),
    ("push an index with its images", 7, |client| {
        let index = Index::with_platforms(3, &["amd64", "arm64"]);
        client.push_index("multi", "latest", &index).expect(201);
    }),
    ("pull a manifest by tag", 1, |client| {
        client.get_manifest("team/app", "v1").expect(200);
    }),
    ("pull a manifest by digest", 1, |client| {
        let manifest = image().manifest;
        client
            .get_manifest("team/app", &manifest.digest)
            .expect(200);
    }),
    ("look at a manifest", 1, |client| {
        client.head_manifest("team/app", "v1").expect(200);
    }),
    ("ask for a manifest that is known", 0, |client| {
        let manifest = image().manifest;
        let target = format!("/v2/team/app/manifests/{}", manifest.digest);
        let request = client
            .request("GET", &target)
            .header("If-None-Match", &format!("\"{}\"", manifest.digest));
        client.send(request).expect(304);
    }),
    ("pull a blob", 1, |client| {
        client
            .get_blob("team/app", &image().layers[1].digest)
            .expect(200);
    }),
    ("look at a blob", 1, |client| {
        client
            .head_blob("team/app", &image().layers[1].digest)
            .expect(200);
    }),
    ("pull a part of a blob", 1, |client| {
        client
            .get_range("team/app", &image().layers[1].digest, "bytes=5-9")
            .expect(206);
    }),
    ("pull what is not there", 0, |client| {
        client.get_blob("team/app", &alone().digest).expect(404);
        client.get_manifest("team/app", "none").expect(404);
    }),
    ("list", 0, |client| {
        client.tags("team/app");
        client.catalog();
    }),
    ("delete a tag", 1, |client| {
        client.delete_tag("team/app", "v2").expect(202);
    }),
    ("delete a manifest with its tag", 2, |client| {
        let manifest = image().manifest;
        client
            .delete_manifest("team/app", &manifest.digest)
            .expect(202);
    }),
    ("delete a blob", 1, |client| {
        client
            .delete_blob("other", &image().layers[0].digest)
            .expect(202);
    }),
    ("delete what is not there", 0, |client| {
        client.delete_blob("other", &alone().digest).expect(404);
    }),
    ("push a blob at the end", 1, |client| {
        client.push_blob("end", &alone()).expect(201);
    }),
];

fn compare(references: bool) {
    let (theirs, ours) = (Site::peer(references), Site::ours(references));

    for (name, count, act) in ACTIONS {
        act(&theirs.client);
        act(&ours.client);

        assert_eq!(ours.told(*count), theirs.told(*count), "{name}");
    }

    assert!(theirs.receiver.heard().is_empty());
    assert!(ours.receiver.heard().is_empty());
    assert!(!ours.server.log().contains("a-secret"));
}

#[test]
fn every_event_is_what_distribution_sends_for_the_same_action() {
    compare(false);
}

#[test]
fn every_event_with_references_is_what_distribution_sends_for_the_same_action() {
    compare(true);
}

/// A receiver has no use for a URL that leads nowhere, so there is one also where distribution's would be relative.
#[test]
fn the_urls_of_targets_are_absolute_and_begin_with_the_configured_host() {
    let host = json!({ "http": { "host": "https://registry.example.com/", "relativeurls": true } });
    let site = Site::start(Setup::new().config(&host), false);

    site.client.push_blob("app", &alone()).expect(201);

    let event = site.receiver.take(1)[0].event();
    let url = format!(
        "https://registry.example.com/v2/app/blobs/{}",
        alone().digest
    );
    assert_eq!(event["target"]["url"], url);
}
