use boxyard_testkit::token::{base64url, unsigned};

use super::*;

const HEADER: &str = r#"{"alg":"ES256","kid":"k"}"#;

/// What becomes of a header and claims as they are written, signed by a key that is trusted as `k`.
fn raw(header: &str, claims: &str) -> Result<TokenIdentity, TokenError> {
    let key = key(KeyKind::P256);
    let message = format!(
        "{}.{}",
        base64url(header.as_bytes()),
        base64url(claims.as_bytes())
    );
    let signature = key.sign("ES256", message.as_bytes());
    let text = format!("{message}.{}", base64url(&signature));
    verify(&text)
}

fn verify(text: &str) -> Result<TokenIdentity, TokenError> {
    let trusted = set(&[key(KeyKind::P256).named_jwk("k")]);
    verifier().verify(&trusted, text, now())
}

fn good() -> String {
    let header = json!({ "alg": "ES256", "kid": "k" });
    token(&header, &claims(), key(KeyKind::P256))
}

#[test]
fn what_has_not_the_form_of_a_token_is_refused() {
    let token = good();
    let parts: Vec<_> = token.split('.').collect();
    let (header, claims, signature) = (parts[0], parts[1], parts[2]);
    let table = [
        (String::new(), TokenError::Parts),
        ("token".to_owned(), TokenError::Parts),
        ("..".to_owned(), TokenError::NoSignature),
        (format!("{header}.{claims}"), TokenError::Parts),
        (format!("{token}.x"), TokenError::Parts),
        (format!("{header}.{claims}."), TokenError::NoSignature),
        (format!("{header}.{claims}.!"), TokenError::NoSignature),
        (format!("{token}="), TokenError::NoSignature),
        (format!("{token}\n"), TokenError::NoSignature),
        (format!(".{claims}.{signature}"), TokenError::Header),
        (
            format!("x{header}.{claims}.{signature}"),
            TokenError::Header,
        ),
        (format!("{header}..{signature}"), TokenError::Signature),
        (token[..token.len() - 2].to_owned(), TokenError::Signature),
        (format!("{token}AAAA"), TokenError::Signature),
        ("a".repeat(65_537), TokenError::TooLong),
    ];

    verify(&token).unwrap();
    for (text, error) in table {
        let shown = &text[..text.len().min(200)];
        assert_eq!(verify(&text), Err(error), "{shown}");
    }
}

#[test]
fn every_changed_letter_of_a_token_is_noticed() {
    let token = good();

    for place in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(verify(&changed).is_err(), "letter {place}");
    }
}

#[test]
fn an_algorithm_that_is_none_or_unknown_is_refused() {
    let claims = claims().to_string();

    for name in [
        "none", "None", "NONE", "", "es256", "ES256K", "HS1", "RSA-OAEP", "dir",
    ] {
        let header = json!({ "alg": name, "kid": "k" }).to_string();
        assert_eq!(raw(&header, &claims), Err(TokenError::Algorithm), "{name}");
    }
    for header in [r#"{"kid":"k"}"#, r#"{"alg":null,"kid":"k"}"#] {
        assert_eq!(raw(header, &claims), Err(TokenError::Algorithm));
    }
    let unsigned = unsigned(&json!({ "alg": "none", "kid": "k" }), &super::claims());
    assert_eq!(
        verify(&format!("{unsigned}.")),
        Err(TokenError::NoSignature)
    );
}

#[test]
fn a_key_is_never_used_with_the_algorithm_of_another_type() {
    for kind in KeyKind::ALL {
        let trusted = set(&[key(kind).named_jwk("k")]);
        for other in KeyKind::ALL.into_iter().filter(|other| *other != kind) {
            for algorithm in other.algorithms() {
                let header = json!({ "alg": algorithm, "kid": "k" });
                let text = token(&header, &claims(), key(other));
                let outcome = verifier().verify(&trusted, &text, now());
                assert_eq!(outcome, Err(TokenError::Signature), "{kind:?} {algorithm}");
            }
        }
    }
}

