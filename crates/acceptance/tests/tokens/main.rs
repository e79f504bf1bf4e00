//! Tokens that another server issues: real clients get them, push and pull; and what is no good token is refused.

mod clients;
mod peer;
mod refreshed;
mod rights;

use std::fs;
use std::path::{Path, PathBuf};

use boxyard_acceptance::{Docker, Layout, Network, Podman, Tool};
use boxyard_testkit::token::{KeyKind, SigningKey, TokenServer, access};
use boxyard_testkit::{Client, Image, Setup, TestServer, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A token server, and a registry that believes it.
pub(crate) struct Pair {
    pub(crate) registry: TestServer,
    pub(crate) issuer: TokenServer,
    folder: TempDir,
}

impl Pair {
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::of(KeyKind::P256, "ES256")
    }

    #[track_caller]
    pub(crate) fn of(kind: KeyKind, algorithm: &str) -> Self {
        Self::configured(kind, algorithm, &json!({}))
    }

    /// The usual pair with more lines in the registry's configuration.
    #[track_caller]
    pub(crate) fn with(changes: &Value) -> Self {
        Self::configured(KeyKind::P256, "ES256", changes)
    }

    #[track_caller]
    fn configured(kind: KeyKind, algorithm: &str, changes: &Value) -> Self {
        let folder = TempDir::new().expect("make a folder");
        let key = SigningKey::new(kind);
        let file = jwks(folder.path(), &[key.named_jwk("k")]);
        let issuer = TokenServer::start(key, &json!({ "alg": algorithm, "kid": "k" }));
        let mut token = issuer.config();
        token["jwks"] = json!(file);
        let registry = Setup::new()
            .config(&json!({ "auth": { "token": token } }))
            .config(changes)
            .start();
        Self {
            registry,
            issuer,
            folder,
        }
    }

    pub(crate) fn client(&self, claims: &Value) -> Client {
        self.bearer(&self.issuer.token(claims))
    }

    pub(crate) fn bearer(&self, token: &str) -> Client {
        Client::of(&self.registry).with_header("Authorization", &format!("Bearer {token}"))
    }

    /// Fails unless some client asked and was granted by this method.
    #[track_caller]
    pub(crate) fn was_asked_by(&self, method: &str, user: Option<&str>) {
        let asked = self.issuer.asked();
        let found = asked.iter().any(|asked| {
            asked.method == method && asked.user.as_deref() == user && asked.status == 200
        });
        assert!(found, "{asked:#?}");
    }
}

fn jwks(folder: &Path, keys: &[Value]) -> PathBuf {
    let file = folder.join("jwks.json");
    fs::write(&file, json!({ "keys": keys }).to_string()).expect("write the keys");
    file
}

pub(crate) fn login() -> String {
    format!(
        "--username {} --password {}",
        TokenServer::USER,
        TokenServer::PASSWORD
    )
}

pub(crate) fn push_access(repo: &str) -> Value {
    json!({ "access": [access("repository", repo, &["pull", "push"])] })
}

#[test]
fn tokens_of_every_algorithm_push_and_pull() {
    for kind in KeyKind::ALL {
        for algorithm in kind.algorithms() {
            let pair = Pair::of(kind, algorithm);
            let client = pair.client(&push_access("some/app"));
            let image = Image::with_layers(1, &[1_000]);

            client.push_image("some/app", "v1", &image).expect(201);

            client.pull_image("some/app", "v1");
        }
    }
}

#[test]
fn who_has_no_token_is_told_where_to_get_one() {
    let pair = Pair::start();
    let anonymous = Client::of(&pair.registry);
    let realm = pair.issuer.realm();
    let challenge =
        |rest: &str| format!("Bearer realm=\"{realm}\",service=\"registry.example\"{rest}");

    let base = anonymous.check().expect_error(401, "UNAUTHORIZED");
    let pull = anonymous
        .get("/v2/some/app/manifests/v1")
        .expect_error(401, "UNAUTHORIZED");
    let mount = anonymous
        .send(anonymous.request("POST", "/v2/a/blobs/uploads/?mount=sha256:0&from=b"))
        .expect(401);
    let weak = pair
        .client(&push_access("other"))
        .get("/v2/_catalog")
        .expect(401);

    assert_eq!(base.required("www-authenticate"), challenge(""));
    let scope = ",scope=\"repository:some/app:pull\"";
    assert_eq!(pull.required("www-authenticate"), challenge(scope));
    assert_eq!(
        pull.json()["errors"][0]["detail"],
        json!([{ "Type": "repository", "Class": "", "Name": "some/app", "Action": "pull" }])
    );
    let scope = ",scope=\"repository:a:pull,push repository:b:pull\"";
    assert_eq!(mount.required("www-authenticate"), challenge(scope));
    let scope = ",scope=\"registry:catalog:*\",error=\"insufficient_scope\"";
    assert_eq!(weak.required("www-authenticate"), challenge(scope));
}

