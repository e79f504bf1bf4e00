//! Rules for every file, and for Rust.

use super::{Complaint, Source};

/// Lines of code before a file's tests, past which it has more than one subject.
const LINES: usize = 400;
/// File names that say nothing about their subject.
const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "helpers", "misc", "manager"];

/// Complains of a file's form.
pub(crate) fn check(source: &Source) -> Vec<Complaint> {
    let mut complaints = whitespace(source);
    if source.has_extension("rs") {
        complaints.extend(length(source));
        complaints.extend(name(source));
        complaints.extend(shortcuts(source));
    }
    complaints
}

fn whitespace(source: &Source) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    if source.path.starts_with("fuzz") || source.has_extension("snap") {
        return complaints;
    }
    for (number, line) in source.text.lines().enumerate() {
        if line.ends_with([' ', '\t']) {
            let place = format!("{}:{}", source.name(), number + 1);
            complaints.push(Complaint::new(place, "white space at the end of the line"));
        }
    }
    if !source.text.is_empty() && !source.text.ends_with('\n') {
        complaints.push(Complaint::new(source.name(), "no newline at the end"));
    }
    complaints
}

fn length(source: &Source) -> Option<Complaint> {
    let is_test = source
        .path
        .components()
        .any(|part| part.as_os_str() == "tests")
        || source.path.ends_with("tests.rs");
    let lines = source
        .text
        .lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .count();
    (!is_test && lines > LINES).then(|| {
        let rule = format!("{lines} lines before its tests; split what has a subject of its own");
        Complaint::new(source.name(), rule)
    })
}

fn name(source: &Source) -> Option<Complaint> {
    let stem = source.path.file_stem()?.to_str()?;
    EMPTY_NAMES
        .contains(&stem)
        .then(|| Complaint::new(source.name(), "name the file after its subject"))
}

/// What a reviewer would send back: skipped tests, silenced lints, notes to oneself.
fn shortcuts(source: &Source) -> Vec<Complaint> {
    let banned = [
        (concat!("#[", "ignore"), "a test is never skipped"),
        (concat!("#[", "allow("), "use #[expect(…, reason = \"…\")]"),
        (concat!("TO", "DO"), "do it, or write an issue"),
        (concat!("FIX", "ME"), "do it, or write an issue"),
    ];
    let mut complaints = Vec::new();
    for (number, line) in source.text.lines().enumerate() {
        for (words, rule) in banned {
            if line.contains(words) {
                complaints.push(Complaint::new(
                    format!("{}:{}", source.name(), number + 1),
                    rule,
                ));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        let (path, text) = (path.into(), text.to_owned());
        Source { path, text }
    }

    #[test]
    fn a_skipped_test_and_a_trailing_space_are_complained_of() {
        let skipped = source("a/b.rs", concat!("#[", "ignore]\nfn a() {} \n"));

        assert_eq!(check(&skipped).len(), 2);
    }

    #[test]
    fn a_long_file_is_complained_of_but_its_tests_do_not_count() {
        let long = source("a/b.rs", &"fn a() {}\n".repeat(LINES + 1));
        let tested = format!("fn a() {{}}\n#[cfg(test)]\n{}", "fn b() {}\n".repeat(LINES));

        assert_eq!(check(&long).len(), 1);
        assert!(check(&source("a/b.rs", &tested)).is_empty());
    }
}