#[test]
fn a_public_key_is_never_a_secret() {
    for kind in KeyKind::ALL {
        let signer = key(kind);
        let trusted = set(&[signer.named_jwk("k")]);
        let jwk = signer.named_jwk("k").to_string();
        let secrets = [
            signer.public_pem().into_bytes(),
            signer.public_pem().trim_end().as_bytes().to_vec(),
            signer.public_der(),
            jwk.into_bytes(),
            b"k".to_vec(),
            Vec::new(),
        ];
        for secret in &secrets {
            for algorithm in ["HS256", "HS384", "HS512"] {
                let header = json!({ "alg": algorithm, "kid": "k" });
                let text = token(&header, &claims(), &SigningKey::secret(secret));
                let outcome = verifier().verify(&trusted, &text, now());
                assert_eq!(outcome, Err(TokenError::Signature), "{kind:?} {algorithm}");
            }
        }
    }
}

#[test]
fn a_secret_is_used_only_with_hashes_that_it_is_long_enough_for() {
    let secret = SigningKey::secret(&[7; 48]);
    let trusted = set(&[secret.named_jwk("k")]);

    for (algorithm, is_taken) in [("HS256", true), ("HS384", true), ("HS512", false)] {
        let text = token(&json!({ "alg": algorithm, "kid": "k" }), &claims(), &secret);
        let outcome = verifier().verify(&trusted, &text, now());
        assert_eq!(outcome.is_ok(), is_taken, "{algorithm}");
    }
}

#[test]
fn a_key_that_says_what_it_is_for_is_used_for_nothing_else() {
    let signer = key(KeyKind::Rsa);
    let mut jwk = signer.named_jwk("k");
    jwk["alg"] = json!("PS256");
    let trusted = set(&[jwk]);

    for (algorithm, is_taken) in [("PS256", true), ("RS256", false)] {
        let text = token(&json!({ "alg": algorithm, "kid": "k" }), &claims(), signer);
        let outcome = verifier().verify(&trusted, &text, now());
        assert_eq!(outcome.is_ok(), is_taken, "{algorithm}");
    }
}

#[test]
fn keys_that_nobody_trusts_are_refused_however_they_come() {
    let trusted_key = key(KeyKind::P256);
    let forger = SigningKey::new(KeyKind::P256);
    let secret = SigningKey::secret(&[1; 64]);
    let mut posing = forger.jwk();
    posing["kid"] = json!("k");
    let table = [
        (json!({ "alg": "ES256" }), TokenError::UntrustedKey),
        (
            json!({ "alg": "ES256", "kid": "" }),
            TokenError::UntrustedKey,
        ),
        (
            json!({ "alg": "ES256", "kid": "unknown" }),
            TokenError::UntrustedKey,
        ),
        (
            json!({ "alg": "ES256", "kid": "../../k" }),
            TokenError::UntrustedKey,
        ),
        (json!({ "alg": "ES256", "kid": "k" }), TokenError::Signature),
        (
            json!({ "alg": "ES256", "jwk": forger.jwk() }),
            TokenError::UntrustedKey,
        ),
        // The name leads to the trusted key, which has not signed.
        (
            json!({ "alg": "ES256", "jwk": posing }),
            TokenError::Signature,
        ),
        (
            json!({ "alg": "ES256", "kid": "k", "jwk": forger.jwk() }),
            TokenError::UntrustedKey,
        ),
        (
            json!({ "alg": "ES256", "jwk": trusted_key.jwk() }),
            TokenError::Signature,
        ),
        (
            json!({ "alg": "ES256", "jwk": secret.jwk() }),
            TokenError::UntrustedKey,
        ),
        (
            json!({ "alg": "ES256", "jku": "http://127.0.0.1:9/jwks", "x5u": "http://127.0.0.1:9/x" }),
            TokenError::UntrustedKey,
        ),
    ];

    for (header, error) in table {
        let text = token(&header, &claims(), &forger);
        assert_eq!(verify(&text), Err(error), "{header}");
    }
    let header = json!({ "alg": "HS256", "jwk": secret.jwk() });
    let text = token(&header, &claims(), &secret);
    assert_eq!(verify(&text), Err(TokenError::UntrustedKey));
}