#[test]
fn bad_tokens_are_answered_by_invalid_token_and_others_do_not_notice() {
    let pair = Pair::start();
    let good = pair.client(&push_access("some/app"));
    let image = Image::with_layers(2, &[1_000]);
    good.push_image("some/app", "v1", &image).expect(201);
    let stranger = SigningKey::new(KeyKind::P256);
    let claims = push_access("some/app");
    let forged =
        TokenServer::start(stranger, &json!({ "alg": "ES256", "kid": "k" })).token(&claims);
    let text = pair.issuer.token(&claims);
    let (message, _) = text.rsplit_once('.').expect("a token has dots");
    let table = [
        forged,
        format!("{message}."),
        text[..text.len() - 2].to_owned(),
        "a".repeat(60_000),
        "....".to_owned(),
        pair.issuer.token(&json!({ "exp": 1 })),
        pair.issuer.token(&json!({ "nbf": 4_000_000_000_u64 })),
        pair.issuer.token(&json!({ "iss": "other" })),
        pair.issuer.token(&json!({ "aud": "other" })),
        pair.issuer.token(&json!({ "aud": 7 })),
    ];

    for token in table {
        let shown = &token[..token.len().min(300)];
        let answer = pair
            .bearer(&token)
            .get("/v2/some/app/manifests/v1")
            .expect_error(401, "UNAUTHORIZED");
        let challenge = answer.required("www-authenticate");
        assert!(
            challenge.ends_with(",scope=\"repository:some/app:pull\",error=\"invalid_token\""),
            "{shown}: {challenge}"
        );
        good.pull_image("some/app", "v1");
    }
}

#[test]
fn new_keys_hold_at_once_and_broken_ones_do_not_replace_the_old() {
    let mut pair = Pair::start();
    pair.registry.allow_error("cannot be used");
    let text = pair.issuer.token(&json!({}));
    pair.bearer(&text).check().expect(200);

    fs::write(pair.folder.path().join("jwks.json"), "{").unwrap();
    eventually("the broken file to be noticed", || {
        pair.registry.log().contains("cannot be used").then_some(())
    });
    pair.bearer(&text).check().expect(200);

    jwks(
        pair.folder.path(),
        &[SigningKey::new(KeyKind::P256).named_jwk("k")],
    );
    eventually("the old key to be forgotten", || {
        (pair.bearer(&text).check().status() == Some(401)).then_some(())
    });
}

#[test]
fn a_registry_that_has_no_keys_does_not_start() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("jwks.json");
    fs::write(&file, r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}"#).unwrap();
    let token = json!({ "realm": "http://a", "service": "s", "issuer": "i", "jwks": file });

    let refusal = Setup::new()
        .config(&json!({ "auth": { "token": token } }))
        .refuse();

    assert!(refusal.log.contains("jwks.json"), "{}", refusal.log);
    assert!(
        refusal.log.contains("a secret of 6 bytes"),
        "{}",
        refusal.log
    );
}

#[test]
fn a_client_without_a_token_is_sent_to_the_host_that_it_came_by() {
    let folder = TempDir::new().unwrap();
    let file = jwks(
        folder.path(),
        &[SigningKey::new(KeyKind::Ed25519).named_jwk("k")],
    );
    let token = json!({
        "realm": "http://unused", "service": "s", "issuer": "i", "jwks": file,
        "autoredirect": true, "autoredirectpath": "/my/token",
    });
    let registry = Setup::new()
        .config(&json!({ "auth": { "token": token } }))
        .start();

    let answer = Client::of(&registry).check().expect(401);

    let expected = format!(
        "Bearer realm=\"http://{}/my/token\",service=\"s\"",
        registry.address()
    );
    assert_eq!(answer.required("www-authenticate"), expected);
}

