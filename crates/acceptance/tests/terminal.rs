//! What a person at a terminal is asked, and what the answers do.

use std::fs;

use boxyard_acceptance::{Boxyard, Terminal};
use boxyard_testkit::{Client, Image, TestServer, binary};

/// A server with two repositories of two tags each.
fn registry() -> TestServer {
    let server = TestServer::start();
    let image = Image::with_layers(1, &[2_000]);
    for repo in ["review/a", "review/b"] {
        for tag in ["v1", "v2"] {
            Client::of(&server)
                .push_image(repo, tag, &image)
                .expect(201);
        }
    }
    server
}

/// Runs a line in which `boxyard` is the built binary.
fn at_terminal(server: &TestServer, line: &str) -> Terminal {
    let binary = format!("'{}'", binary().display());
    let nothing: [&str; 0] = [];
    let environment = Boxyard::of(server).command(&nothing);
    Terminal::run(&line.replace("boxyard", &binary), &environment)
}

#[test]
fn several_repositories_are_removed_only_after_a_yes() {
    let server = registry();
    let client = Client::of(&server);
    let ask = || {
        let mut terminal = at_terminal(&server, "boxyard repo rm 'review/**'");
        terminal.wait_for("remove 2 repositories? [y/N] ");
        terminal
    };

    for answer in ["n\n", "\n", "maybe\n", "\u{4}"] {
        let mut terminal = ask();
        terminal.type_in(answer);
        let (status, shown) = terminal.end();
        assert_eq!(status, 1, "{answer:?}: {shown}");
        assert!(shown.contains("nothing was removed"), "{answer:?}: {shown}");
        assert_eq!(client.catalog().len(), 2);
    }
    let mut terminal = ask();
    terminal.type_in("y\n");
    let (status, shown) = terminal.end();

    assert_eq!(status, 0, "{shown}");
    assert!(client.catalog().is_empty());
}

#[test]
fn a_question_is_interrupted_and_nothing_is_removed() {
    let server = registry();
    let mut terminal = at_terminal(&server, "boxyard tag rm 'review/*:v*'");
    terminal.wait_for("remove 4 tags? [y/N] ");

    terminal.type_in("\u{3}");

    let (status, shown) = terminal.end();
    assert_ne!(status, 0, "{shown}");
    assert_eq!(Client::of(&server).tags("review/a"), ["v1", "v2"]);
}

#[test]
fn tags_by_pattern_are_removed_only_after_a_yes_and_one_by_its_name_at_once() {
    let server = registry();
    let client = Client::of(&server);

    let mut terminal = at_terminal(&server, "boxyard tag rm 'review/a:v*'");
    terminal.wait_for("remove 2 tags? [y/N] ");
    terminal.type_in("yes\n");
    let (status, shown) = terminal.end();
    assert_eq!(status, 0, "{shown}");
    assert!(shown.contains("2 tags removed"), "{shown}");

    for line in [
        "boxyard tag rm review/b:v1",
        "boxyard tag rm --yes 'review/b:v*'",
        "boxyard repo rm review/a",
    ] {
        let (status, shown) = at_terminal(&server, line).end();
        assert_eq!(status, 0, "{line}: {shown}");
        assert!(!shown.contains("[y/N]"), "{line}: {shown}");
    }
    assert!(client.catalog().len() <= 1, "{:?}", client.catalog());
}

#[test]
fn whoever_scrubs_at_a_terminal_sees_how_far_it_is() {
    let server = registry();

    let mut terminal = at_terminal(&server, "boxyard scrub --rate 2kB/s");
    terminal.wait_for(", 0 damaged [");
    terminal.wait_for(" left]");
    let (status, shown) = terminal.end();

    assert_eq!(status, 0, "{shown}");
    assert!(shown.contains("0 damaged, 0 of them mended"), "{shown}");
}

#[test]
fn a_password_is_asked_for_twice_and_not_shown() {
    let server = TestServer::start();
    let area = tempfile::tempdir().expect("make a folder");
    let file = area.path().join("htpasswd");
    let line = format!("boxyard htpasswd --cost 4 '{}' alice", file.display());

    let mut terminal = at_terminal(&server, &line);
    terminal.wait_for("Password of alice: ");
    terminal.type_in("secret word\n");
    terminal.wait_for("Again of alice: ");
    terminal.type_in("secret word\n");
    let (status, shown) = terminal.end();
    assert_eq!(status, 0, "{shown}");
    assert!(shown.contains("`alice` can log in"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
    let lines = fs::read_to_string(&file).expect("the password file");
    assert!(lines.starts_with("alice:$2"), "{lines}");

    let mut terminal = at_terminal(&server, &line);
    terminal.wait_for("Password of alice: ");
    terminal.type_in("one word\n");
    terminal.wait_for("Again of alice: ");
    terminal.type_in("another\n");
    let (status, shown) = terminal.end();
    assert_eq!(status, 1, "{shown}");
    assert!(shown.contains("not the same"), "{shown}");
    assert_eq!(fs::read_to_string(&file).expect("the password file"), lines);
}

#[test]
fn whoever_interrupts_the_question_for_a_password_sees_again_what_is_typed() {
    let server = TestServer::start();
    let mut terminal = at_terminal(
        &server,
        "trap : INT; boxyard htpasswd alice; echo status=$?; stty -a",
    );
    terminal.wait_for("Password of alice: ");

    terminal.type_in("\u{3}");

    terminal.wait_for("status=1");
    let (_, shown) = terminal.end();
    assert!(shown.contains(" echo "), "{shown}");
}
