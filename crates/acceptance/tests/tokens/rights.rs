//! What a token grants, and what it does not.

use std::fs;
use std::io::Write;

use boxyard_testkit::token::{Authority, KeyKind, SigningKey, TokenServer, access};
use boxyard_testkit::{
    Blob, Client, Image, Noise, Setup, TestServer, Upload, eventually, media_type, sha256,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Pair, push_access};

/// Claims of a subject that may do this.
fn granting(subject: &str, access: &[Value]) -> Value {
    json!({ "sub": subject, "access": access })
}

#[test]
fn an_upload_belongs_to_the_subject_of_its_token_after_a_restart_as_well() {
    let mut pair = Pair::start();
    let right = access("repository", "some/app", &["pull", "push"]);
    let blob = Noise::new(1).draw(2_000);
    // Every request has a token of its own, as after a renewal.
    let client = |pair: &Pair, subject: &str| {
        pair.bearer(
            &pair
                .issuer
                .token(&granting(subject, std::slice::from_ref(&right))),
        )
    };
    let begun = client(&pair, "alice").begin_upload("some/app").expect(202);
    let upload = Upload::at(&begun);
    let patched = client(&pair, "alice").patch(&upload, None, &blob[..1_000]);
    let upload = Upload::at(&patched.expect(202));

    pair.registry.restart();

    for other in ["mallory", "Alice", ""] {
        let client = client(&pair, other);
        for attempt in [
            client.upload_status(&upload),
            client.patch(&upload, None, b"more"),
            client.finish(&upload, &sha256("more"), b""),
            client.cancel(&upload),
        ] {
            attempt.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
        }
    }
    is_refused_without_the_right(&pair, &upload);
    let finished = client(&pair, "alice").finish(&upload, &sha256(&blob), &blob[1_000..]);
    finished.expect(201);
}

#[test]
fn an_upload_of_a_token_without_a_subject_belongs_to_whoever_may_push_to_its_repository() {
    let mut pair = Pair::start();
    let right = access("repository", "some/app", &["pull", "push"]);
    let blob = Noise::new(2).draw(2_000);
    let client = |pair: &Pair, subject: &str| {
        pair.bearer(
            &pair
                .issuer
                .token(&granting(subject, std::slice::from_ref(&right))),
        )
    };
    let begun = client(&pair, "").begin_upload("some/app").expect(202);
    let patched = client(&pair, "").patch(&Upload::at(&begun), None, &blob[..500]);
    let upload = Upload::at(&patched.expect(202));

    pair.registry.restart();

    is_refused_without_the_right(&pair, &upload);
    let patched = client(&pair, "").patch(&upload, None, &blob[500..1_000]);
    let upload = Upload::at(&patched.expect(202));
    let finished = client(&pair, "bob").finish(&upload, &sha256(&blob), &blob[1_000..]);
    finished.expect(201);
}

/// Fails unless a token for another repository, for pulls, and none at all are refused without a look at the upload.
#[track_caller]
fn is_refused_without_the_right(pair: &Pair, upload: &Upload) {
    let others = [
        access("repository", "other/app", &["pull", "push"]),
        access("repository", "some/app", &["pull"]),
    ];
    for other in others {
        let token = pair.issuer.token(&granting("alice", &[other]));
        let refused = pair.bearer(&token).patch(upload, None, b"more");
        let refused = refused.expect_error(401, "UNAUTHORIZED");
        let challenge = refused.required("www-authenticate");
        assert!(
            challenge.ends_with("error=\"insufficient_scope\""),
            "{challenge}"
        );
    }
    let anybody = Client::of(&pair.registry).patch(upload, None, b"more");
    anybody.expect_error(401, "UNAUTHORIZED");
}

#[test]
fn a_mount_needs_the_right_to_pull_from_there_and_otherwise_begins_an_upload() {
    let pair = Pair::start();
    let image = Image::with_layers(1, &[1_000]);
    let blob = &image.layers[0];
    let owner = pair.client(&push_access("from"));
    owner.push_image("from", "v1", &image).expect(201);
    let target = access("repository", "to", &["pull", "push"]);
    let client = |more: &[Value]| {
        let access = [std::slice::from_ref(&target), more].concat();
        pair.client(&granting("alice", &access))
    };

    for more in [
        vec![],
        vec![access("repository", "from", &["push"])],
        vec![access("repository", "other", &["pull"])],
        vec![access("repository(plugin)", "From", &["pull"])],
    ] {
        let begun = client(&more)
            .mount("to", &blob.digest, Some("from"))
            .expect(202);
        assert!(begun.location().contains("/v2/to/blobs/uploads/"));
        client(&more).head_blob("to", &blob.digest).expect(404);
    }
    let nothing = pair.client(&granting(
        "alice",
        &[access("repository", "from", &["pull"])],
    ));
    let refused = nothing.mount("to", &blob.digest, Some("from"));
    let refused = refused.expect_error(401, "UNAUTHORIZED");
    let scopes = "scope=\"repository:to:pull,push repository:from:pull\"";
    assert!(refused.required("www-authenticate").contains(scopes));

    let both = client(&[access("repository", "from", &["pull"])]);
    both.mount("to", &blob.digest, Some("from")).expect(201);
    both.head_blob("to", &blob.digest).expect(200);
}

