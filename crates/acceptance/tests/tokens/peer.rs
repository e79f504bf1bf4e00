//! The same tokens here and at distribution 3.1.1: where the two differ, there is a reason.
//!
//! Whoever is refused is told the same by both.

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

impl Keys {
    fn new() -> Self {
        Self {
            signers: KeyKind::ALL.into_iter().map(SigningKey::new).collect(),
            secret: SigningKey::secret(&[9; 64]),
            root: Authority::new("root"),
            stranger: Authority::new("root"),
        }
    }
}

/// A token, and whether it is believed here and there.
type Row = (&'static str, String, bool, bool);

#[test]
fn the_same_tokens_are_believed_here_and_at_distribution_but_for_a_list_of_reasons() {
    let folder = TempDir::new().unwrap();
    let keys = Keys::new();
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
        let [own, other] = [&ours, &theirs].map(|server| asked(server, "GET", TAGS, Some(&text)));
        if !here && !there && !is_the_same_refusal(&own, &other) {
            complaints.push(format!("{name}: {own:?} here, {other:?} there"));
        }
        let seen = (believes(&ours, &text), believes(&theirs, &text));
        if seen != (here, there) {
            complaints.push(format!("{name}: expected {here} and {there}, saw {seen:?}"));
        }
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn every_request_is_answered_by_the_challenge_of_distribution() {
    let folder = TempDir::new().unwrap();
    let keys = Keys::new();
    let config = config(folder.path(), &keys);
    let ours = Setup::new().config(&config).start();
    let theirs = Setup::new()
        .program(distribution())
        .config(&config)
        .env("OTEL_TRACES_EXPORTER", "none")
        .start();
    let weak = with(
        &keys,
        &json!({ "access": [access("repository", "a", &["push"])] }),
    );
    let expired = with(&keys, &json!({ "exp": now() - 120 }));
    let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let requests = [
        ("GET", "/v2/".to_owned()),
        ("GET", "/v2/_catalog".to_owned()),
        ("GET", TAGS.to_owned()),
        ("GET", format!("/v2/a/manifests/{digest}")),
        ("HEAD", "/v2/a/manifests/v1".to_owned()),
        ("PUT", "/v2/a/manifests/v1".to_owned()),
        ("DELETE", format!("/v2/a/manifests/{digest}")),
        ("GET", format!("/v2/a/blobs/{digest}")),
        ("DELETE", format!("/v2/a/blobs/{digest}")),
        ("POST", "/v2/a/blobs/uploads/".to_owned()),
        (
            "POST",
            format!("/v2/b/blobs/uploads/?mount={digest}&from=c"),
        ),
    ];

    for (method, target) in &requests {
        for token in [None, Some("x"), Some(&*expired), Some(&*weak)] {
            let [own, other] = [&ours, &theirs].map(|server| asked(server, method, target, token));
            // A token that is good enters, may push and may say that an upload begins.
            if own.0 != 401 && other.0 == own.0 {
                continue;
            }
            // Distribution lets nobody push who may not pull as well: here that is two rights.
            if token == Some(&*weak) && own.0 != 401 {
                assert!(target.starts_with("/v2/a/"), "{method} {target}: {own:?}");
                continue;
            }
            let same = is_the_same_refusal(&own, &other);
            assert!(
                same,
                "{method} {target} with {token:?}: {own:?} and {other:?}"
            );
        }
    }
}

const TAGS: &str = "/v2/a/tags/list";

/// Whether both refuse in the same words, but that distribution does not always say that a token is invalid.
fn is_the_same_refusal(own: &Asked, other: &Asked) -> bool {
    let without = own.1.strip_suffix(",error=\"invalid_token\"");
    let other_challenge = Some(other.1.as_str());
    let challenge = other_challenge == Some(&own.1) || other_challenge == without;
    own.0 == 401 && other.0 == 401 && challenge && own.2 == other.2
}

/// A challenge with its scopes and their actions in order, which at distribution is another each time.
fn in_order(challenge: &str) -> String {
    let Some((before, rest)) = challenge.split_once(",scope=\"") else {
        return challenge.to_owned();
    };
    let (scopes, after) = rest.split_once('"').expect("a scope ends");
    let scopes = scopes.split(' ').map(|scope| {
        let (name, actions) = scope.rsplit_once(':').expect("a scope has actions");
        let mut actions: Vec<&str> = actions.split(',').collect();
        actions.sort_unstable();
        format!("{name}:{}", actions.join(","))
    });
    let mut scopes: Vec<String> = scopes.collect();
    scopes.sort();
    format!("{before},scope=\"{}\"{after}", scopes.join(" "))
}

/// Status, challenge and details of an answer.
type Asked = (u16, String, Value);

fn asked(server: &TestServer, method: &str, target: &str, token: Option<&str>) -> Asked {
    let mut client = Client::of(server);
    if let Some(token) = token {
        client = client.with_header("Authorization", &format!("Bearer {token}"));
    }
    let request = client.request(method, target);
    let request = match method {
        "POST" | "PUT" => request.bytes(""),
        _ => request,
    };
    let Ok(answer) = client.send(request).into_result() else {
        // Distribution falls over some tokens.
        return (0, String::new(), Value::Null);
    };
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let error = &body["errors"][0];
    (
        answer.status,
        in_order(challenge),
        json!([error["code"], error["detail"]]),
    )
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

fn chain_of_three(root: &Authority, signer: &SigningKey) -> Value {
    json!({ "alg": "ES256", "x5c": root.intermediate("between").chain_for(signer) })
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
        ("chain of three", by(&chain_of_three(root, signer), signer)),
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
    let short = root.intermediate("between").certify(signer);
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
        ("chain that stops short", by(&chained(&short), signer)),
        (
            "chain to a stranger",
            by(&chain_of_three(stranger, signer), signer),
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
