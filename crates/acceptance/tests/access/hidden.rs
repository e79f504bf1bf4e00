//! Attempts to reach, change or learn of what the access rules hide.

use boxyard_testkit::http::Response;
use boxyard_testkit::{Blob, Client, Image, Index, Setup, TestServer, Upload, media_type, sha256};
use serde_json::json;

use crate::{Users, logged_in, rule};

const HIDDEN: &str = "secret/app";

/// A registry with a hidden repository; `mallory` has some of their own.
struct Site {
    server: TestServer,
    users: Users,
    image: Image,
    /// Names the image as its subject.
    signature: Blob,
}

impl Site {
    #[track_caller]
    fn new() -> Self {
        let users = Users::of(&["alice", "mallory"]);
        let rules = [
            rule("alice", "**", &["*"]),
            rule("mallory", "mine/**", &["*"]),
            rule("mallory", "shared/**", &["pull"]),
            rule("anyone", "public/**", &["pull"]),
        ];
        let server = Setup::new()
            .config(&json!({
                "auth": users.auth(), "access": rules,
                "validation": { "manifests": { "indexes": { "platforms": "none" } } },
            }))
            .start();
        let image = Image::with_layers(1, &[1_000]);
        let signature = signature(&image);
        let alice = logged_in(&server, "alice");
        for repo in [HIDDEN, "shared/app", "public/app", "zz/last"] {
            alice.push_image(repo, "v1", &image).expect(201);
        }
        let signed = alice.put_manifest(HIDDEN, &signature.digest, &signature);
        signed.expect(201);
        Self {
            server,
            users,
            image,
            signature,
        }
    }

    fn mallory(&self) -> Client {
        logged_in(&self.server, "mallory")
    }

    /// Mallory, somebody without a name, and Mallory by a token for all that there could be.
    fn strangers(&self) -> [Client; 3] {
        let scopes = [
            format!("repository:{HIDDEN}:*"),
            "repository:secret/*:pull".to_owned(),
            "repository:**:pull".to_owned(),
            "repository:SECRET/APP:pull".to_owned(),
            "registry:catalog:*".to_owned(),
        ];
        let query = scopes.join("&scope=");
        let answer = self.mallory().get(&format!("/v2/token?scope={query}"));
        let answer = answer.expect(200).json();
        assert_eq!(answer["scope"], "registry:catalog:*");
        let bearer = format!("Bearer {}", answer["token"].as_str().unwrap());
        [
            self.mallory(),
            Client::of(&self.server),
            Client::of(&self.server).with_header("Authorization", &bearer),
        ]
    }

    /// Fails unless the answer is a refusal that tells nothing of what is hidden.
    #[track_caller]
    fn is_refused(&self, attempt: &str, answer: &Response) {
        assert!((400..500).contains(&answer.status), "{attempt}: {answer:?}");
        let said = format!("{:?} {}", answer.headers, answer.text());
        let digests = [&self.image.manifest, &self.image.config, &self.signature];
        for blob in digests.into_iter().chain(&self.image.layers) {
            // What the attempt says itself may come back.
            let told = said.contains(&blob.digest) && !attempt.contains(&blob.digest);
            assert!(!told, "{attempt}: {answer:?}");
        }
        assert!(!said.contains("\"v1\""), "{attempt}: {answer:?}");
    }

    /// Fails unless what is hidden is as it was.
    #[track_caller]
    fn is_unharmed(&self) {
        let alice = logged_in(&self.server, "alice");
        let pulled = alice.pull_image(HIDDEN, "v1");
        assert_eq!(pulled.manifest, self.image.manifest);
        assert_eq!(alice.tags(HIDDEN), ["v1"]);
        let referrers = alice.referrers(HIDDEN, &self.image.manifest.digest);
        assert_eq!(referrers, [self.signature.digest.as_str()]);
    }
}

fn signature(image: &Image) -> Blob {
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
        "artifactType": "application/vnd.test.signature",
        "config": image.config.descriptor(), "layers": [],
        "subject": image.manifest.descriptor(),
    });
    Blob::json(media_type::OCI_MANIFEST, &manifest)
}

