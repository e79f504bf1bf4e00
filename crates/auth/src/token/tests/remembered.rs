use boxyard_testkit::token::Authority;

use super::super::Believer;
use super::*;

fn believer(trusted: TrustedKeys) -> Believer {
    Believer::new(verifier(), trusted)
}

fn named(claims: &Value) -> (TrustedKeys, String) {
    let key = key(KeyKind::P256);
    let text = token(&json!({ "alg": "ES256", "kid": "k" }), claims, key);
    (set(&[key.named_jwk("k")]), text)
}

#[test]
fn a_token_is_verified_once_and_says_the_same_each_time() {
    let (trusted, text) = named(&claims());
    let believer = believer(trusted);

    let first = believer.verify(&text, now()).unwrap();
    let again = believer.verify(&text, now()).unwrap();

    assert_eq!(*first, alice());
    assert!(Arc::ptr_eq(&first, &again));
}

#[test]
fn a_token_that_was_believed_still_expires_to_the_second() {
    let (trusted, text) = named(&claims());
    let believer = believer(trusted);
    believer.verify(&text, now()).unwrap();

    // The clocks may be a minute apart.
    assert!(believer.verify(&text, at(NOW + 359)).is_ok());
    let expired = believer.verify(&text, at(NOW + 360));

    assert_eq!(expired, Err(TokenError::Expired));
}

#[test]
fn a_token_that_was_believed_is_not_before_its_time() {
    let (trusted, text) = named(&claims());
    let believer = believer(trusted);
    believer.verify(&text, now()).unwrap();

    let early = believer.verify(&text, at(NOW - 71));

    assert_eq!(early, Err(TokenError::NotYet));
}

#[test]
fn a_token_is_no_longer_believed_than_the_certificates_behind_it() {
    const YEAR_2031: u64 = 1_924_992_000;
    let root = Authority::new("root");
    let signer = key(KeyKind::P256);
    let mut trusted = TrustedKeys::default();
    trusted.add_certificates(root.pem().as_bytes()).unwrap();
    let certificate = root.certify_for(signer, 2020..2030);
    let chain = json!([base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        certificate
    )]);
    let header = json!({ "alg": "ES256", "x5c": chain });
    let text = token(&header, &but("exp", json!(YEAR_2031 * 2)), signer);
    let believer = believer(trusted);
    believer.verify(&text, now()).unwrap();

    let outcome = believer.verify(&text, at(YEAR_2031));

    assert!(matches!(outcome, Err(TokenError::Chain(_))), "{outcome:?}");
}

#[test]
fn each_byte_of_a_token_that_was_believed_counts() {
    let (trusted, text) = named(&claims());
    let believer = believer(trusted);
    believer.verify(&text, now()).unwrap();

    for index in [0, text.len() / 2, text.len() - 3] {
        let mut bytes = text.clone().into_bytes();
        bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(believer.verify(&changed, now()).is_err(), "{index}");
    }
}
