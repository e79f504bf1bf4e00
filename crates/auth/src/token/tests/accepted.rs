use super::*;

#[test]
fn every_algorithm_is_verified_by_a_key_of_its_type() {
    for kind in KeyKind::ALL {
        let trusted = set(&[key(kind).named_jwk("k")]);
        for algorithm in kind.algorithms() {
            let header = json!({ "typ": "JWT", "alg": algorithm, "kid": "k" });
            let text = token(&header, &claims(), key(kind));

            let identity = verifier().verify(&trusted, &text, now());

            assert_eq!(identity, Ok(alice()), "{algorithm}");
        }
    }
}

#[test]
fn a_shared_secret_verifies_by_hmac() {
    let secret = SigningKey::secret(&[7; 64]);
    let trusted = set(&[secret.named_jwk("k")]);

    for algorithm in ["HS256", "HS384", "HS512"] {
        let text = token(&json!({ "alg": algorithm, "kid": "k" }), &claims(), &secret);
        let identity = verifier().verify(&trusted, &text, now());

        assert_eq!(identity, Ok(alice()), "{algorithm}");
    }
}

#[test]
fn a_key_of_a_bundle_goes_by_the_names_of_both_generations() {
    use boxyard_testkit::token::Authority;

    for kind in KeyKind::ALL {
        let signer = SigningKey::new(kind);
        let algorithm = kind.algorithms()[0];
        let ids = [signer.thumbprint(), signer.libtrust_id()];
        let header = ids.map(|id| json!({ "alg": algorithm, "kid": id }));
        let texts = header.map(|header| token(&header, &claims(), &signer));
        let authority = Authority::of(signer, "root", 2020..2030);
        let mut trusted = TrustedKeys::default();
        trusted
            .add_certificates(authority.pem().as_bytes())
            .unwrap();

        for text in texts {
            let identity = verifier().verify(&trusted, &text, now());
            assert_eq!(identity, Ok(alice()), "{kind:?}");
        }
    }
}

#[test]
fn a_coordinate_with_leading_zeros_has_distributions_name_as_well() {
    // Made until the first byte of x was zero.
    const KEY: &str = include_str!("zero.pem");
    let signer = SigningKey::from_pem(KeyKind::P256, KEY);
    let trusted = set(&[signer.jwk()]);

    for id in [ZERO_RIGHT, ZERO_SHORT] {
        let text = token(&json!({ "alg": "ES256", "kid": id }), &claims(), &signer);
        assert_eq!(verifier().verify(&trusted, &text, now()), Ok(alice()));
    }
    assert_eq!(signer.thumbprint(), ZERO_RIGHT);
}

/// Of the key in `zero.pem`, as Python computes it from the padded coordinates and from the short ones.
const ZERO_RIGHT: &str = "aG6aZMuswz7csNcm4mwFyE8sxYX4cjD7-WlRCSbGzt8";
const ZERO_SHORT: &str = "i8sZ6iPmHpi7vPyBoJazgT4_h8O3vF_5lYucsOu8nPM";

#[test]
fn a_key_in_the_header_is_believed_when_it_is_trusted_anyway() {
    let signer = key(KeyKind::P384);
    let trusted = set(&[signer.named_jwk("k")]);

    for jwk in [signer.jwk(), signer.named_jwk("k")] {
        let text = token(&json!({ "alg": "ES384", "jwk": jwk }), &claims(), signer);
        assert_eq!(verifier().verify(&trusted, &text, now()), Ok(alice()));
    }
}

#[test]
fn who_a_token_names_nobody_has_no_subject() {
    for claims in [
        without("sub"),
        but("sub", json!("")),
        but("sub", Value::Null),
    ] {
        assert_eq!(outcome(&claims).unwrap().subject, None);
    }
}

#[test]
fn an_audience_may_be_one_of_many() {
    outcome(&but("aud", json!([SERVICE]))).unwrap();
    outcome(&but("aud", json!(["other", SERVICE]))).unwrap();
}

#[test]
fn clocks_may_be_a_minute_apart() {
    let late = but("exp", json!(NOW - 59));
    let early = but("nbf", json!(NOW + 60));

    outcome(&late).unwrap();
    outcome(&early).unwrap();

    assert_eq!(outcome_at(&late, at(NOW + 1)), Err(TokenError::Expired));
    assert_eq!(outcome_at(&early, at(NOW - 1)), Err(TokenError::NotYet));
}

#[test]
fn times_may_have_a_fraction_and_be_beyond_all_clocks() {
    outcome(&but("exp", json!(1_790_000_000.5))).unwrap();
    outcome(&but("exp", json!(u64::MAX))).unwrap();
    outcome(&but("exp", json!(1e300))).unwrap();
    outcome(&but("nbf", json!(-1e300))).unwrap();
    outcome(&without("nbf")).unwrap();
}

#[test]
fn access_is_read_with_its_class() {
    let entries = json!([
        { "type": "repository", "class": "plugin", "name": "a", "actions": ["pull"] },
        { "type": "repository(plugin)", "name": "b", "actions": ["*"] },
        { "type": "registry", "name": "catalog", "actions": ["*"] },
        { "type": "future", "name": "x", "actions": ["fly"] },
        { "type": "repository", "name": "c", "actions": null },
    ]);

    let TokenIdentity {
        access, classes, ..
    } = outcome(&but("access", entries)).unwrap();

    let kinds: Vec<_> = access.iter().map(|grant| grant.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "repository",
            "repository",
            "registry",
            "future",
            "repository"
        ]
    );
    assert_eq!(
        classes,
        [("a", "plugin"), ("b", "plugin"), ("c", "image")]
            .map(|(name, class)| (name.to_owned(), class.to_owned()))
    );
    assert_eq!(access[1].actions, ["*"]);
    assert!(access[4].actions.is_empty());
}

#[test]
fn a_token_that_grants_nothing_still_says_who_it_is() {
    for claims in [
        without("access"),
        but("access", Value::Null),
        but("access", json!([])),
    ] {
        let identity = outcome(&claims).unwrap();
        assert_eq!(identity.subject.as_deref(), Some("alice"));
        assert!(identity.access.is_empty());
    }
}

#[test]
fn only_the_configured_algorithms_are_taken() {
    let signer = key(KeyKind::Rsa);
    let trusted = set(&[signer.named_jwk("k")]);
    let verifier = verifier_of(&[Algorithm::Rs256]);

    for (algorithm, outcome) in [
        ("RS256", Ok(alice())),
        ("RS512", Err(TokenError::Algorithm)),
        ("PS256", Err(TokenError::Algorithm)),
    ] {
        let text = token(&json!({ "alg": algorithm, "kid": "k" }), &claims(), signer);
        assert_eq!(verifier.verify(&trusted, &text, now()), outcome);
    }
}