/// Other ways to write the name, or to get to it on another path.
const SPELLINGS: [&str; 30] = [
    "secret/app",
    "Secret/App",
    "SECRET/APP",
    "secret//app",
    "/secret/app",
    "secret/./app",
    "secret/app/.",
    "secret/app/",
    "mine/../secret/app",
    "mine/x/../../secret/app",
    "../v2/secret/app",
    "secret%2Fapp",
    "secret%2fapp",
    "%73ecret/app",
    "%53ecret/app",
    "secret%252Fapp",
    "mine%2F..%2Fsecret%2Fapp",
    "mine/%2e%2e/secret/app",
    "mine/..%2fsecret/app",
    "mine/..;/secret/app",
    "mine\\..\\secret\\app",
    "secret\\app",
    "secret/app%00",
    "secret/app%20",
    "secret/app%0a",
    "mine%00/../secret/app",
    "secret/app;mine",
    "public/app/../../secret/app",
    "public/app/manifests/../../../secret/app",
    "s%C3%A9cret/app",
];

#[test]
fn no_spelling_of_a_name_gets_to_what_is_hidden() {
    let site = Site::new();
    let (manifest, layer) = (&site.image.manifest.digest, &site.image.layers[0].digest);
    let rests = [
        "manifests/v1".to_owned(),
        format!("manifests/{manifest}"),
        format!("blobs/{layer}"),
        "tags/list".to_owned(),
        format!("referrers/{manifest}"),
    ];

    for client in site.strangers() {
        for name in SPELLINGS {
            for rest in &rests {
                for method in ["GET", "HEAD", "PUT", "DELETE"] {
                    let target = format!("/v2/{name}/{rest}");
                    let request = client.request(method, &target);
                    let answer = client.send(request).into_result().unwrap();
                    site.is_refused(&format!("{method} {target}"), &answer);
                }
            }
        }
    }
    site.is_unharmed();
}

#[test]
fn no_other_path_header_or_method_gets_to_what_is_hidden() {
    let site = Site::new();
    let target = format!("/v2/{HIDDEN}/manifests/v1");
    let host = site.server.address();

    for client in site.strangers() {
        for target in [
            format!("/{target}"),
            format!("/V2/{HIDDEN}/manifests/v1"),
            format!("/v1/..{target}"),
            format!("/%76%32/{HIDDEN}/manifests/v1"),
            format!("http://{host}{target}"),
            format!("http://public/{target}"),
            format!("{target}?repository=public/app"),
            format!("/v2/public/app/manifests/v1/../../../{HIDDEN}/manifests/v1"),
        ] {
            let request = client.request("GET", &target);
            let answer = client.send(request).into_result().unwrap();
            site.is_refused(&target, &answer);
        }
        for (header, value) in [
            ("X-Original-URL", target.as_str()),
            ("X-Rewrite-URL", &target),
            ("X-Forwarded-Prefix", "/v2/secret"),
            ("X-Forwarded-User", "alice"),
            ("X-Remote-User", "alice"),
            ("Remote-User", "alice"),
            ("X-Client-Cert", "alice"),
        ] {
            let request = client.request("GET", &target).header(header, value);
            let answer = client.send(request).into_result().unwrap();
            site.is_refused(&format!("{target} with {header}"), &answer);
        }
    }
    let mallory = site.mallory();
    for header in [
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
    ] {
        for method in ["GET", "POST"] {
            let target = "/v2/shared/app/manifests/v1";
            let request = mallory.request(method, target).header(header, "DELETE");
            drop(mallory.send(request));
        }
    }
    mallory.get_manifest("shared/app", "v1").expect(200);
    site.is_unharmed();
}

#[test]
fn no_spelling_of_a_user_is_another_user() {
    let site = Site::new();
    let word = crate::password("alice");

    for name in [
        "Alice",
        "ALICE",
        " alice",
        "alice ",
        "alice\0",
        "alic\u{435}",
        "user:alice",
    ] {
        let client = Client::of(&site.server).with_login(name, &word);
        client.check().expect(401);
    }
    // Words of the rules are no users.
    for name in ["anyone", "authenticated", "*"] {
        site.users.put(name, &crate::password(name));
        let client = logged_in(&site.server, name);
        client.check().expect(200);
        client
            .get_manifest(HIDDEN, "v1")
            .expect_error(403, "DENIED");
    }
}

