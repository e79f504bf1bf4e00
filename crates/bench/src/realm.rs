//! Who lets clients in: one key signs the tokens of all registries, and one authority certifies all servers.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use boxyard_testkit::token::{Authority, KeyKind, SigningKey, access, token};
use serde_json::{Value, json};

use crate::contender::Contender;

/// What a client may do where: a type, a name and actions.
pub(crate) type Right<'a> = (&'a str, &'a str, &'a [&'a str]);

/// Everything in one repository.
pub(crate) const ALL: &[&str] = &["pull", "push", "delete"];

/// How long a token is good for: longer than any bench.
const SECONDS: u64 = 24 * 60 * 60;

static AUTHORITY: OnceLock<Authority> = OnceLock::new();

/// RSA is what most token servers sign with, and what costs a registry least to verify.
fn authority() -> &'static Authority {
    AUTHORITY.get_or_init(|| Authority::of(SigningKey::new(KeyKind::Rsa), "bench", 2000..2200))
}

/// The lines of a configuration that make a registry believe our tokens.
pub(crate) fn config(folder: &Path) -> Result<String> {
    let bundle = folder.join("bundle.pem");
    fs::write(&bundle, authority().pem()).context("write the certificate of the tokens")?;
    Ok(format!(
        "auth:\n  token:\n    realm: http://127.0.0.1:9/token\n    service: bench\n    issuer: bench\n    rootcertbundle: {}\n",
        bundle.display()
    ))
}

/// A token for `rights`; the same for each registry but for the name of the key, which version 2 of distribution has its own way for.
pub(crate) fn grant(contender: Contender, rights: &[Right<'_>]) -> String {
    let key = authority().key();
    let id = match contender {
        Contender::Distribution2 => key.libtrust_id(),
        _ => key.thumbprint(),
    };
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = since.map_or(0, |since| since.as_secs());
    let entries: Vec<Value> = rights
        .iter()
        .map(|(kind, name, actions)| access(kind, name, actions))
        .collect();
    let claims = json!({
        "iss": "bench", "sub": "bench", "aud": "bench", "jti": "bench",
        "iat": now, "nbf": now - 10, "exp": now + SECONDS, "access": entries,
    });
    token(
        &json!({ "typ": "JWT", "alg": "RS256", "kid": id }),
        &claims,
        key,
    )
}
