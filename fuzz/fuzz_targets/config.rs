//! No configuration makes its reader panic, everything wrong with one has a place, and what `config check` says is what `serve` does.
//!
//! The input is a `config.yml`, and behind it variables of the environment, with a zero byte before each.
//! Files that it names are not read: each holds a secret, or is not there.

#![no_main]

use std::collections::BTreeSet;
use std::io::{Error, ErrorKind};
use std::path::Path;

use boxyard_server::config::{Effect, Explanation, FileError, Problem, Row, explain_bytes};
use boxyard_server::{Config, ConfigError, Sources};
use libfuzzer_sys::fuzz_target;

/// What is in every file, and may not be in anything that is said.
const SECRET: &str = "s3cr3t\u{1b}s3cr3t";
/// How much longer than the input what is said about it may be: each line repeats a key and its value.
const GROWTH: usize = 100;
/// What may be said about an input of any length.
const LEAST: usize = 100_000;

fuzz_target!(|input: &[u8]| {
    // The fuzzer learns the secret from comparisons; what it writes itself is none.
    if !is_secret_kept(&String::from_utf8_lossy(input)) {
        return;
    }
    let mut parts = input.split(|byte| *byte == 0);
    let text = parts.next().unwrap_or_default();
    let strict = sources(parts, false);
    let lenient = Sources {
        lenient: true,
        ..strict.clone()
    };

    let of_strict = agree(text, &strict);
    let of_lenient = agree(text, &lenient);

    let (Some(of_strict), Some(of_lenient)) = (of_strict, of_lenient) else {
        return;
    };
    // Who is lenient is told the same, and is served no less.
    assert_eq!(of_strict.rows, of_lenient.rows);
    let of_strict = told(&of_strict.problems);
    assert!(told(&of_lenient.problems).is_subset(&of_strict));
    is_bounded(&of_lenient, input.len());
});

/// Who is asked, with variables as they stand in the environment.
fn sources<'a>(variables: impl Iterator<Item = &'a [u8]>, lenient: bool) -> Sources {
    let mut sources = Sources {
        lenient,
        ..Sources::default()
    };
    for variable in variables {
        let split = variable.iter().position(|byte| *byte == b'=');
        let (name, value) = variable.split_at(split.unwrap_or(variable.len()));
        let Ok(name) = String::from_utf8(name.to_vec()) else {
            continue;
        };
        match String::from_utf8(value.get(1..).unwrap_or_default().to_vec()) {
            Ok(value) => sources.variables.push((name, value)),
            Err(_) => sources.not_text.push(name),
        }
    }
    sources
}

/// What `config check` says, after a look at whether it is what `serve` does.
fn agree(text: &[u8], sources: &Sources) -> Option<Explanation> {
    let explained = explain_bytes(text, sources, file);
    let read = Config::of_bytes(text, sources, file);
    let explanation = match (explained, &read) {
        (Ok(explanation), _) => explanation,
        // The bytes are no text at all.
        (Err(ConfigError::Unreadable { .. }), Err(ConfigError::Unreadable { .. })) => return None,
        other => panic!("{other:?}"),
    };
    match &read {
        Ok(config) => {
            assert!(explanation.is_good());
            assert_eq!(config.notes, explanation.notes);
        }
        Err(ConfigError::Problems { problems, .. }) => {
            assert!(!problems.is_empty());
            assert_eq!(told(problems), told(&explanation.problems));
        }
        Err(error) => panic!("{error:?}"),
    }
    explanation.problems.iter().for_each(has_a_place);
    explanation.rows.iter().for_each(is_plain);
    for row in &explanation.rows {
        let is_wrong = match row.effect {
            Effect::Works | Effect::Idle => false,
            Effect::Refused => true,
            Effect::Unknown => !sources.lenient && row.origin != "environment",
        };
        assert!(!is_wrong || !explanation.is_good(), "{row:?} is served by");
    }
    Some(explanation)
}

/// The file of a value; nobody has written any.
fn file(path: &Path) -> Result<String, FileError> {
    if path.as_os_str().len() % 4 == 3 {
        return Err(FileError::Unreadable(Error::from(ErrorKind::NotFound)));
    }
    Ok(SECRET.to_owned())
}

fn told(problems: &[Problem]) -> BTreeSet<String> {
    problems.iter().map(ToString::to_string).collect()
}

/// A person has to find it.
fn has_a_place(problem: &Problem) {
    let origin = problem.origin();
    let line = origin.strip_prefix("line ").map(str::parse::<usize>);
    assert!(
        matches!(line, Some(Ok(1..))) || origin.starts_with("REGISTRY_"),
        "{problem} is nowhere"
    );
    let text = problem.to_string();
    assert!(is_secret_kept(&text), "{text:?} has a secret");
    assert!(
        !text.contains(char::is_control),
        "{text:?} moves the cursor"
    );
}

/// It is one line of a table, in which tabs part the columns.
fn is_plain(row: &Row) {
    for text in [&row.key, &row.value, &row.origin] {
        assert!(!text.contains(char::is_control), "{text:?} breaks the line");
        assert!(is_secret_kept(text), "{text:?} has a secret");
    }
}

fn is_secret_kept(text: &str) -> bool {
    !text.contains(SECRET.split('\u{1b}').next().expect("a part"))
}

/// What is said costs about as much as what was written.
fn is_bounded(explanation: &Explanation, length: usize) {
    let rows = explanation.rows.iter();
    let rows: usize = rows.map(|row| row.key.len() + row.value.len()).sum();
    let problems = explanation.problems.iter();
    let problems: usize = problems.map(|problem| problem.message().len()).sum();
    let said = rows + problems;
    assert!(said <= LEAST + GROWTH * length, "{said} of {length} bytes");
}
