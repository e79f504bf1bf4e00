//! What Prometheus reads.

#[path = "metrics/scrape.rs"]
mod scrape;

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use boxyard_acceptance::checkout;
use boxyard_testkit::http::Request;
use boxyard_testkit::{Client, Image, Setup, TestServer, eventually};
use scrape::Scrape;
use serde_json::json;

/// The metrics of distribution that this registry has no equivalent of, with the reason.
const NOT_HERE: [&str; 0] = [];

/// One of everything that distribution counts.
fn use_everything(server: &TestServer) {
    let client = Client::of(server);
    let image = Image::with_layers(1, &[100]);
    client.check().expect(200);
    client
        .push_image("library/one", "latest", &image)
        .expect(201);
    client.pull_image("library/one", "latest");
    client.get("/v2/_catalog").expect(200);
    client.get("/v2/library/one/tags/list").expect(200);
    client.get("/v2/library/none/tags/list").expect(404);
}

#[test]
fn promtool_finds_nothing_wrong_with_a_scrape() {
    let server = Setup::new().debug().start();
    use_everything(&server);
    let scraped = Scrape::of(server.debug_address());

    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("run promtool, which `scripts/tools apt` installs");
    let mut stdin = promtool.stdin.take().unwrap();
    stdin.write_all(scraped.text().as_bytes()).unwrap();
    drop(stdin);
    let judged = promtool.wait_with_output().unwrap();

    let complaints = String::from_utf8_lossy(&judged.stderr);
    assert!(judged.status.success(), "{complaints}{}", scraped.text());
    assert_eq!(complaints, "");
}

#[test]
fn metrics_have_the_names_labels_and_bounds_that_distribution_has() {
    let theirs = Setup::new().debug().program("registry-3.1.1");
    let theirs = theirs.env("OTEL_TRACES_EXPORTER", "none").start();
    let ours = Setup::new().debug().start();
    for server in [&theirs, &ours] {
        use_everything(server);
    }

    let theirs = Scrape::of(theirs.debug_address()).shapes("registry_http_");
    let ours = Scrape::of(ours.debug_address()).shapes("registry_http_");

    assert!(theirs.len() >= 5, "{theirs:?}");
    for (name, shape) in &theirs {
        if !NOT_HERE.contains(&name.as_str()) {
            assert_eq!(ours.get(name), Some(shape), "{name}");
        }
    }
}

#[test]
fn every_request_is_counted_by_its_kind_and_never_by_its_repository() {
    let server = Setup::new().debug().start();
    use_everything(&server);
    let client = Client::of(&server);
    for path in [
        "/secret-name",
        "/v2/secret-name/x",
        "/v2/secret-name/tags/list",
    ] {
        client.get(path).expect(404);
    }
    let odd = Request::new("ODD", "/v2/").header("Host", "x");
    client.send(odd).expect(405);

    let counted = |series: &str| {
        eventually("the request to be counted", || {
            Scrape::of(server.debug_address()).value(series)
        })
    };

    let requests = "registry_http_requests_total";
    assert!(
        counted(&format!(
            "{requests}{{code=\"201\",handler=\"manifest\",method=\"put\"}}"
        )) >= 1.0
    );
    assert!(
        counted(&format!(
            "{requests}{{code=\"404\",handler=\"tags\",method=\"get\"}}"
        )) >= 2.0
    );
    assert!(
        counted(&format!(
            "{requests}{{code=\"404\",handler=\"other\",method=\"get\"}}"
        )) >= 2.0
    );
    assert!(
        counted(&format!(
            "{requests}{{code=\"405\",handler=\"base\",method=\"unknown\"}}"
        )) >= 1.0
    );
    let scraped = Scrape::of(server.debug_address());
    assert!(!scraped.text().contains("secret"), "{}", scraped.text());
    assert!(!scraped.text().contains("library"), "{}", scraped.text());
}

#[test]
fn sizes_are_those_of_the_bodies() {
    const SIZE: u32 = 300_000;
    let server = Setup::new().debug().start();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[SIZE as usize]);
    client.push_image("a", "latest", &image).expect(201);
    client.pull_image("a", "latest");

    let sum = |of: &str, handler: &str| {
        let series = format!("registry_http_{of}_size_bytes_sum{{handler=\"{handler}\"}}");
        let enough = |sum: &f64| *sum >= f64::from(SIZE);
        eventually("the bytes to be counted", || {
            Scrape::of(server.debug_address())
                .value(&series)
                .filter(enough)
        })
    };

    assert!(sum("request", "blob_upload_chunk") < 2.0 * f64::from(SIZE));
    assert!(sum("response", "blob") < 2.0 * f64::from(SIZE));
}

