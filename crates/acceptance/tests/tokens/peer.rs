//! The same tokens here and at distribution 3.1.1: where the two differ, there is a reason.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use boxyard_testkit::token::{
    Authority, KeyKind, SigningKey, access, base64url, pem, token, unsigned,
};
use boxyard_testkit::{Client, Setup, TestServer};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What both trust, and whoever they do not.
struct Keys {
    signers: Vec<SigningKey>,
    secret: SigningKey,
    root: Authority,
    stranger: Authority,
}

/// A token, and whether it is believed here and there.
type Row = (&'static str, String, bool, bool);

#[test]
fn the_same_tokens_are_believed_here_and_at_distribution_but_for_a_list_of_reasons() {
    let folder = TempDir::new().unwrap();
    let keys = Keys {
        signers: KeyKind::ALL.into_iter().map(SigningKey::new).collect(),
        secret: SigningKey::secret(&[9; 64]),
        root: Authority::new("root"),
        stranger: Authority::new("root"),
    };
    let config = config(folder.path(), &keys);
    let ours = Setup::new().config(&config).start();
    let theirs = Setup::new()
        .program(distribution())
        .config(&config)
        .env("OTEL_TRACES_EXPORTER", "none")
        .start();

    let rows = [alike(&keys), different(&keys)].concat();
    let mut complaints = Vec::new();
    for (name, text, here, there) in rows {
        let seen = (believes(&ours, &text), believes(&theirs, &text));
        if seen != (here, there) {
            complaints.push(format!("{name}: expected {here} and {there}, saw {seen:?}"));
        }
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
}

fn distribution() -> PathBuf {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let tools = variable("BOXYARD_TOOLS")
        .or_else(|| Some(variable("HOME")?.join(".cache/boxyard/tools")))
        .expect("the environment has a HOME");
    tools.join("bin/registry-3.1.1")
}

fn config(folder: &Path, keys: &Keys) -> Value {
    let set = folder.join("jwks.json");
    let bundle = folder.join("bundle.pem");
    let signers = KeyKind::ALL.iter().zip(&keys.signers);
    let mut jwks: Vec<Value> = signers
        .map(|(kind, key)| key.named_jwk(&format!("{kind:?}")))
        .collect();
    jwks.push(keys.secret.named_jwk("secret"));
    let mut bound = keys.signers[0].named_jwk("bound");
    bound["alg"] = json!("PS256");
    jwks.push(bound);
    fs::write(&set, json!({ "keys": jwks }).to_string()).expect("write the keys");
    fs::write(&bundle, keys.root.pem()).expect("write the certificate");
    json!({ "auth": { "token": {
        "realm": "http://127.0.0.1:9/token", "service": "s", "issuer": "i",
        "jwks": set, "rootcertbundle": bundle,
    } } })
}

/// Whether `GET /v2/` is answered by 200; a connection that breaks is a no.
fn believes(server: &TestServer, token: &str) -> bool {
    let client = Client::of(server).with_header("Authorization", &format!("Bearer {token}"));
    client.check().status() == Some(200)
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.expect("it is after 1970").as_secs()
}

fn claims(changes: &Value) -> Value {
    let mut claims = json!({
        "iss": "i", "sub": "alice", "aud": "s", "exp": now() + 300, "nbf": now() - 10,
        "access": [access("repository", "a", &["pull"])],
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    claims
}

fn x5c(der: &[u8]) -> Value {
    let text = pem(der);
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('-')).collect();
    json!([lines.concat()])
}

/// What header and key are, with the usual claims.
fn by(header: &Value, key: &SigningKey) -> String {
    token(header, &claims(&json!({})), key)
}

/// What the claims are, with a key that is trusted.
fn with(keys: &Keys, changes: &Value) -> String {
    let header = json!({ "alg": "ES256", "kid": "P256" });
    token(&header, &claims(changes), &keys.signers[1])
}

fn chained(der: &[u8]) -> Value {
    json!({ "alg": "ES256", "x5c": x5c(der) })
}

fn embedded(jwk: &Value) -> Value {
    json!({ "alg": "ES256", "jwk": jwk })
}

/// Tokens that both believe, or neither.
fn alike(keys: &Keys) -> Vec<Row> {
    let both = |(name, text)| (name, text, true, true);
    let neither = |(name, text)| (name, text, false, false);
    let good = trusted(keys).into_iter().chain(algorithms(keys));
    let bad = forged(keys).into_iter().chain(out_of_bounds(keys));
    good.map(both).chain(bad.map(neither)).collect()
}

fn trusted(keys: &Keys) -> Vec<(&'static str, String)> {
    let (signer, root) = (&keys.signers[1], &keys.root);
    let thumbprint = json!({ "alg": "ES256", "kid": root.key().thumbprint() });
    let named = embedded(&signer.named_jwk("P256"));
    vec![
        ("thumbprint", by(&thumbprint, root.key())),
        ("chain", by(&chained(&root.certify(signer)), signer)),
        ("root itself", by(&chained(root.der()), root.key())),
        ("key by name", by(&named, signer)),
        ("audiences", with(keys, &json!({ "aud": ["x", "s"] }))),
        ("no subject", with(keys, &json!({ "sub": "" }))),
        ("nothing granted", with(keys, &json!({ "access": null }))),
        ("leeway", with(keys, &json!({ "exp": now() - 30 }))),
    ]
}

fn algorithms(keys: &Keys) -> Vec<(&'static str, String)> {
    let signers = KeyKind::ALL.iter().zip(&keys.signers);
    let tokens = signers.flat_map(|(kind, key)| {
        kind.algorithms().iter().map(move |algorithm| {
            let header = json!({ "alg": algorithm, "kid": format!("{kind:?}") });
            (*algorithm, by(&header, key))
        })
    });
    tokens.collect()
}

fn forged(keys: &Keys) -> Vec<(&'static str, String)> {
    let (signer, root) = (&keys.signers[1], &keys.root);
    let none = json!({ "alg": "none", "kid": "P256" });
    let plain = unsigned(&none, &claims(&json!({})));
    let public = SigningKey::secret(keys.signers[0].public_pem().as_bytes());
    let other = SigningKey::new(KeyKind::P256);
    let named = |id: &str| json!({ "alg": "ES256", "kid": id });
    let expired = root.certify_for(signer, 2000..2010);
    let critical = json!({ "alg": "ES256", "kid": "P256", "crit": ["x"], "x": 1 });
    let curve = json!({ "alg": "ES384", "kid": "P256" });
    let confused = json!({ "alg": "HS256", "kid": "Rsa" });
    let stranger = &keys.stranger;
    vec![
        ("none", format!("{plain}.")),
        ("none, signed", format!("{plain}.{}", base64url(b"x"))),
        ("public key as secret", by(&confused, &public)),
        ("unknown name", by(&named("x"), signer)),
        ("no name", by(&json!({ "alg": "ES256" }), signer)),
        ("forged name", by(&named("P256"), &other)),
        ("forged key", by(&embedded(&other.jwk()), &other)),
        (
            "posing key",
            by(&embedded(&other.named_jwk("P256")), &other),
        ),
        ("forged chain", by(&chained(stranger.der()), stranger.key())),
        ("expired chain", by(&chained(&expired), signer)),
        ("extension", by(&critical, signer)),
        ("another curve", by(&curve, &keys.signers[2])),
        ("no token", "x".to_owned()),
    ]
}

fn out_of_bounds(keys: &Keys) -> Vec<(&'static str, String)> {
    vec![
        ("expired", with(keys, &json!({ "exp": now() - 120 }))),
        ("never ends", with(keys, &json!({ "exp": null }))),
        ("too early", with(keys, &json!({ "nbf": now() + 120 }))),
        ("another issuer", with(keys, &json!({ "iss": "x" }))),
        ("another audience", with(keys, &json!({ "aud": "x" }))),
        ("a number for a name", with(keys, &json!({ "sub": 7 }))),
        ("a text for a time", with(keys, &json!({ "exp": "7" }))),
    ]
}

/// Tokens that only one believes, each with the reason.
fn different(keys: &Keys) -> Vec<Row> {
    let (signer, root) = (&keys.signers[1], &keys.root);
    let second = json!({ "alg": "ES256", "kid": root.key().libtrust_id() });
    let secret = json!({ "alg": "HS256", "kid": "secret" });
    let bound = json!({ "alg": "RS256", "kid": "bound" });
    let fraction = with(keys, &json!({ "exp": 4_000_000_000.5 }));
    vec![
        // Version 3 of distribution has forgotten the names of version 2.
        ("name of version 2", by(&second, root.key()), true, false),
        // It reads secrets, but takes the public part of each key, and a secret has none.
        ("secret", by(&secret, &keys.secret), true, false),
        // It looks a key in the header up by its `kid` only, not by what it is.
        (
            "nameless key",
            by(&embedded(&signer.jwk()), signer),
            true,
            false,
        ),
        // RFC 7519 lets times have fractions; Go's integers do not.
        ("fraction of a second", fraction, true, false),
        // RFC 7517 section 4.4: the key is intended for this algorithm.
        (
            "key for another algorithm",
            by(&bound, &keys.signers[0]),
            false,
            true,
        ),
    ]
}
