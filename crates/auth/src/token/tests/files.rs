use std::error::Error;
use std::fs;
use std::path::PathBuf;

use boxyard_testkit::token::Authority;
use tempfile::TempDir;

use super::super::{KeyFileError, KeyFiles};
use super::*;

struct Files {
    folder: TempDir,
    files: KeyFiles,
}

impl Files {
    fn certificates(text: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("bundle.pem");
        fs::write(&path, text).unwrap();
        let certificates = Some(path);
        let files = KeyFiles {
            certificates,
            set: None,
        };
        Self { folder, files }
    }

    fn set(text: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("jwks.json");
        fs::write(&path, text).unwrap();
        let files = KeyFiles {
            certificates: None,
            set: Some(path),
        };
        Self { folder, files }
    }

    /// Why they cannot be used, with all causes.
    fn complaint(&self) -> String {
        complaint(&self.files.load().unwrap_err())
    }
}

fn complaint(error: &KeyFileError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[test]
fn keys_come_from_both_files() {
    let root = Authority::new("root");
    let signer = key(KeyKind::Ed25519);
    let mut both = Files::certificates(&format!(
        "Somebody's notes\n{}\n-----BEGIN OTHER-----\nAAAA\n-----END OTHER-----\n{}",
        root.pem(),
        Authority::new("second").pem(),
    ));
    let path = both.folder.path().join("jwks.json");
    let keys = json!({ "keys": [signer.named_jwk("k")] });
    fs::write(&path, keys.to_string()).unwrap();
    both.files.set = Some(path);

    let trusted = both.files.load().unwrap();

    for (alg, kid, key) in [
        ("EdDSA", "k".to_owned(), signer),
        ("ES256", root.key().thumbprint(), root.key()),
    ] {
        let text = token(&json!({ "alg": alg, "kid": kid }), &claims(), key);
        assert_eq!(verifier().verify(&trusted, &text, now()), Ok(alice()));
    }
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_the_reason() {
    let missing = KeyFiles {
        certificates: Some(PathBuf::from("/no/such/bundle.pem")),
        set: None,
    };
    let broken = Authority::new("root").pem().replacen("MII", "AII", 1);
    let table = [
        (
            complaint(&missing.load().unwrap_err()),
            "/no/such/bundle.pem",
        ),
        (Files::certificates("").complaint(), "no key that may sign"),
        (Files::certificates("hello").complaint(), "bundle.pem"),
        (
            Files::certificates(&broken).complaint(),
            "certificate 1 is no",
        ),
        (
            Files::certificates("-----BEGIN CERTIFICATE-----\nAAAA\n").complaint(),
            "block 1 is no PEM",
        ),
        (Files::set("").complaint(), "no set of JSON Web Keys"),
        (Files::set("[]").complaint(), "expected an object"),
        (Files::set("{}").complaint(), "no list `keys`"),
        (
            Files::set(r#"{"keys": [1]}"#).complaint(),
            "entry 1 of `keys`",
        ),
        (
            Files::set(r#"{"keys": []}"#).complaint(),
            "no key that may sign",
        ),
        (
            Files::set(r#"{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}"#).complaint(),
            "an RSA key of 17 bits",
        ),
        (
            Files::set(r#"{"keys": [{"kty": "EC", "crv": "P-256", "x": "AA"}]}"#).complaint(),
            "`x` is missing or malformed",
        ),
        (
            Files::set(r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}"#).complaint(),
            "a secret of 6 bytes",
        ),
        (
            Files::set(r#"{"keys": [{"x": "c2VjcmV0"}]}"#).complaint(),
            "`kty` is missing",
        ),
        (
            Files::set(&" ".repeat(5 << 20)).complaint(),
            "larger than 4 MiB",
        ),
    ];

    for (complaint, expected) in table {
        assert!(complaint.contains(expected), "{complaint}");
    }
}

#[test]
fn points_that_prove_nothing_are_refused() {
    let small = [
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA",
        "7P________________________________________8",
    ];
    let off_curve =
        json!({ "kty": "EC", "crv": "P-256", "x": "A".repeat(43), "y": "A".repeat(43) });

    for x in small {
        let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": x }] });
        let complaint = Files::set(&keys.to_string()).complaint();
        assert!(complaint.contains("point"), "{complaint}");
    }
    let keys = json!({ "keys": [off_curve] });
    assert!(Files::set(&keys.to_string()).complaint().contains("point"));
}

#[test]
fn keys_for_something_else_are_passed_over() {
    let mut encryption = key(KeyKind::Rsa).named_jwk("e");
    encryption["use"] = json!("enc");
    let mut wrapping = key(KeyKind::Rsa).named_jwk("w");
    wrapping["alg"] = json!("RSA-OAEP");
    let unknown = json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": "AA" });
    let curve = json!({ "kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA" });
    let signer = key(KeyKind::P256).named_jwk("k");

    let trusted = set(&[encryption, wrapping, unknown, curve, signer]);

    for id in ["e", "w"] {
        let header = json!({ "alg": "RS256", "kid": id });
        let text = token(&header, &claims(), key(KeyKind::Rsa));
        let outcome = verifier().verify(&trusted, &text, now());
        assert_eq!(outcome, Err(TokenError::UntrustedKey));
    }
    let header = json!({ "alg": "ES256", "kid": "k" });
    let text = token(&header, &claims(), key(KeyKind::P256));
    verifier().verify(&trusted, &text, now()).unwrap();
}

#[test]
fn a_changed_file_looks_different() {
    let files = Files::set("{}");
    let path = files.folder.path().join("jwks.json");
    let before = files.files.stamp();
    assert_eq!(files.files.stamp(), before);

    fs::write(&path, "{ }").unwrap();
    let changed = files.files.stamp();
    fs::remove_file(&path).unwrap();
    let gone = files.files.stamp();

    assert_ne!(changed, before);
    assert_ne!(gone, changed);
}

#[test]
fn keys_do_not_show_in_debug_output() {
    let secret = SigningKey::secret(&[b's'; 32]);
    let trusted = set(&[secret.named_jwk("k")]);

    let shown = format!("{trusted:?}");

    assert!(shown.contains("a secret"), "{shown}");
    assert!(!shown.contains("115, 115"), "{shown}");
}
