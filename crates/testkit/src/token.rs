//! Tokens as a token server makes them, and as only an attacker does: made without the code under test.
//!
//! - [`SigningKey`] signs by whatever algorithm its type knows and shows itself as a JSON Web Key.
//! - [`Authority`] makes certificates for keys.
//! - [`TokenServer`] grants tokens over HTTP and remembers who asked for what.
//! - [`token`] puts header, claims and signature together; nothing in them is checked or corrected.

mod authority;
mod key;
mod server;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub use authority::{Authority, Years, pem};
pub use key::{KeyKind, SigningKey};
pub use server::{Asked, TokenServer};

/// A token with this header and these claims, signed by `key` as the header's `alg` says.
#[track_caller]
pub fn token(header: &Value, claims: &Value, key: &SigningKey) -> String {
    let message = unsigned(header, claims);
    let algorithm = header["alg"].as_str().expect("the header has an `alg`");
    let signature = key.sign(algorithm, message.as_bytes());
    format!("{message}.{}", base64url(&signature))
}

/// The first two parts of a token.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|part| base64url(part.to_string().as_bytes()));
    format!("{header}.{claims}")
}

/// Base64 as tokens have it.
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// One entry of the claim `access`.
pub fn access(kind: &str, name: &str, actions: &[&str]) -> Value {
    json!({ "type": kind, "name": name, "actions": actions })
}
