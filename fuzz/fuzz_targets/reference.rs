//! A reference is a tag, exactly as the specification's expression has it, or a digest.

#![no_main]

use std::sync::LazyLock;

use boxyard_oci::{Digest, Reference, Tag};
use libfuzzer_sys::fuzz_target;
use regex::Regex;

static GRAMMAR: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\A[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}\z").expect("a valid expression")
});

fuzz_target!(|text: &str| {
    let tag = text.parse::<Tag>();
    let digest = text.parse::<Digest>();

    assert_eq!(tag.is_ok(), GRAMMAR.is_match(text));
    match text.parse::<Reference>() {
        Ok(reference) => {
            assert_eq!(reference.tag(), tag.ok().as_ref());
            assert_eq!(reference.digest(), digest.ok().as_ref());
            assert_eq!(reference.to_string(), text);
            assert_eq!(reference.to_string().parse(), Ok(reference));
        }
        Err(_) => assert!(tag.is_err() && digest.is_err()),
    }
});
