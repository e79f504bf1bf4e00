//! What every command has: help that teaches, completions, manual pages, exit statuses.

use std::fs;

use boxyard_acceptance::Boxyard;
use boxyard_testkit::TestServer;
use tempfile::TempDir;

#[test]
fn completions_are_made_for_each_shell() {
    let server = TestServer::start();
    let boxyard = Boxyard::of(&server);

    for (shell, mark) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef boxyard"),
        ("fish", "complete -c boxyard"),
    ] {
        let text = boxyard.succeed(&["completions", shell]);
        assert!(text.contains(mark), "{shell}");
        assert!(text.contains("scrub"), "{shell}");
    }
}

#[test]
fn manual_pages_are_made_for_each_command() {
    let server = TestServer::start();
    let boxyard = Boxyard::of(&server);
    let folder = TempDir::new().expect("make a folder");

    boxyard.succeed(&["man".as_ref(), folder.path().as_os_str()]);

    for name in [
        "boxyard",
        "boxyard-serve",
        "boxyard-tag-rm",
        "boxyard-backup",
    ] {
        let page = fs::read_to_string(folder.path().join(format!("{name}.1")));
        let page = page.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(page.starts_with(".ie") && page.contains(".TH "), "{name}");
    }
    assert!(boxyard.succeed(&["man"]).contains(".TH "));
}

#[test]
fn help_has_examples_and_the_version_is_said() {
    let server = TestServer::start();
    let boxyard = Boxyard::of(&server);

    for words in [
        &["scrub", "--help"][..],
        &["repo", "rm", "--help"],
        &["tag", "rm", "--help"],
        &["tag", "cp", "--help"],
        &["backup", "--help"],
        &["restore", "--help"],
        &["completions", "--help"],
        &["man", "--help"],
    ] {
        let help = boxyard.succeed(words);
        assert!(help.contains("Example"), "{words:?}: {help}");
    }
    for option in ["-v", "--version"] {
        assert!(boxyard.succeed(&[option]).starts_with("boxyard 0."));
    }
    assert_eq!(boxyard.run(&["no-such-command"]).status, 2);
    assert_eq!(boxyard.run(&["scrub", "--rate", "fast"]).status, 2);
    assert_eq!(boxyard.run(&["scrub", "/nowhere/config.yml"]).status, 64);
}
