//! What is written down of the keys elsewhere.

use std::collections::BTreeSet;

use super::*;

const BEGIN_OF_KEYS: &str = "<!-- keys: `boxyard config reference` -->\n\n";
const END_OF_KEYS: &str = "<!-- end of keys -->";
/// What a fuzzer builds configurations of beside the keys.
const YAML: &[&str] = &[
    "!file ",
    "!!str ",
    "&a ",
    "*a",
    "<<: ",
    "---",
    "...",
    "%YAML 1.2",
    "? ",
    "|",
    ">-",
    "_FILE=",
    "true",
    "null",
    "1h30m",
    "64MiB",
    "0.1",
    "[]",
    "{}",
];

/// With `BOXYARD_WRITE_REFERENCE` set it writes what it otherwise compares.
fn compare(file: &str, current: impl FnOnce(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(file);
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let current = current(&written);
    if std::env::var_os("BOXYARD_WRITE_REFERENCE").is_some() {
        return std::fs::write(&path, current).unwrap();
    }
    assert!(
        written == current,
        "{file} is not current: run `BOXYARD_WRITE_REFERENCE=1 cargo test -p boxyard_server reference_of_the_keys`"
    );
}

#[test]
fn the_documentation_has_the_reference_of_the_keys() {
    compare("docs/CONFIGURATION.md", |text| {
        let (before, rest) = text.split_once(BEGIN_OF_KEYS).unwrap();
        let (_, after) = rest.split_once(END_OF_KEYS).unwrap();
        format!("{before}{BEGIN_OF_KEYS}{}{END_OF_KEYS}{after}", reference())
    });
}

#[test]
fn the_fuzzer_has_the_words_of_the_reference_of_the_keys() {
    compare("fuzz/dictionaries/config", |_| {
        let names = keys::all().flat_map(|key| key.path.split('.'));
        let names = names.map(|name| format!("{}:", name.trim_end_matches("[]")));
        let variables = keys::all().map(|key| environment::variable_of(key.path) + "=");
        let more = YAML.iter().map(|word| (*word).to_owned());
        let words: BTreeSet<_> = names.chain(variables).chain(more).collect();
        let lines: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
        lines.join("\n") + "\n"
    });
}
