//! A repository's name is exactly what the specification's expression matches, and at most 255 bytes long.

#![no_main]

use std::sync::LazyLock;

use boxyard_oci::RepoName;
use libfuzzer_sys::fuzz_target;
use regex::Regex;

static GRAMMAR: LazyLock<Regex> = LazyLock::new(|| {
    let component = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*";
    Regex::new(&format!(r"\A{component}(/{component})*\z")).expect("a valid expression")
});

fuzz_target!(|text: &str| {
    let parsed = text.parse::<RepoName>();

    assert_eq!(parsed.is_ok(), text.len() <= 255 && GRAMMAR.is_match(text));
    if let Ok(name) = parsed {
        assert_eq!(name.as_str(), text);
        assert_eq!(name.to_string().parse(), Ok(name));
    }
});
