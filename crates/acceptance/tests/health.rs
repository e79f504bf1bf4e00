//! Whether the registry says how it is, and stops serving while it is not well.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use boxyard_testkit::http::Response;
use boxyard_testkit::{Client, Image, Setup, TestServer, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What the debug listener says of the checks.
fn debug_health(server: &TestServer) -> Response {
    let admin = Client::at(server.debug_address());
    admin
        .get("/debug/health")
        .into_result()
        .expect("ask the debug listener")
}

/// Waits until the checks fail, or are well.
#[track_caller]
fn wait_for(server: &TestServer, status: u16) {
    eventually("the checks to notice", || {
        (debug_health(server).status == status).then_some(())
    });
}

/// A server with these checks, whose failures fail no test.
fn checked(health: &Value) -> TestServer {
    Setup::new()
        .debug()
        .config(&json!({ "health": health }))
        .allow_error("the check fails")
        .start()
}

#[test]
fn a_server_without_checks_is_well() {
    let server = Setup::new().debug().start();

    let health = debug_health(&server);

    assert_eq!((health.status, health.json()), (200, json!({})));
}

#[test]
fn while_a_check_fails_nothing_is_served_and_everybody_is_told_so() {
    let home = TempDir::new().unwrap();
    let switch = home.path().join("down");
    let server = checked(&json!({"file": [{"file": switch, "interval": "50ms"}]}));
    let client = Client::of(&server);
    client
        .push_image("a", "latest", &Image::with_layers(1, &[10]))
        .expect(201);

    fs::write(&switch, "").unwrap();
    wait_for(&server, 503);

    assert_eq!(
        debug_health(&server).json(),
        json!({switch.to_str().unwrap(): "file exists"})
    );
    for target in ["/v2/", "/v2/a/manifests/latest", "/v2/_catalog"] {
        client.get(target).expect_error(503, "UNAVAILABLE");
    }
    client.begin_upload("a").expect_error(503, "UNAVAILABLE");
    client.get("/readyz").expect(503);
    // Those who only ask whether something is there at all.
    client.get("/").expect(200);
    client.get("/livez").expect(200);

    fs::remove_file(&switch).unwrap();
    wait_for(&server, 200);

    client.get_manifest("a", "latest").expect(200);
    client.get("/readyz").expect(200);
}

#[test]
fn a_check_counts_only_after_as_many_failures_as_its_threshold_says() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = gone.local_addr().unwrap().to_string();
    let server = checked(&json!({"tcp": [{"addr": address, "interval": "300ms", "threshold": 3}]}));
    assert_eq!(debug_health(&server).status, 200);

    drop(gone);
    eventually("the first failure", || {
        server.log().contains("the check fails").then_some(())
    });

    assert_eq!(debug_health(&server).status, 200);
    wait_for(&server, 503);
    assert_eq!(
        server.log().matches("the check fails").count(),
        3,
        "{}",
        server.log()
    );
    let _again = TcpListener::bind(&address).unwrap();
    wait_for(&server, 200);
}

#[test]
fn a_folder_that_is_moved_away_or_replaced_is_noticed() {
    let home = TempDir::new().unwrap();
    let root = home.path().join("registry");
    let server = Setup::new()
        .debug()
        .root(&root)
        .config(&json!({"health": {"storagedriver": {"enabled": true, "interval": "100ms"}}}))
        .allow_error("")
        .start();
    assert_eq!(debug_health(&server).status, 200);

    let aside = home.path().join("aside");
    fs::rename(&root, &aside).unwrap();
    // What is left below a mount that is gone.
    fs::create_dir(&root).unwrap();
    wait_for(&server, 503);

    let health = debug_health(&server).json();
    assert!(health["storagedriver_filesystem"].is_string(), "{health}");
    fs::remove_dir(&root).unwrap();
    fs::rename(&aside, &root).unwrap();
    wait_for(&server, 200);
    Client::of(&server).check().expect(200);
}

/// A folder whose mount is read-only, until this is dropped.
struct ReadOnly {
    folder: String,
    aside: TempDir,
}

