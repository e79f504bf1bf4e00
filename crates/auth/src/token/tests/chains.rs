use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use boxyard_testkit::token::Authority;

use super::super::ChainError;
use super::*;

fn bundle(authorities: &[&Authority]) -> TrustedKeys {
    let mut trusted = TrustedKeys::default();
    for authority in authorities {
        trusted
            .add_certificates(authority.pem().as_bytes())
            .unwrap();
    }
    trusted
}

fn x5c(certificates: &[&[u8]]) -> Value {
    let encoded = certificates.iter().map(|der| STANDARD.encode(der));
    json!(encoded.collect::<Vec<_>>())
}

fn verify(
    trusted: &TrustedKeys,
    chain: &Value,
    signer: &SigningKey,
) -> Result<TokenIdentity, TokenError> {
    let text = token(&json!({ "alg": "ES256", "x5c": chain }), &claims(), signer);
    verifier().verify(trusted, &text, now())
}

fn is_unproven(outcome: &Result<TokenIdentity, TokenError>) -> bool {
    matches!(outcome, Err(TokenError::Chain(ChainError::Unproven { .. })))
}

#[test]
fn a_chain_to_a_root_of_the_bundle_vouches_for_its_key() {
    let root = Authority::new("root");
    let intermediate = root.intermediate("intermediate");
    let signer = key(KeyKind::P256);
    let trusted = bundle(&[&Authority::new("other"), &root]);

    let direct = verify(&trusted, &x5c(&[&root.certify(signer)]), signer);
    let chain = x5c(&[&intermediate.certify(signer), intermediate.der()]);
    let longer = verify(&trusted, &chain, signer);

    assert_eq!(direct, Ok(alice()));
    assert_eq!(longer, Ok(alice()));
}

#[test]
fn a_chain_vouches_for_keys_of_every_type() {
    let root = Authority::new("root");
    let trusted = bundle(&[&root]);

    for kind in KeyKind::ALL {
        let chain = x5c(&[&root.certify(key(kind))]);
        let header = json!({ "alg": kind.algorithms()[0], "x5c": chain });
        let text = token(&header, &claims(), key(kind));
        assert_eq!(verifier().verify(&trusted, &text, now()), Ok(alice()));
    }
}

#[test]
fn a_root_may_sign_itself() {
    let root = Authority::new("root");
    let trusted = bundle(&[&root]);

    let outcome = verify(&trusted, &x5c(&[root.der()]), root.key());

    assert_eq!(outcome, Ok(alice()));
}

#[test]
fn a_chain_to_another_root_vouches_for_nothing() {
    let root = Authority::new("root");
    let stranger = Authority::new("root");
    let signer = key(KeyKind::P256);
    let trusted = bundle(&[&root]);
    let forged = stranger.certify(signer);

    for chain in [
        x5c(&[&forged]),
        x5c(&[&forged, stranger.der()]),
        x5c(&[&forged, root.der()]),
    ] {
        assert!(is_unproven(&verify(&trusted, &chain, signer)));
    }
    let itself = verify(&trusted, &x5c(&[stranger.der()]), stranger.key());
    assert!(matches!(itself, Err(TokenError::Chain(_))), "{itself:?}");
}

#[test]
fn a_set_of_keys_vouches_for_no_certificate() {
    let root = Authority::new("root");
    let signer = key(KeyKind::P256);
    let trusted = set(&[root.key().named_jwk("k"), signer.named_jwk("s")]);

    let outcome = verify(&trusted, &x5c(&[&root.certify(signer)]), signer);

    assert!(is_unproven(&outcome), "{outcome:?}");
}

#[test]
fn only_who_may_make_certificates_vouches_for_others() {
    let root = Authority::new("root");
    let signer = key(KeyKind::P256);
    let leaf = Authority::of(SigningKey::new(KeyKind::P256), "signer", 2000..2200);
    let mut trusted = bundle(&[&root]);
    let certificate = boxyard_testkit::token::pem(&root.certify(leaf.key()));
    trusted.add_certificates(certificate.as_bytes()).unwrap();
    let intermediate = root.certify(leaf.key());

    let forged = leaf.certify(signer);

    assert!(is_unproven(&verify(&trusted, &x5c(&[&forged]), signer)));
    assert!(is_unproven(&verify(
        &trusted,
        &x5c(&[&forged, &intermediate]),
        signer
    )));
}

