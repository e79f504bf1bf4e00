//! No bytes are a token unless they were signed, and none make the verifier panic.
//!
//! The first byte of the input chooses whether the rest is a token as it is, or header and claims that are signed by nobody, or a file of keys.

#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use boxyard_auth::token::{Algorithm, Expected, TrustedKeys, Verifier};
use libfuzzer_sys::fuzz_target;

const CERTIFICATE: &[u8] = include_bytes!("../keys/root.pem");
const SET: &[u8] = include_bytes!("../keys/set.json");

static KEYS: LazyLock<TrustedKeys> = LazyLock::new(|| {
    let mut keys = TrustedKeys::default();
    keys.add_certificates(CERTIFICATE).expect("a certificate");
    keys.add_set(SET).expect("a set of keys");
    keys
});
static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    Verifier::new(Expected {
        issuer: "i".to_owned(),
        service: "s".to_owned(),
        algorithms: Algorithm::ALL.to_vec(),
    })
});

fuzz_target!(|input: &[u8]| {
    let Some((choice, rest)) = input.split_first() else {
        return;
    };
    match choice % 3 {
        0 => is_not_believed(&String::from_utf8_lossy(rest)),
        1 => {
            // Nobody has signed this, so that whatever is believed is a forgery.
            let mut parts = rest.splitn(3, |byte| *byte == b'\n');
            let part = |part: Option<&[u8]>| URL_SAFE_NO_PAD.encode(part.unwrap_or_default());
            let parts = [parts.next(), parts.next(), parts.next()].map(part);
            is_not_believed(&parts.join("."));
        }
        _ => {
            let mut keys = TrustedKeys::default();
            let _certificates = keys.add_certificates(rest);
            let _set = keys.add_set(rest);
        }
    }
});

/// The private keys were thrown away, so no input is signed.
fn is_not_believed(token: &str) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let verified = VERIFIER.verify(&KEYS, token, now);
    assert!(verified.is_err(), "{token} is believed: {verified:?}");
}
