use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use boxyard_testkit::token::{KeyKind, SigningKey, access, token};
use serde_json::{Value, json};

use super::{Algorithm, Expected, TokenError, TrustedKeys, Verifier};
use crate::identity::{Grant, TokenIdentity};

mod accepted;
mod chains;
mod files;
mod rejected;
mod remembered;

const ISSUER: &str = "https://issuer.example";
const SERVICE: &str = "registry.example";
/// Some Tuesday in 2026.
const NOW: u64 = 1_790_000_000;

/// One key of each type for all tests: to make one of RSA takes its time.
static KEYS: LazyLock<Vec<SigningKey>> =
    LazyLock::new(|| KeyKind::ALL.into_iter().map(SigningKey::new).collect());

fn key(kind: KeyKind) -> &'static SigningKey {
    let index = KeyKind::ALL.iter().position(|known| *known == kind);
    &KEYS[index.unwrap()]
}

fn now() -> SystemTime {
    at(NOW)
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn verifier() -> Verifier {
    verifier_of(&Algorithm::ALL)
}

fn verifier_of(algorithms: &[Algorithm]) -> Verifier {
    Verifier::new(Expected {
        issuer: ISSUER.to_owned(),
        service: SERVICE.to_owned(),
        algorithms: algorithms.to_vec(),
    })
}

/// What a set of these keys is trusted with.
fn set(keys: &[Value]) -> TrustedKeys {
    let mut trusted = TrustedKeys::default();
    let text = json!({ "keys": keys }).to_string();
    trusted.add_set(text.as_bytes()).unwrap();
    trusted
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "alice", "aud": SERVICE,
        "exp": NOW + 300, "nbf": NOW - 10, "iat": NOW, "jti": "1",
        "access": [access("repository", "some/app", &["pull", "push"])],
    })
}

/// The usual claims but for one.
fn but(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

/// The usual claims without one.
fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn alice() -> TokenIdentity {
    TokenIdentity {
        subject: Some("alice".to_owned()),
        access: vec![Grant {
            kind: "repository".to_owned(),
            name: "some/app".to_owned(),
            actions: vec!["pull".to_owned(), "push".to_owned()],
        }],
        classes: vec![("some/app".to_owned(), "image".to_owned())],
    }
}

/// What becomes of these claims, signed by a key that is trusted.
fn outcome(claims: &Value) -> Result<TokenIdentity, TokenError> {
    outcome_at(claims, now())
}

fn outcome_at(claims: &Value, now: SystemTime) -> Result<TokenIdentity, TokenError> {
    let key = key(KeyKind::P256);
    let trusted = set(&[key.named_jwk("k")]);
    let text = token(&json!({ "alg": "ES256", "kid": "k" }), claims, key);
    verifier().verify(&trusted, &text, now)
}