#[test]
fn no_page_of_the_catalog_and_no_page_for_browsers_tells_what_is_hidden() {
    let site = Site::new();
    let mallory = site.mallory();
    mallory
        .push_image("mine/app", "v1", &site.image)
        .expect(201);

    let visible = ["mine/app", "public/app", "shared/app"];
    assert_eq!(mallory.catalog(), visible);
    for query in [
        "n=1",
        "n=2",
        "n=1000",
        "n=1&last=secr",
        "n=1&last=secret/app",
        "n=5&last=secret/ap",
        "n=1&last=shared/app",
        "last=zz",
        "last=zz/las",
        "n=1&last=mine/app",
        "last=a&last=secret",
        "n=1&last=Secret",
        "n=1&last=%73ecret",
    ] {
        let target = format!("/v2/_catalog?{query}");
        let answer = mallory.get(&target).into_result().unwrap();
        let names = answer.json()["repositories"].clone();
        for name in names.as_array().into_iter().flatten() {
            assert!(visible.contains(&name.as_str().unwrap()), "{query}: {name}");
        }
        let link = answer.header("link").unwrap_or_default();
        assert!(
            !link.contains("app")
                || visible.iter().any(|name| {
                    let encoded = name.replace('/', "%2F");
                    link.contains(name) || link.contains(&encoded)
                }),
            "{query}: {link}"
        );
        assert!(!link.contains("zz"), "{query}: {link}");
    }
    let browser = |client: Client| client.with_header("Accept", "text/html");
    let (mallory, anybody) = (browser(mallory), browser(Client::of(&site.server)));
    for (client, shown) in [(&mallory, "mine/app"), (&anybody, "public/app")] {
        for query in [
            "",
            "?n=1",
            "?last=secr",
            "?last=secret/app",
            "?last=shared/app",
        ] {
            let page = client.get(&format!("/{query}")).expect(200).text();
            assert!(!page.contains("secret/app</"), "{query}");
            assert!(!page.contains("zz/last"), "{query}");
        }
        let page = client.get("/").expect(200).text();
        assert!(page.contains(shown) && !page.contains("secret"), "{page}");
    }
}

#[test]
fn nothing_hidden_gets_into_a_repository_by_its_digest() {
    let site = Site::new();
    let mallory = site.mallory();
    let hidden = Image::with_layers(2, &[2_000]);
    let alice = logged_in(&site.server, "alice");
    alice.push_image(HIDDEN, "more", &hidden).expect(201);
    let blobs: Vec<&Blob> = hidden.blobs().collect();

    for blob in &blobs {
        for from in [Some(HIDDEN), Some("Secret/App"), Some("secret%2Fapp"), None] {
            let answer = mallory.mount("mine/app", &blob.digest, from);
            assert_ne!(answer.status(), Some(201), "{from:?}");
        }
        mallory.head_blob("mine/app", &blob.digest).expect(404);
        let upload = mallory.begin_upload("mine/app").expect(202);
        let unread = mallory.finish(&Upload::at(&upload), &blob.digest, b"");
        assert_ne!(unread.status(), Some(201));
    }
    let manifest = mallory.put_manifest("mine/app", "v1", &hidden.manifest);
    let refused = manifest.expect(400).error_codes();
    assert_eq!(refused, ["MANIFEST_BLOB_UNKNOWN"; 2]);
    // An index may name what its repository does not hold, which does not bring it there.
    let index = Index::of(vec![hidden.clone()]);
    mallory
        .put_manifest("mine/app", "all", &index.manifest)
        .expect(201);
    for digest in [&hidden.manifest.digest, &site.image.manifest.digest] {
        mallory.get_manifest("mine/app", digest).expect(404);
    }
    for blob in &blobs {
        mallory.get_blob("mine/app", &blob.digest).expect(404);
    }
    alice.delete_tag(HIDDEN, "more").expect(202);
    site.is_unharmed();
}

#[test]
fn who_deletes_what_others_hold_as_well_deletes_only_their_own() {
    let site = Site::new();
    let mallory = site.mallory();
    mallory
        .push_image("mine/app", "v1", &site.image)
        .expect(201);

    for blob in site.image.blobs() {
        for repo in [HIDDEN, "shared/app"] {
            let answer = mallory.delete_blob(repo, &blob.digest);
            answer.expect_error(403, "DENIED");
        }
    }
    let manifest = &site.image.manifest.digest;
    mallory.delete_manifest("mine/app", manifest).expect(202);
    for blob in site.image.blobs() {
        mallory.delete_blob("mine/app", &blob.digest).expect(202);
        mallory.head_blob("mine/app", &blob.digest).expect(404);
    }

    site.is_unharmed();
    logged_in(&site.server, "alice").pull_image("shared/app", "v1");
}

