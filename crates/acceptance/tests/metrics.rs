//! What Prometheus reads.

#[path = "metrics/scrape.rs"]
mod scrape;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use boxyard_acceptance::{Authority, Receiver, checkout};
use boxyard_testkit::http::Request;
use boxyard_testkit::{Client, Image, Setup, TestServer, eventually};
use scrape::Scrape;
use serde_json::json;
use tempfile::TempDir;

/// The beginnings of the names of distribution's metrics that have no equivalent here; the guide has the reasons.
const NOT_HERE: [&str; 5] = [
    "registry_storage_cache_",
    "registry_proxy_",
    "process_network_",
    "promhttp_",
    "go_",
];

/// Work of distribution's drivers that nobody does here: blobs on a filesystem are served from where they were asked for.
const NO_WORK_HERE: [&str; 2] = ["RedirectURL", "URLFor"];

/// A user whose password is not what [`GUESS`] says.
const ALICE: &str = "alice:$2y$04$3w573dywG1QDP/QvM34ImuKH2StnXStLi.vqZ5d/sWvk/P.rmUSJa\n";
const GUESS: &str = "Basic YWxpY2U6YSBndWVzcw==";

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
    let folder = TempDir::new().unwrap();
    let receiver = Receiver::start();
    let told = used(Setup::new(), &receiver);
    let secured = secured(folder.path());
    for scraped in [
        scrape_after_answer(&told),
        Scrape::of(secured.debug_address()),
    ] {
        judge(&scraped);
    }
}

/// A gauge of distribution's that is called like a counter, of which promtool complains there as well.
const THEIRS: &str = "registry_notifications_pending_total non-counter metrics";

/// Has promtool look at a scrape.
#[track_caller]
fn judge(scraped: &Scrape) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("run promtool, which `scripts/tools apt` installs");
    let mut stdin = promtool.stdin.take().expect("talk to promtool");
    stdin
        .write_all(scraped.text().as_bytes())
        .expect("talk to promtool");
    drop(stdin);
    let judged = promtool.wait_with_output().expect("talk to promtool");

    let complaints = String::from_utf8_lossy(&judged.stderr);
    let ours = complaints.lines().filter(|line| !line.starts_with(THEIRS));
    assert_eq!(ours.collect::<Vec<_>>(), [""; 0], "{}", scraped.text());
    let could_read = judged.status.success() || complaints.contains(THEIRS);
    assert!(could_read, "{}", scraped.text());
}

/// Both registries that people come from; the older one does not count notifications.
const PEERS: [(&str, bool); 2] = [("docker-registry", false), ("registry-3.1.1", true)];

/// A server that tells a receiver what happens, and has been used in every way.
fn used(setup: Setup, receiver: &Receiver) -> TestServer {
    let told = json!({"notifications": {"endpoints": [
        {"name": "hook", "url": receiver.url("/"), "timeout": "1s", "threshold": 3, "backoff": "1s"},
    ]}});
    let server = setup.debug().config(&told).start();
    use_everything(&server);
    let client = Client::of(&server);
    let digest = Image::with_layers(1, &[100]).manifest.digest;
    client.delete_manifest("library/one", &digest).expect(202);
    server
}

/// A server with TLS and passwords.
fn secured(folder: &Path) -> TestServer {
    let tls = Authority::new(folder, "ca").server("served").tls();
    let users = json!({"htpasswd": {"realm": "registry", "path": folder.join("users")}});
    let secured = json!({"http": {"tls": tls}, "auth": users});
    Setup::new().debug().config(&secured).start()
}

/// What is scraped once the answer of a receiver is counted.
fn scrape_after_answer(server: &TestServer) -> Scrape {
    eventually("the receiver's answer to be counted", || {
        let scraped = Scrape::of(server.debug_address());
        let is_counted = scraped
            .names()
            .contains("registry_notifications_status_total");
        is_counted.then_some(scraped)
    })
}