#[test]
fn a_certificate_vouches_only_in_its_time() {
    let root = Authority::new("root");
    let signer = key(KeyKind::P256);
    let trusted = bundle(&[&root]);

    for years in [2000..2010, 2100..2110] {
        let chain = x5c(&[&root.certify_for(signer, years)]);
        assert!(is_unproven(&verify(&trusted, &chain, signer)));
    }
    for years in [2000..2010, 2100..2110] {
        let old = Authority::of(SigningKey::new(KeyKind::P256), "old", years);
        let trusted = bundle(&[&old]);
        let itself = verify(&trusted, &x5c(&[old.der()]), old.key());
        assert_eq!(itself, Err(TokenError::Chain(ChainError::NotNow)));
        let below = verify(&trusted, &x5c(&[&old.certify(signer)]), signer);
        assert!(is_unproven(&below), "{below:?}");
    }
}

#[test]
fn the_key_of_the_first_certificate_must_have_signed() {
    let root = Authority::new("root");
    let trusted = bundle(&[&root]);
    let chain = x5c(&[&root.certify(key(KeyKind::P256))]);
    let other = SigningKey::new(KeyKind::P256);

    assert_eq!(verify(&trusted, &chain, &other), Err(TokenError::Signature));
    assert_eq!(
        verify(&trusted, &x5c(&[root.der()]), &other),
        Err(TokenError::Signature)
    );
}

#[test]
fn a_trusted_name_does_not_save_a_forged_chain() {
    let root = Authority::new("root");
    let forger = Authority::new("root");
    let trusted = bundle(&[&root]);
    let header = json!({
        "alg": "ES256", "kid": root.key().thumbprint(), "x5c": x5c(&[forger.der()]),
    });

    let text = token(&header, &claims(), root.key());

    let outcome = verifier().verify(&trusted, &text, now());
    assert!(matches!(outcome, Err(TokenError::Chain(_))), "{outcome:?}");
}

#[test]
fn broken_and_endless_chains_are_refused() {
    let root = Authority::new("root");
    let signer = key(KeyKind::P256);
    let trusted = bundle(&[&root]);
    let leaf = root.certify(signer);
    let many = vec![leaf.as_slice(); 9];

    let table = [
        json!([""]),
        json!(["!"]),
        json!([STANDARD.encode(b"no certificate")]),
        json!([STANDARD.encode(&leaf[..leaf.len() - 1])]),
        json!([STANDARD.encode([&leaf[..], b"x"].concat())]),
        json!([STANDARD.encode(&leaf), "!"]),
        x5c(&many),
    ];

    for chain in table {
        let outcome = verify(&trusted, &chain, signer);
        assert!(matches!(outcome, Err(TokenError::Chain(_))), "{chain}");
    }
    verify(&trusted, &x5c(&many[..8]), signer).unwrap();
}

#[test]
fn a_key_in_the_header_may_bring_its_own_chain() {
    let root = Authority::new("root");
    let trusted = bundle(&[&root]);
    let signer = SigningKey::new(KeyKind::P256);
    let forger = SigningKey::new(KeyKind::P256);
    let jwk = |key: &SigningKey, chain: Value| {
        let mut jwk = key.jwk();
        jwk["x5c"] = chain;
        json!({ "alg": "ES256", "jwk": jwk })
    };
    let chain = x5c(&[&root.certify(&signer)]);
    let verify = |header: &Value, key: &SigningKey| {
        verifier().verify(&trusted, &token(header, &claims(), key), now())
    };

    assert_eq!(verify(&jwk(&signer, chain.clone()), &signer), Ok(alice()));

    let other = verify(&jwk(&forger, chain), &forger);
    assert_eq!(other, Err(TokenError::UntrustedKey));
    let own = Authority::new("root").certify(&forger);
    assert!(is_unproven(&verify(&jwk(&forger, x5c(&[&own])), &forger)));
}