#[test]
fn nobody_is_who_sent_the_last_request_on_their_connection() {
    let site = Site::new();
    let target = format!("/v2/{HIDDEN}/manifests/v1");
    let mut connection = Client::of(&site.server).connect().unwrap();

    for (client, status) in [
        (logged_in(&site.server, "alice"), 200),
        (Client::of(&site.server), 401),
        (logged_in(&site.server, "alice"), 200),
        (site.mallory(), 403),
    ] {
        let answer = connection
            .send(&mut client.request("GET", &target))
            .unwrap();
        assert_eq!(answer.status, status);
        assert!(connection.is_open());
    }
}

#[test]
fn a_token_gets_no_other_token_and_no_name_in_a_query_is_believed() {
    let site = Site::new();
    let bearer = |token: &serde_json::Value| {
        let header = format!("Bearer {}", token["token"].as_str().unwrap());
        Client::of(&site.server).with_header("Authorization", &header)
    };
    let scope = format!("/v2/token?scope=repository:{HIDDEN}:pull");
    let token = logged_in(&site.server, "alice")
        .get(&scope)
        .expect(200)
        .json();
    bearer(&token).get_manifest(HIDDEN, "v1").expect(200);

    let again = bearer(&token).get(&scope).expect(200).json();
    let named = site.mallory().get(&format!("{scope}&account=alice"));
    let named = named.expect(200).json();

    for token in [again, named] {
        assert_eq!(token["scope"], "");
        let answer = bearer(&token).get_manifest(HIDDEN, "v1");
        assert!(matches!(answer.status(), Some(401 | 403)), "{answer:?}");
    }
}

#[test]
fn referrers_of_what_is_hidden_are_neither_told_nor_added() {
    let site = Site::new();
    let mallory = site.mallory();
    let subject = &site.image.manifest.digest;

    for repo in ["mine/app", "shared/app", "public/app"] {
        let told = mallory.referrers(repo, subject);
        assert!(told.is_empty(), "{repo}: {told:?}");
    }
    mallory
        .push_blob("mine/app", &site.image.config)
        .expect(201);
    let own = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
        "artifactType": "application/vnd.test.mallory",
        "config": site.image.config.descriptor(), "layers": [],
        "subject": site.image.manifest.descriptor(),
    });
    let own = Blob::json(media_type::OCI_MANIFEST, &own);
    mallory
        .put_manifest("mine/app", &own.digest, &own)
        .expect(201);

    assert_eq!(
        mallory.referrers("mine/app", subject),
        [own.digest.as_str()]
    );
    let shared = logged_in(&site.server, "alice").referrers("shared/app", subject);
    assert!(shared.is_empty(), "{shared:?}");
    site.is_unharmed();
}

#[test]
fn an_upload_is_found_only_in_its_own_repository() {
    let site = Site::new();
    let (alice, mallory) = (logged_in(&site.server, "alice"), site.mallory());
    let (own, hers) = [(&mallory, "mine/app"), (&alice, HIDDEN)]
        .map(|(client, repo)| Upload::at(&client.begin_upload(repo).expect(202)))
        .into();
    let moved = |upload: &Upload, from: &str, to: &str| {
        let location = upload
            .location
            .replace(&format!("/{from}/"), &format!("/{to}/"));
        assert_ne!(location, upload.location);
        Upload { location }
    };
    let digest = sha256("content");

    let attempts = [
        (moved(&own, "mine/app", HIDDEN), 403),
        (moved(&own, "mine/app", "shared/app"), 403),
        (moved(&own, "mine/app", "mine/other"), 404),
        (hers.clone(), 403),
        (moved(&hers, HIDDEN, "mine/app"), 404),
    ];
    for (upload, status) in attempts {
        mallory.upload_status(&upload).expect(status);
        mallory.patch(&upload, None, b"content").expect(status);
        mallory.finish(&upload, &digest, b"content").expect(status);
        mallory.cancel(&upload).expect(status);
    }

    alice.finish(&hers, &digest, b"content").expect(201);
    mallory.finish(&own, &digest, b"content").expect(201);
    site.is_unharmed();
}