#[test]
fn a_broken_key_in_the_header_is_not_trusted() {
    let table = [
        json!({}),
        json!({ "kty": "EC" }),
        json!({ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" }),
        json!({ "kty": "EC", "crv": "P-256", "x": "A".repeat(43), "y": "A".repeat(43) }),
        json!({ "kty": "EC", "crv": "secp256k1", "x": "A".repeat(43), "y": "A".repeat(43) }),
        json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" }),
        json!({ "kty": "RSA", "n": "_".repeat(9_000), "e": "AQAB" }),
        json!({ "kty": "OKP", "crv": "Ed448", "x": "AA" }),
        json!({ "kty": 7 }),
    ];

    for jwk in table {
        let header = json!({ "alg": "ES256", "jwk": jwk });
        let text = token(&header, &claims(), key(KeyKind::P256));
        assert_eq!(verify(&text), Err(TokenError::UntrustedKey), "{header}");
    }
}

#[test]
fn a_token_of_another_issuer_or_for_another_service_is_refused() {
    let table = [
        (without("iss"), TokenError::Issuer),
        (but("iss", json!("")), TokenError::Issuer),
        (
            but("iss", json!("https://issuer.example/")),
            TokenError::Issuer,
        ),
        (without("aud"), TokenError::Audience),
        (but("aud", Value::Null), TokenError::Audience),
        (but("aud", json!("other")), TokenError::Audience),
        (but("aud", json!([])), TokenError::Audience),
        (but("aud", json!(["a", "b"])), TokenError::Audience),
        (
            but("aud", json!("registry.example,x")),
            TokenError::Audience,
        ),
    ];

    for (claims, error) in table {
        assert_eq!(outcome(&claims), Err(error), "{claims}");
    }
}

#[test]
fn a_token_is_refused_before_and_after_its_time() {
    let table = [
        (without("exp"), TokenError::Expired),
        (but("exp", Value::Null), TokenError::Expired),
        (but("exp", json!(0)), TokenError::Expired),
        (but("exp", json!(-1)), TokenError::Expired),
        (but("exp", json!(i64::MIN)), TokenError::Expired),
        (but("exp", json!(-1e300)), TokenError::Expired),
        (but("exp", json!(NOW - 60)), TokenError::Expired),
        (but("nbf", json!(NOW + 61)), TokenError::NotYet),
        (but("nbf", json!(u64::MAX)), TokenError::NotYet),
        (but("nbf", json!(1e300)), TokenError::NotYet),
    ];

    for (claims, error) in table {
        assert_eq!(outcome(&claims), Err(error), "{claims}");
    }
}

#[test]
fn claims_of_the_wrong_type_are_refused() {
    let wrong: [(&str, &[Value]); 8] = [
        ("iss", &[json!(1), json!([ISSUER])]),
        ("sub", &[json!(1), json!(["alice"]), json!({})]),
        ("aud", &[json!(1), json!({}), json!([SERVICE, 1])]),
        ("exp", &[json!("1790000300"), json!(true), json!([])]),
        ("nbf", &[json!("0"), json!({})]),
        ("iat", &[json!("0")]),
        ("jti", &[json!(1)]),
        (
            "access",
            &[
                json!({}),
                json!("repository:a:pull"),
                json!([1]),
                json!([null]),
                json!([{ "type": 1, "name": "a", "actions": [] }]),
                json!([{ "type": "repository", "name": ["a"], "actions": [] }]),
                json!([{ "type": "repository", "name": "a", "actions": "pull" }]),
                json!([{ "type": "repository", "name": "a", "actions": [1] }]),
                json!([{ "type": "repository", "class": 1, "name": "a", "actions": [] }]),
            ],
        ),
    ];

    for (name, values) in wrong {
        for value in values {
            let outcome = outcome(&but(name, value.clone()));
            assert!(
                matches!(outcome, Err(TokenError::Type { .. })),
                "{name}: {value}: {outcome:?}"
            );
        }
    }
}

#[test]
fn headers_of_the_wrong_type_are_refused() {
    let claims = claims().to_string();

    for header in [
        r#"{"alg":1}"#,
        r#"{"alg":["ES256"]}"#,
        r#"{"alg":"ES256","kid":1}"#,
        r#"{"alg":"ES256","kid":["k"]}"#,
        r#"{"alg":"ES256","kid":"k","jwk":"k"}"#,
        r#"{"alg":"ES256","kid":"k","x5c":"k"}"#,
        r#"{"alg":"ES256","kid":"k","x5c":[1]}"#,
    ] {
        let outcome = raw(header, &claims);
        assert!(matches!(outcome, Err(TokenError::Type { .. })), "{header}");
    }
    let critical = r#"{"alg":"ES256","kid":"k","crit":["b64"],"b64":false}"#;
    assert_eq!(raw(critical, &claims), Err(TokenError::Critical));
}

#[test]
fn what_two_readers_may_read_differently_is_refused() {
    let claims = claims().to_string();
    let twice = claims.replacen('{', r#"{"sub":"root","#, 1);
    let deep = claims.replacen(
        '{',
        &format!("{{\"x\":{}{},", "[".repeat(64), "]".repeat(64)),
        1,
    );

    raw(HEADER, &claims).unwrap();

    assert_eq!(raw(HEADER, &twice), Err(TokenError::Claims));
    assert_eq!(raw(HEADER, &deep), Err(TokenError::Claims));
    assert_eq!(
        raw(HEADER, &format!("{claims}{{}}")),
        Err(TokenError::Claims)
    );
    assert_eq!(raw(HEADER, "[]"), Err(TokenError::Claims));
    assert_eq!(raw(HEADER, "\u{feff}{}"), Err(TokenError::Claims));
    let header = r#"{"alg":"none","alg":"ES256","kid":"k"}"#;
    assert_eq!(raw(header, &claims), Err(TokenError::Header));
}

#[test]
fn a_token_with_too_much_access_is_refused() {
    let many = vec![json!({}); 1_025];
    let actions = vec!["pull"; 65];

    let resources = outcome(&but("access", json!(many)));
    let actions = outcome(&but("access", json!([access("repository", "a", &actions)])));

    assert_eq!(resources, Err(TokenError::TooMuchAccess));
    assert_eq!(actions, Err(TokenError::TooMuchAccess));
}

#[test]
fn odd_signatures_of_edwards_curve_are_refused() {
    let signer = key(KeyKind::Ed25519);
    let trusted = set(&[signer.named_jwk("k")]);
    let message = unsigned(&json!({ "alg": "EdDSA", "kid": "k" }), &claims());
    let signature = signer.sign("EdDSA", message.as_bytes());
    let mut unreduced = signature.clone();
    add_order(&mut unreduced[32..]);
    let mut identity = vec![0; 64];
    identity[0] = 1;
    let verify = |signature: &[u8]| {
        let text = format!("{message}.{}", base64url(signature));
        verifier().verify(&trusted, &text, now())
    };

    verify(&signature).unwrap();

    for odd in [&unreduced, &identity, &vec![0; 64], &vec![255; 64]] {
        assert_eq!(verify(odd), Err(TokenError::Signature));
    }
}

/// Adds the order of the group to a number in little-endian bytes: the same number to whoever does not look.
fn add_order(number: &mut [u8]) {
    const ORDER: [u8; 16] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14,
    ];
    let mut carry = 0;
    for (place, byte) in number.iter_mut().enumerate() {
        let order = match place {
            0..16 => ORDER[place],
            31 => 0x10,
            _ => 0,
        };
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
}