#[test]
fn nothing_but_the_very_name_type_and_action_is_granted() {
    let pair = Pair::start();
    let image = Image::with_layers(3, &[10]);
    let owner = pair.client(&push_access("some/app"));
    owner.push_image("some/app", "v1", &image).expect(201);
    let all = ["pull", "push", "delete", "*"];

    for (kind, name, actions) in [
        ("repository", "*", &all[..]),
        ("repository", "**", &all),
        ("repository", "some/*", &all),
        ("repository", "some", &all),
        ("repository", "Some/App", &all),
        ("repository", "some/app ", &all),
        ("repository", "some%2Fapp", &all),
        ("repository", "some//app", &all),
        ("repository", "", &all),
        ("Repository", "some/app", &all),
        ("registry", "some/app", &all),
        ("*", "some/app", &all),
        ("repository", "some/app", &["PULL", "Push", "DELETE"]),
        (
            "repository",
            "some/app",
            &["pull,push", "pull push", " pull", ""],
        ),
    ] {
        let client = pair.client(&granting("alice", &[access(kind, name, actions)]));
        client.check().expect(200);
        let challenge = |answer: boxyard_testkit::Reply| {
            let answer = answer.expect_error(401, "UNAUTHORIZED");
            answer.required("www-authenticate").to_owned()
        };
        let told = [
            challenge(client.get_manifest("some/app", "v1")),
            challenge(client.begin_upload("some/app")),
            challenge(client.delete_tag("some/app", "v1")),
            challenge(client.get("/v2/some/app/tags/list")),
            challenge(client.get("/v2/_catalog")),
        ];
        for told in told {
            assert!(
                told.ends_with(",error=\"insufficient_scope\""),
                "{kind} {name}: {told}"
            );
        }
    }
    owner.pull_image("some/app", "v1");
}

#[test]
fn a_repository_takes_only_images_of_the_class_that_the_token_says() {
    let pair = Pair::with(&json!({
        "policy": { "repository": { "classes": ["image", "plugin"] } },
    }));
    let image = Image::with_layers(4, &[10]);
    let plugin = Blob::json(
        media_type::DOCKER_MANIFEST,
        &json!({
            "schemaVersion": 2, "mediaType": media_type::DOCKER_MANIFEST,
            "config": {
                "mediaType": "application/vnd.docker.plugin.v1+json",
                "digest": image.config.digest, "size": image.config.bytes.len(),
            },
            "layers": [],
        }),
    );
    let both = ["pull", "push"];
    let mut classed = access("repository", "c", &both);
    classed["class"] = json!("plugin");

    for (repo, right, takes_image, takes_plugin) in [
        ("a", access("repository", "a", &both), 201, 403),
        ("b", access("repository(plugin)", "b", &both), 403, 201),
        ("c", classed, 403, 201),
    ] {
        let client = pair.client(&granting("alice", &[right]));
        for blob in image.blobs() {
            client.push_blob(repo, blob).expect(201);
        }
        let taken = client.put_manifest(repo, "image", &image.manifest);
        assert_eq!(taken.status(), Some(takes_image), "{repo}");
        let taken = client.put_manifest(repo, "plugin", &plugin);
        assert_eq!(taken.status(), Some(takes_plugin), "{repo}");
        if takes_image == 403 {
            let refused = client.put_manifest(repo, "image", &image.manifest);
            refused.expect_error(403, "DENIED");
        }
    }
}

#[test]
fn certificates_that_sign_tokens_are_read_again_with_all_that_they_vouch_for() {
    let folder = TempDir::new().unwrap();
    let bundle = folder.path().join("bundle.pem");
    let (root, next) = (Authority::new("root"), Authority::new("next"));
    fs::write(&bundle, root.pem()).unwrap();
    let registry = Setup::new()
        .config(&json!({ "auth": { "token": {
            "realm": "http://127.0.0.1:9/token", "service": "registry.example",
            "issuer": "https://issuer.example", "rootcertbundle": bundle,
        } } }))
        .start();
    // A chain of three, and one of which the registry knows what lies in between.
    let chained = |authority: &Authority, header: &dyn Fn(&Authority, &SigningKey) -> Value| {
        let between = authority.intermediate("between");
        let key = SigningKey::new(KeyKind::P384);
        let header = json!({ "alg": "ES384", "x5c": header(&between, &key) });
        let token = TokenServer::start(key, &header).token(&push_access("a"));
        (between, bearer(&registry, &token))
    };
    let (_, old) = chained(&root, &Authority::chain_for);
    let (_, new) = chained(&next, &Authority::chain_for);
    old.push_image("a", "v1", &Image::with_layers(5, &[10]))
        .expect(201);
    new.check().expect_error(401, "UNAUTHORIZED");

    fs::write(&bundle, root.pem() + &next.pem()).unwrap();
    eventually("the new root to be trusted", || {
        (new.check().status() == Some(200)).then_some(())
    });
    old.check().expect(200);

    let leaf = |between: &Authority, key: &SigningKey| {
        let chain = between.chain_for(key);
        json!([chain[0]])
    };
    let (between, short) = chained(&next, &leaf);
    short.check().expect_error(401, "UNAUTHORIZED");
    fs::write(&bundle, between.pem()).unwrap();
    eventually("the old root to be forgotten", || {
        (old.check().status() == Some(401)).then_some(())
    });
    short.check().expect(200);
}

