//! What every command has: help that teaches, completions, manual pages, exit statuses.

use std::fs;

use boxyard_acceptance::{Boxyard, checkout};
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

#[test]
fn every_command_has_a_page_with_examples_and_a_line_in_the_readme() {
    let server = TestServer::start();
    let boxyard = Boxyard::of(&server);
    let readme = fs::read_to_string(checkout().join("README.md")).expect("read the README");
    let folder = TempDir::new().expect("make a folder");
    boxyard.succeed(&["man".as_ref(), folder.path().as_os_str()]);

    let commands = commands_of(&boxyard.succeed(&["--help"]));

    assert!(commands.len() > 15, "{commands:?}");
    for command in commands {
        assert!(readme.contains(&format!("`boxyard {command}")), "{command}");
        let page = folder.path().join(format!("boxyard-{command}.1"));
        assert!(page.exists(), "{command}");
        let help = boxyard.succeed(&[&command, "--help"]);
        let below = commands_of(&help);
        if below.is_empty() {
            assert!(help.contains("\nExample"), "{command}: {help}");
        }
        for inner in below {
            let help = boxyard.succeed(&[&command, &inner, "--help"]);
            assert!(help.contains("\nExample"), "{command} {inner}: {help}");
        }
    }
}

/// The commands that a help lists, but for the one that shows it.
fn commands_of(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let names = lines.filter(|line| !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}
