//! What a server prints, and what of it fails a test.

use std::fs;
use std::path::{Path, PathBuf};

/// How many of the last lines a failed test shows.
const SHOWN: usize = 200;

/// The log of a server.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    allowed: Vec<String>,
}

impl Log {
    pub(super) fn new(path: PathBuf, allowed: Vec<String>) -> Self {
        Self { path, allowed }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Expects errors that contain this text.
    pub(super) fn allow(&mut self, text: &str) {
        self.allowed.push(text.to_owned());
    }

    pub(super) fn text(&self) -> String {
        let bytes = fs::read(&self.path).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Fails the test when there are errors that it did not expect.
    #[track_caller]
    pub(super) fn check(&self) {
        let text = self.text();
        let unexpected = self.unexpected(&text);
        assert!(
            unexpected.is_empty(),
            "the server logged errors that the test does not allow:\n{}",
            unexpected.join("\n")
        );
    }

    /// Prints the end of the log, for a test that has failed.
    #[expect(clippy::print_stderr, reason = "a failed test shows what it knows")]
    pub(super) fn show(&self) {
        let text = self.text();
        let skipped = text.lines().count().saturating_sub(SHOWN);
        eprintln!("--- the end of the server's log:");
        for line in text.lines().skip(skipped) {
            eprintln!("{line}");
        }
        eprintln!("---");
    }

    fn unexpected<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let allowed = |line: &str| self.allowed.iter().any(|text| line.contains(text.as_str()));
        text.lines()
            .filter(|line| is_error(line) && !allowed(line))
            .collect()
    }
}

/// Whether a line of text, logfmt or JSON is an error, or a panic.
fn is_error(line: &str) -> bool {
    let mut words = line.split_whitespace();
    words.any(|word| matches!(word, "ERROR" | "level=error" | "level=ERROR"))
        || line.contains("\"level\":\"error\"")
        || line.contains("\"level\":\"ERROR\"")
        || line.contains("panicked at")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_found_in_every_format_of_the_log() {
        for line in [
            "2026-01-01T00:00:00Z ERROR boxyard_registry: disk full",
            "time=2026-01-01T00:00:00Z level=error msg=\"disk full\"",
            "{\"level\":\"error\",\"msg\":\"disk full\"}",
            "thread 'main' panicked at src/main.rs:1:1:",
        ] {
            assert!(is_error(line), "{line}");
        }
        assert!(!is_error("2026-01-01T00:00:00Z  INFO boxyard: no ERRORS"));
    }

    #[test]
    fn an_error_that_the_test_allows_is_none() {
        let log = Log::new(PathBuf::new(), vec!["disk full".to_owned()]);

        let unexpected = log.unexpected("ERROR disk full\nINFO fine\nERROR disk gone");

        assert_eq!(unexpected, ["ERROR disk gone"]);
    }
}