#[test]
fn a_request_that_runs_shows_as_in_flight() {
    const SERIES: &str = "registry_http_in_flight_requests{handler=\"blob_upload_chunk\"}";
    let server = Setup::new().debug().start();
    let client = Client::of(&server);
    let upload = client.begin_upload("a").expect(202).location();
    let mut connection = client.connect().unwrap();
    let head = format!("PATCH {upload} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345");

    connection.write(head.as_bytes()).unwrap();

    let in_flight = |expected: bool| {
        eventually("the request to show", || {
            let value = Scrape::of(server.debug_address()).required(SERIES);
            ((value > 0.5) == expected).then_some(())
        });
    };
    in_flight(true);
    connection.write(b"67890").unwrap();
    assert_eq!(connection.read_response().unwrap().status, 202);
    in_flight(false);
}

#[test]
fn metrics_are_served_only_where_the_configuration_says() {
    let path = json!({"http": {"debug": {"prometheus": {"path": "/numbers"}}}});
    let elsewhere = Setup::new().debug().config(&path).start();
    let off = json!({"http": {"debug": {"prometheus": {"enabled": false}}}});
    let nowhere = Setup::new().debug().config(&off).start();

    let of = |server: &TestServer, path: &str| {
        let answer = Client::at(server.debug_address()).get(path);
        answer.status().unwrap()
    };

    assert_eq!(
        (of(&elsewhere, "/numbers"), of(&elsewhere, "/metrics")),
        (200, 404)
    );
    assert_eq!(of(&nowhere, "/metrics"), 404);
    for server in [&elsewhere, &nowhere] {
        Client::of(server).get("/metrics").expect(404);
    }
}

#[test]
fn the_numbers_of_the_registry_and_its_process_are_those_of_the_moment() {
    let server = Setup::new().debug().start();
    let client = Client::of(&server);
    let before = Scrape::of(server.debug_address());
    client.begin_upload("a").expect(202);
    use_everything(&server);

    let after = Scrape::of(server.debug_address());

    assert!(after.names().contains("boxyard_build_info"));
    let uploads = "boxyard_uploads_in_progress";
    assert!(before.required(uploads) < 0.5 && after.required(uploads) > 0.5);
    for series in [
        "boxyard_database_commits_total",
        "boxyard_database_changes_total",
    ] {
        assert!(after.required(series) > before.required(series), "{series}");
    }
    for series in [
        "boxyard_database_bytes",
        "boxyard_storage_free_bytes",
        "boxyard_storage_reserve_bytes",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_threads",
        "process_start_time_seconds",
    ] {
        assert!(after.required(series) > 0.0, "{series}");
    }
    eventually("the folder to follow the database", || {
        let scraped = Scrape::of(server.debug_address());
        (scraped.required("boxyard_projection_backlog") < 0.5).then_some(())
    });
}

#[test]
fn a_bad_object_shows_in_the_metrics_by_its_kind() {
    const SERIES: &str = "boxyard_findings{kind=\"blob_size\"}";
    let server = Setup::new().debug().allow_error("blob is damaged").start();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[100_000]);
    client.push_image("a", "latest", &image).expect(201);
    let layer = image.blobs().last().expect("the image has a layer");
    let hex = layer.digest.trim_start_matches("sha256:");
    let file = format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]);
    let before = Scrape::of(server.debug_address()).required(SERIES);

    let file = std::fs::File::options()
        .write(true)
        .open(server.root().join(file))
        .unwrap();
    file.set_len(10).unwrap();
    client.get_blob("a", &layer.digest).expect(404);

    eventually("the finding to show", || {
        let found = Scrape::of(server.debug_address()).required(SERIES);
        (found > before).then_some(())
    });
}

#[test]
fn the_guide_names_every_metric_and_no_other() {
    let server = Setup::new().debug().start();
    use_everything(&server);
    let guide = checkout().join("docs/guide/operations.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let is_metric = |name: &&str| {
        ["registry_", "boxyard_", "process_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    };
    let rows = guide.lines().filter_map(|line| line.strip_prefix("| `"));
    let named: BTreeSet<_> = rows
        .filter_map(|row| Some(row.split_once('`')?.0))
        .filter(is_metric)
        .map(str::to_owned)
        .collect();

    let scraped = eventually("all to be counted", || {
        let found = Scrape::of(server.debug_address()).names();
        (found.len() >= named.len()).then_some(found)
    });

    let unnamed: Vec<_> = scraped.difference(&named).collect();
    let missing: Vec<_> = named.difference(&scraped).collect();
    assert!(
        unnamed.is_empty() && missing.is_empty(),
        "{unnamed:?} {missing:?}"
    );
}

#[test]
fn promtool_takes_the_alerts_of_the_guide() {
    let rules = checkout().join("docs/guide/alerts.yml");

    let checked = Command::new("promtool")
        .args(["check", "rules"])
        .arg(rules)
        .output();

    let checked = checked.unwrap();
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stderr)
    );
}