#[test]
fn metrics_have_the_names_labels_and_bounds_that_distribution_has() {
    let receiver = Receiver::start();
    let ours = used(Setup::new(), &receiver);
    let ours = scrape_after_answer(&ours);
    for (peer, counts_notifications) in PEERS {
        let peer = Setup::new()
            .program(peer)
            .env("OTEL_TRACES_EXPORTER", "none");
        let theirs = used(peer, &receiver);
        let theirs = if counts_notifications {
            scrape_after_answer(&theirs)
        } else {
            Scrape::of(theirs.debug_address())
        };

        let shapes = theirs.shapes("");
        let lacks = |name: &&String| !NOT_HERE.iter().any(|begin| name.starts_with(begin));
        let expected: Vec<_> = shapes.keys().filter(lacks).collect();
        assert!(expected.len() >= 12, "{expected:?}");
        for name in expected {
            assert_eq!(ours.shapes("").get(name), shapes.get(name), "{name}");
        }
        for action in theirs.values("registry_storage_action_seconds_count", "action") {
            let is_here = ours
                .values("registry_storage_action_seconds_count", "action")
                .contains(&action);
            assert!(
                is_here || NO_WORK_HERE.contains(&action.as_str()),
                "{action}"
            );
        }
    }
}

#[test]
fn the_guide_says_which_metrics_of_distribution_are_not_here() {
    let guide = fs::read_to_string(checkout().join("docs/guide/operations.md")).unwrap();

    for name in NOT_HERE.iter().chain(&NO_WORK_HERE) {
        assert!(guide.contains(name), "{name}");
    }
}

#[test]
fn what_is_asked_for_again_comes_from_memory_unless_it_has_changed_or_there_is_none() {
    for (size, remembers) in [("1MiB", true), ("0", false)] {
        let config = json!({"boxyard": {"cache": {"size": size}}});
        let server = Setup::new().config(&config).debug().start();
        let hits = || Scrape::of(server.debug_address()).required("boxyard_cache_hits_total");
        let client = Client::of(&server);
        let images = [1, 2].map(|seed| Image::with_layers(seed, &[100]));

        for image in &images {
            client.push_image("a", "latest", image).expect(201);
            let before = hits();
            for _ in 0..3 {
                let found = client.get_manifest("a", "latest").expect(200);
                assert_eq!(found.body, image.manifest.bytes, "{size}");
            }
            assert_eq!(hits() > before, remembers, "{size}");
        }
        client
            .delete_manifest("a", &images[1].manifest.digest)
            .expect(202);
        client.get_manifest("a", "latest").expect(404);
    }
}

#[test]
fn the_folders_work_is_timed_by_its_kind() {
    let server = Setup::new().debug().start();
    let counted = |action: &str| {
        let series = format!(
            "registry_storage_action_seconds_count{{action=\"{action}\",driver=\"filesystem\"}}"
        );
        Scrape::of(server.debug_address()).required(&series)
    };
    let before = counted("Move");

    let client = Client::of(&server);
    let image = Image::with_layers(1, &[50_000, 50_000]);
    client.push_image("a", "latest", &image).expect(201);

    // Two layers; the configuration is small, and gets its file together with the links.
    assert!(
        (counted("Move") - before - 2.0).abs() < 0.5,
        "{}",
        counted("Move")
    );
    eventually("the folder to follow", || {
        (counted("PutContent") > 0.5).then_some(())
    });
}

