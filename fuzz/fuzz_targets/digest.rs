//! A digest is written as it was read, in the compact form too, and nothing else is one.

#![no_main]

use std::sync::LazyLock;

use boxyard_oci::{Digest, DigestError, fallback_tag};
use libfuzzer_sys::fuzz_target;
use regex::Regex;

static GRAMMAR: LazyLock<Regex> = LazyLock::new(|| {
    let algorithm = "[a-z0-9]+([+._-][a-z0-9]+)*";
    Regex::new(&format!(r"\A{algorithm}:[a-zA-Z0-9=_-]+\z")).expect("a valid expression")
});
static SUPPORTED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\A(sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})\z").expect("a valid expression")
});

fuzz_target!(|bytes: &[u8]| {
    if let Some(digest) = Digest::from_bytes(bytes) {
        assert_eq!(digest.to_bytes(), bytes);
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };

    let parsed = text.parse::<Digest>();

    assert_eq!(parsed.is_ok(), SUPPORTED.is_match(text));
    match parsed {
        Ok(digest) => holds(text, digest),
        Err(DigestError::UnsupportedAlgorithm { .. }) => assert!(GRAMMAR.is_match(text)),
        Err(DigestError::Malformed { .. }) => {}
    }
});

fn holds(text: &str, digest: Digest) {
    assert_eq!(digest.to_string(), text);
    assert_eq!(digest.hex().len(), digest.algorithm().hex_len());
    assert_eq!(Digest::from_bytes(&digest.to_bytes()), Some(digest));
    assert!(
        text.replace(':', "-")
            .starts_with(fallback_tag(&digest).as_str())
    );
}
