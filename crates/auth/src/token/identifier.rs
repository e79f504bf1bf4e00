//! What the keys of certificates are called in the `kid` of a token.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::key::{Curve, VerifyingKey};

/// The thumbprints of a public key (RFC 7638), by SHA-256; a secret has none.
///
/// The first is the right one.
/// Distribution leaves out the zeros that a coordinate begins with, so that one key of an elliptic curve in some hundred has another name there.
pub(super) fn thumbprints(key: &VerifyingKey) -> Vec<String> {
    match key {
        VerifyingKey::Rsa { modulus, exponent } => vec![hashed(&format!(
            r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
            URL_SAFE_NO_PAD.encode(exponent),
            URL_SAFE_NO_PAD.encode(modulus),
        ))],
        VerifyingKey::Elliptic { curve, point } => {
            let (x, y) = point[1..].split_at(curve.coordinate());
            let mut names = vec![elliptic(*curve, x, y)];
            let short = elliptic(*curve, shortened(x), shortened(y));
            if short != names[0] {
                names.push(short);
            }
            names
        }
        VerifyingKey::Ed25519 { point } => vec![hashed(&format!(
            r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#,
            URL_SAFE_NO_PAD.encode(point),
        ))],
        VerifyingKey::Secret(_) => Vec::new(),
    }
}

fn elliptic(curve: Curve, x: &[u8], y: &[u8]) -> String {
    hashed(&format!(
        r#"{{"crv":"{}","kty":"EC","x":"{}","y":"{}"}}"#,
        curve.name(),
        URL_SAFE_NO_PAD.encode(x),
        URL_SAFE_NO_PAD.encode(y),
    ))
}

fn shortened(coordinate: &[u8]) -> &[u8] {
    let start = coordinate.iter().position(|byte| *byte != 0);
    &coordinate[start.unwrap_or(coordinate.len())..]
}

fn hashed(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

/// The name that distribution 2 knows a key by: 240 bits of the hash of its DER, in twelve groups of base32.
pub(super) fn libtrust(public_key_info: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let hash = digest(&SHA256, public_key_info);
    let mut name = String::with_capacity(59);
    // Five bytes are eight letters, two groups.
    for five in hash.as_ref()[..30].chunks_exact(5) {
        let bits = five
            .iter()
            .fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
        for letter in 0..8 {
            if letter % 4 == 0 && !name.is_empty() {
                name.push(':');
            }
            let index = (bits >> (35 - 5 * letter)) & 31;
            name.push(char::from(ALPHABET[index as usize]));
        }
    }
    name
}