#[test]
fn what_is_not_believed_of_a_sender_is_counted_and_the_requests_for_tokens_as_well() {
    let folder = TempDir::new().unwrap();
    let users = folder.path().join("htpasswd");
    fs::write(&users, ALICE).unwrap();
    let anyone = json!([{"who": "anyone", "repositories": "**", "actions": "pull"}]);
    let setup = Setup::new().debug().config(&json!({
        "auth": {"htpasswd": {"realm": "registry", "path": users}},
        "access": anyone,
    }));
    let server = setup.start();
    let count = |reason: &str| {
        let series = format!("boxyard_failed_logins_total{{reason=\"{reason}\"}}");
        Scrape::of(server.debug_address()).required(&series)
    };
    let client = |header: &str| Client::of(&server).with_header("Authorization", header);
    assert!(count("password") + count("throttled") + count("token") < 0.5);

    client("Bearer nonsense").get("/v2/").expect(401);
    let guesses = (0..30).map(|_| client(GUESS).get("/v2/token").status());
    let refused = guesses.filter(|status| *status == Some(429)).count();

    assert!(refused > 0);
    let (wrong, throttled) = (count("password"), count("throttled"));
    assert!(
        (wrong + throttled - 30.0).abs() < 0.5,
        "{wrong} {throttled}"
    );
    assert!(throttled > 0.5 && count("token") > 0.5);
    let tokens = "registry_http_requests_total{code=\"401\",handler=\"token\",method=\"get\"}";
    eventually("the requests for tokens to be counted", || {
        Scrape::of(server.debug_address()).value(tokens)
    });
}

#[test]
fn the_end_of_the_certificate_that_is_served_is_shown_and_moves_with_it() {
    const SERIES: &str = "boxyard_tls_certificate_expiry_timestamp_seconds{host=\"localhost\"}";
    let folder = TempDir::new().unwrap();
    let authority = Authority::new(folder.path(), "ca");
    let (pair, expired) = (authority.server("served"), authority.expired_server("old"));
    let tls = json!({"http": {"tls": pair.tls()}});
    let server = Setup::new().debug().config(&tls).start();
    let end = Scrape::of(server.debug_address()).required(SERIES);

    pair.replace_by(&expired);

    assert!(end > 1_700_000_000.0, "{end}");
    eventually("the other certificate to be served", || {
        let end = Scrape::of(server.debug_address()).required(SERIES);
        // The first second of 2001.
        ((end - 978_307_200.0).abs() < 0.5).then_some(())
    });
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
    // A small blob has its file only a moment later.
    let layer = &image.layers[0];
    let hex = layer.digest.trim_start_matches("sha256:");
    let file = format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]);
    let before = Scrape::of(server.debug_address()).required(SERIES);

    let file = fs::File::options()
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
    let folder = TempDir::new().unwrap();
    let receiver = Receiver::start();
    let told = used(Setup::new(), &receiver);
    let secured = secured(folder.path());
    let guide = checkout().join("docs/guide/operations.md");
    let guide = fs::read_to_string(guide).unwrap();
    let is_metric = |name: &&str| {
        ["registry_", "boxyard_", "process_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    };
    let rows = guide.lines().filter_map(|line| line.strip_prefix("| `"));
    let named: BTreeSet<_> = rows
        .filter_map(|row| Some(row.split_once('`')?.0))
        .filter(is_metric)
        .filter(|name| !name.ends_with('*'))
        .map(str::to_owned)
        .collect();

    let scraped = eventually("all to be counted", || {
        let mut found = Scrape::of(told.debug_address()).names();
        found.extend(Scrape::of(secured.debug_address()).names());
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
fn the_alerts_of_the_guide_ask_for_metrics_that_the_guide_names() {
    let read = |file: &str| fs::read_to_string(checkout().join("docs/guide").join(file)).unwrap();
    let guide = read("operations.md");

    let alerts = read("alerts.yml");
    let words = alerts.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let asked: BTreeSet<_> = words
        .filter(|word| {
            ["registry_", "boxyard_"]
                .iter()
                .any(|begin| word.starts_with(begin))
        })
        .collect();

    assert!(asked.len() > 5, "{asked:?}");
    for name in asked {
        let name = name.trim_end_matches("_bucket");
        assert!(guide.contains(&format!("| `{name}` |")), "{name}");
    }
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