impl ReadOnly {
    /// Lays a read-only mount of the folder over it: files that are open stay as they are, and by its path nothing can be written.
    fn mount(folder: &Path) -> Self {
        let mounted = Self {
            folder: text(folder),
            aside: TempDir::new().expect("make a folder to mount on"),
        };
        let aside = text(mounted.aside.path());
        // Nobody may be writing below a mount that becomes read-only, so it does where nobody knows it.
        run("mount", &["--bind", &mounted.folder, &aside]);
        run("mount", &["-o", "remount,bind,ro", &aside]);
        run("mount", &["--bind", &aside, &mounted.folder]);
        mounted
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        for mounted in [&self.folder, &text(self.aside.path())] {
            // A test that has failed shows that, and not what followed from it.
            let _ended = Command::new("umount").args(["--lazy", mounted]).status();
        }
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn run(program: &str, words: &[&str]) {
    let status = Command::new(program).args(words).status();
    assert!(
        status.expect("run a program").success(),
        "{program} {words:?}"
    );
}

#[test]
fn a_folder_whose_mount_becomes_read_only_is_noticed_until_it_can_be_written_again() {
    let home = TempDir::new().unwrap();
    let root = home.path().join("registry");
    let server = Setup::new()
        .debug()
        .root(&root)
        .config(&json!({"health": {"storagedriver": {"enabled": true, "interval": "100ms"}}}))
        .allow_error("")
        .start();
    let client = Client::of(&server);
    client
        .push_image("a", "latest", &Image::with_layers(1, &[10]))
        .expect(201);
    client.get("/readyz").expect(200);

    let read_only = ReadOnly::mount(&root);
    wait_for(&server, 503);

    let health = debug_health(&server).text();
    assert!(health.contains("Read-only file system"), "{health}");
    for address in [server.address(), server.debug_address()] {
        let said = Client::at(address).get("/readyz").expect(503).text();
        assert_eq!(said, "a health check fails\n");
    }
    drop(read_only);
    wait_for(&server, 200);
    client.get("/readyz").expect(200);
    client
        .push_image("a", "latest", &Image::with_layers(2, &[10]))
        .expect(201);
}

#[test]
fn a_server_that_must_answer_is_asked_and_a_password_is_never_shown() {
    let other = TestServer::start();
    let uri = format!("http://user:hush@{}/v2/", other.address());
    let missing = format!("http://{}/v2/none/tags/list", other.address());
    let server = checked(&json!({"http": [
        {"uri": uri, "interval": "100ms", "headers": {"X-Key": ["hush"]}},
        {"uri": missing, "interval": "100ms", "statuscode": 404},
    ]}));
    assert_eq!(debug_health(&server).status, 200);

    drop(other);
    wait_for(&server, 503);

    let health = debug_health(&server).text();
    assert!(!health.contains("hush"), "{health}");
    assert!(!server.log().contains("hush"), "{}", server.log());
}

#[test]
fn a_start_that_waits_for_the_folder_ends_when_it_is_told_to() {
    let home = TempDir::new().unwrap();
    let first = Setup::new().root(home.path()).start();
    let mut second = Setup::new().debug().root(home.path()).begin();
    eventually("the second to wait", || {
        let waits = second.log().contains("another process may still have it");
        waits.then_some(())
    });

    let begun = Instant::now();
    second.stop();

    // By itself it would have waited for half a minute.
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    Client::of(&first).check().expect(200);
}

#[test]
fn a_start_that_waits_for_the_folder_is_alive_and_not_ready() {
    let home = TempDir::new().unwrap();
    let first = Setup::new().root(home.path()).start();
    let second = Setup::new().debug().root(home.path()).begin();

    let of_second = |path: &str| Client::at(second.debug_address()).get(path).status();
    eventually("the second to listen for administrators", || {
        (of_second("/livez") == Some(200)).then_some(())
    });

    assert_eq!(of_second("/readyz"), Some(503));
    drop(first);
    eventually("the second to be ready", || {
        (of_second("/readyz") == Some(200)).then_some(())
    });
    Client::of(&second).check().expect(200);
    Client::of(&second).get("/readyz").expect(200);
}