fn bearer(registry: &TestServer, token: &str) -> Client {
    Client::of(registry).with_header("Authorization", &format!("Bearer {token}"))
}

/// What a request needs of a token.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Need {
    Nothing,
    Entry,
    Catalog,
    Action(&'static str),
}

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn needs() -> Vec<(&'static str, String, Need)> {
    use Need::{Action, Catalog, Entry, Nothing};
    let paths = [
        ("/livez", vec![("GET HEAD", Nothing)]),
        ("/readyz", vec![("GET HEAD", Nothing)]),
        ("/v2/", vec![("GET HEAD", Entry)]),
        ("/v2/_catalog", vec![("GET HEAD", Catalog)]),
        ("/v2/a/tags/list", vec![("GET HEAD", Action("pull"))]),
        ("/v2/a/referrers/DIGEST", vec![("GET HEAD", Action("pull"))]),
        (
            "/v2/a/manifests/v1",
            vec![
                ("GET HEAD", Action("pull")),
                ("PUT", Action("push")),
                ("DELETE", Action("delete")),
            ],
        ),
        (
            "/v2/a/blobs/DIGEST",
            vec![("GET HEAD", Action("pull")), ("DELETE", Action("delete"))],
        ),
        ("/v2/a/blobs/uploads/", vec![("POST", Action("push"))]),
        (
            "/v2/a/blobs/uploads/0a1b2c3d-0000-4000-8000-0123456789ab",
            vec![("GET HEAD PATCH PUT DELETE", Action("push"))],
        ),
    ];
    let rows = paths.into_iter().flat_map(|(path, rows)| {
        let path = path.replace("DIGEST", DIGEST);
        rows.into_iter().flat_map(move |(methods, need)| {
            let path = path.clone();
            methods
                .split(' ')
                .map(move |method| (method, path.clone(), need))
        })
    });
    rows.collect()
}

#[test]
fn each_action_of_a_token_opens_its_routes_and_no_other() {
    let pair = Pair::start();
    let actions = ["pull", "push", "delete", "*"];
    let mut tokens = vec![(vec![], None), (vec!["catalog"], None)];
    tokens.extend((0..16_u8).map(|set| {
        let chosen = (0..4).filter(|bit| set & (1 << bit) != 0);
        (chosen.map(|bit| actions[bit]).collect(), Some("a"))
    }));
    // All that there is, but elsewhere.
    tokens.push((actions.to_vec(), Some("b")));

    for (granted, repo) in tokens {
        let access = match repo {
            Some(repo) => vec![access("repository", repo, &granted)],
            None if granted.is_empty() => vec![],
            None => vec![access("registry", "catalog", &["*"])],
        };
        let client = pair.client(&granting("alice", &access));
        let opens = |need| match need {
            Need::Nothing | Need::Entry => true,
            Need::Catalog => repo.is_none() && !granted.is_empty(),
            Need::Action(action) => {
                repo == Some("a") && (granted.contains(&action) || granted.contains(&"*"))
            }
        };
        for (method, path, need) in needs() {
            let request = client.request(method, &path);
            let request = match method {
                "POST" | "PUT" | "PATCH" => request.bytes(""),
                _ => request,
            };
            let answer = client.send(request).into_result().unwrap();
            let is_open = !matches!(answer.status, 401 | 403);
            assert_eq!(
                is_open,
                opens(need),
                "{method} {path} by {granted:?}: {answer:?}"
            );
        }
    }
}

#[test]
fn keys_that_are_written_over_with_the_same_size_and_time_are_read_again() {
    let pair = Pair::start();
    let client = pair.client(&push_access("a"));
    client.check().expect(200);
    let next = SigningKey::new(KeyKind::P256);
    let set = json!({ "keys": [next.named_jwk("k")] }).to_string();
    let file = pair.folder.path().join("jwks.json");
    let before = fs::metadata(&file).unwrap();
    assert_eq!(set.len() as u64, before.len());

    let mut written = fs::File::options().write(true).open(&file).unwrap();
    written.write_all(set.as_bytes()).unwrap();
    written.set_modified(before.modified().unwrap()).unwrap();

    eventually("the old key to be forgotten", || {
        (client.check().status() == Some(401)).then_some(())
    });
}