#[test]
fn crane_and_oras_get_tokens_and_push_and_pull() {
    let pair = Pair::start();
    let home = TempDir::new().unwrap();
    // Both take a token server of the machine only beside a registry of the same name.
    let address = format!("localhost:{}", pair.registry.address().port());
    let image = Image::with_layers(5, &[10, 20_000]);
    let layout = Layout::of_image(&home.path().join("from"), &image, "image:v1");
    let crane = Tool::new(home.path(), "crane");
    let oras = Tool::new(home.path(), "oras");

    crane.fail(format!(
        "push {} {address}/some/app:v1",
        layout.folder().display()
    ));
    crane.run(format!("auth login {} {address}", login()));
    crane.run(format!(
        "push {} {address}/some/app:v1",
        layout.folder().display()
    ));
    crane.run(format!("copy {address}/some/app:v1 {address}/other/app:v1"));
    assert_eq!(
        crane.run(format!("digest {address}/some/app:v1")),
        image.manifest.digest
    );
    fs::write(home.path().join("file"), "content").unwrap();
    oras.run(format!("login --plain-http {} {address}", login()));
    oras.run(format!("push --plain-http {address}/some/artifact:v1 file"));
    oras.run(format!(
        "pull --plain-http --output back {address}/some/artifact:v1"
    ));
    crane.run(format!("auth logout {address}"));

    // Anybody may pull, by a token without a subject.
    crane.run(format!("pull {address}/some/app:v1 back.tar"));
    pair.was_asked_by("GET", Some("alice"));
    pair.was_asked_by("GET", None);
}

#[test]
fn podman_buildah_and_skopeo_get_tokens_and_push_and_pull() {
    let pair = Pair::start();
    let podman = Podman::new();
    let address = pair.registry.address();
    let home = podman.sandbox().home();
    let image = Image::with_layers(6, &[10, 20_000]);
    let layout = Layout::of_image(&home.join("from"), &image, "image:v1");
    let from = format!("oci-archive:{}", layout.archive().display());

    podman
        .podman()
        .run(format!("login --tls-verify=false {} {address}", login()));
    podman.skopeo().run(format!(
        "copy --dest-tls-verify=false --authfile {}/auth.json --dest-creds {}:{} {from} docker://{address}/some/app:v1",
        home.display(),
        TokenServer::USER,
        TokenServer::PASSWORD,
    ));
    podman
        .podman()
        .run(format!("pull --tls-verify=false {address}/some/app:v1"));
    podman.podman().run(format!(
        "push --tls-verify=false {address}/some/app:v1 {address}/some/app:v2"
    ));
    podman
        .buildah()
        .run(format!("pull --tls-verify=false {address}/some/app:v2"));

    pair.was_asked_by("GET", Some("alice"));
}

#[test]
fn debians_docker_logs_in_by_token_and_pushes_and_pulls() {
    docker_logs_in_pushes_and_pulls(&Docker::debian(Network::Machine));
}

#[test]
fn the_newest_docker_logs_in_by_token_and_pushes_and_pulls() {
    docker_logs_in_pushes_and_pulls(&Docker::newest(Network::Machine));
}

fn docker_logs_in_pushes_and_pulls(docker: &Docker) {
    let pair = Pair::start();
    let address = pair.registry.address();
    let name = format!("{address}/some/app:v1");
    let image = Image::with_layers(1, &[10, 20_000]);
    docker.load(&image, &name);

    assert!(!docker.client().succeeds(format!("image push {name}")));
    let wrong = format!(
        "login --username {} --password wrong {address}",
        TokenServer::USER
    );
    assert!(!docker.client().succeeds(wrong));
    docker.run(format!("login {} {address}", login()));
    docker.run(format!("image push {name}"));
    docker.run(format!("image tag {name} {address}/other/app:v1"));
    docker.run(format!("image push {address}/other/app:v1"));
    docker.run(format!("image rm {name} {address}/other/app:v1"));
    docker.run(format!("image pull {name}"));
    docker.run(format!("logout {address}"));
    docker.run(format!("image rm {name}"));
    docker.run(format!("image pull {name}"));

    pair.was_asked_by("GET", Some("alice"));
}
