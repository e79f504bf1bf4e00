//! Names, digests, tags and ids of uploads as nobody well-meaning sends them, in every place of a target.

use boxyard_acceptance::{Victim, expect_refusal, is_refusal, nowhere};
use boxyard_testkit::http::Request;
use boxyard_testkit::{Client, Reply, Upload, sha256};

/// What no component of a name may be, for some of which the path is none either.
const NAMES: [&str; 52] = [
    "UPPER",
    "kept/Image",
    "-a",
    "a-",
    ".a",
    "a.",
    "_a",
    "a_",
    "a..b",
    "a._b",
    "a___b",
    "a-.b",
    "a//b",
    "/a",
    "a/",
    "a/-/b",
    "a:b",
    "a@b",
    "a+b",
    "a~b",
    "a!b",
    "a*b",
    "a,b",
    "a=b",
    "a&b",
    "a;b",
    "a%20b",
    "a%3Fb",
    "a%23b",
    "%C3%A9",
    "%F0%9F%90%B3",
    "a%E2%80%AEb",
    "a%EF%BC%8Fb",
    // What separates elsewhere, encoded once, twice and wrongly.
    "a%2Fb",
    "a%2fb",
    "a%5Cb",
    "a%252Fb",
    "%252e%252e",
    "%2525",
    "a%u002fb",
    "a%",
    "a%4",
    "a%zz",
    "a%C0%AFb",
    "a%E0%80%AFb",
    "%FF",
    "%ED%A0%80",
    "a%00b",
    "a%0D%0Ab",
    "a%7Fb",
    "%",
    "_catalog/a",
];

/// Ways to leave a folder, and to get into those that lie beside a repository's own.
const TRAVERSALS: [&str; 24] = [
    "..",
    ".",
    "../..",
    "../../../../../../../secret",
    "a/../b",
    "a/./b",
    "a/..",
    "../kept/image",
    "%2e%2e",
    "%2E%2E",
    ".%2e",
    "%2e",
    "%2e%2e%2f%2e%2e%2fsecret",
    "..%2f..%2f..%2fsecret",
    "..%5C..%5Csecret",
    "%252e%252e%252f",
    "%c0%ae%c0%ae",
    "%e0%80%ae%e0%80%ae",
    "....//",
    "..;/",
    "kept/image/_manifests",
    "kept/image/_layers/sha256",
    "_uploads",
    "%00/../secret",
];

/// What no digest is.
const DIGESTS: [&str; 30] = [
    "sha256:",
    "sha256:abc",
    ":",
    ":abc",
    "sha256::",
    "sha256:sha256:",
    "md5:d41d8cd98f00b204e9800998ecf8427e",
    "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "sha384:38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b",
    "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    "SHA256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8555",
    "sha256:g3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha256+b64:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "%20sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855%20",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855%00",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855%0A",
    "sha256%253Ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha256:..",
    "sha256:..%2F..%2F..%2Fsecret",
    "sha256:%2e%2e",
    "sha256:%2e%2e%2f%2e%2e%2f",
    "..:..",
    "%2e%2e:abc",
    "sha256:\u{ff41}",
    "sha256:%FF",
];

/// What no tag is.
const TAGS: [&str; 18] = [
    ".a",
    "-a",
    "a%20b",
    "a~b",
    "a*",
    "a!b",
    "a+b",
    "a,b",
    "a=b",
    "%C3%A9",
    "a%00",
    "a%0A",
    "a%2Fb",
    "%2e%2e%2fsecret",
    "a%5Cb",
    "a%252Fb",
    "%FF",
    "a%",
];

/// Codes that say what is wrong with a target.
const CODES: [&str; 5] = [
    "NAME_INVALID",
    "TAG_INVALID",
    "DIGEST_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "UNSUPPORTED",
];

/// A request with a body where the method usually has one.
fn request<'a>(client: &Client, method: &str, target: &str) -> Request<'a> {
    let request = client.request(method, target);
    if matches!(method, "POST" | "PUT" | "PATCH") {
        request.bytes("{}")
    } else {
        request
    }
}

/// The answer is a refusal: of the API, or of the layer below where the target is not even one.
#[track_caller]
fn is_refused(reply: Reply, codes: &[&str]) {
    let story = format!("{reply:?}");
    let answer = reply.into_result().unwrap_or_else(|_| panic!("{story}"));
    if !answer.body.is_empty() {
        is_refusal(&answer, codes);
    } else if !story.contains("\"HEAD ") {
        assert_eq!(answer.required("connection"), "close", "{story}");
    }
    assert!((400..500).contains(&answer.status), "{story}");
}

#[test]
fn malformed_names_are_refused_in_every_route() {
    let victim = Victim::start();
    let client = victim.client();
    let digest = &victim.image().manifest.digest;
    let long = "a".repeat(256);
    let deep = "a/".repeat(4_000) + "a";

    for name in NAMES.into_iter().chain([long.as_str(), &deep]) {
        for (method, rest) in [
            ("GET", "tags/list".to_owned()),
            ("GET", "manifests/latest".to_owned()),
            ("PUT", "manifests/latest".to_owned()),
            ("DELETE", format!("manifests/{digest}")),
            ("GET", format!("blobs/{digest}")),
            ("POST", "blobs/uploads/".to_owned()),
            ("POST", format!("blobs/uploads/?mount={digest}")),
            ("GET", format!("referrers/{digest}")),
        ] {
            let target = format!("/v2/{name}/{rest}");
            let reply = client.send(request(&client, method, &target));
            expect_refusal(reply, 400, &["NAME_INVALID"]);
        }
    }
    victim.is_untouched();
}

/// Places in a target where a traversal may stand; `@` is it, and `#` a digest.
const PLACES: [&str; 14] = [
    "/@",
    "/v2/@",
    "/@/v2/",
    "/v2/@/tags/list",
    "/v2/@/blobs/#",
    "/v2/@/blobs/uploads/",
    "/v2/@/blobs/uploads/00000000-0000-4000-8000-000000000000",
    "/v2/kept/image/@/manifests/latest",
    "/v2/kept/image/manifests/@/#",
    "/v2/kept/image/manifests/@/",
    "/v2/kept/image/blobs/@/secret",
    "/v2/kept/image/blobs/sha256:@",
    "/v2/kept/image/blobs/uploads/@/data",
    "/v2/kept/image/referrers/@/#",
];

#[test]
fn no_segment_of_a_path_leads_out_of_the_folder() {
    let victim = Victim::start();
    let client = victim.client();
    let digest = &victim.image().manifest.digest;

    for traversal in TRAVERSALS {
        for place in PLACES {
            let target = place.replace('@', traversal).replace('#', digest);
            for method in ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"] {
                let reply = client.send(request(&client, method, &target));
                is_refused(reply, &CODES);
            }
        }
    }
    victim.is_untouched();
}

/// Requests with a digest, which is where the `@` is.
const WITH_DIGEST: [(&str, &str); 10] = [
    ("GET", "/v2/kept/image/blobs/@"),
    ("HEAD", "/v2/kept/image/blobs/@"),
    ("DELETE", "/v2/kept/image/blobs/@"),
    ("GET", "/v2/kept/image/manifests/@"),
    ("PUT", "/v2/kept/image/manifests/@"),
    ("DELETE", "/v2/kept/image/manifests/@"),
    ("GET", "/v2/kept/image/referrers/@"),
    ("GET", "/v2/kept/image/referrers/#?last=@"),
    ("POST", "/v2/kept/image/blobs/uploads/?digest=@"),
    ("POST", "/v2/kept/image/blobs/uploads/?mount=@"),
];

#[test]
fn malformed_digests_are_refused_in_every_place() {
    let victim = Victim::start();
    let client = victim.client();
    let endless = format!("sha256:{}", "0".repeat(20_000));
    // One wrong digest in the last request does an upload no harm, and nor do many.
    let upload = Upload::at(&client.begin_upload(victim.repo()).expect(202));
    let codes = [
        "DIGEST_INVALID",
        "TAG_INVALID",
        "NAME_INVALID",
        "UNSUPPORTED",
    ];

    for digest in DIGESTS.into_iter().chain([endless.as_str()]) {
        for (method, place) in WITH_DIGEST {
            let target = place.replace('@', digest).replace('#', &nowhere());
            is_refused(client.send(request(&client, method, &target)), &codes);
        }
        is_refused(client.finish(&upload, digest, b"content"), &codes);
    }
    client
        .finish(&upload, &sha256("content"), b"content")
        .expect(201);
    victim.is_untouched();
}

#[test]
fn malformed_tags_are_refused_in_every_place() {
    let victim = Victim::start();
    let client = victim.client();
    let repo = victim.repo();
    let manifest = &victim.image().manifest;
    let long = "a".repeat(129);

    for tag in TAGS.into_iter().chain([long.as_str()]) {
        expect_refusal(client.get_manifest(repo, tag), 400, &["TAG_INVALID"]);
        client.head_manifest(repo, tag).expect(400);
        expect_refusal(client.delete_tag(repo, tag), 400, &["TAG_INVALID"]);
        let put = client.put_manifest(repo, tag, manifest);
        expect_refusal(put, 400, &["TAG_INVALID"]);
        let reference = format!("{}?tag={tag}", manifest.digest);
        let put = client.put_manifest(repo, &reference, manifest);
        expect_refusal(put, 400, &["TAG_INVALID", "UNSUPPORTED"]);
    }
    for empty in ["", "?tag=x"] {
        is_refused(client.put_manifest(repo, empty, manifest), &CODES);
    }
    victim.is_untouched();
}

/// What no id of an upload is, or none that is known.
const IDS: [&str; 8] = [
    "00000000-0000-4000-8000-000000000000",
    "------------------------------------",
    "x",
    "data",
    "startedat",
    "%20",
    "a%00b",
    "0000000000000000000000000000000000000000000000000000000000000000",
];

#[test]
fn ids_that_no_upload_has_are_unknown() {
    let victim = Victim::start();
    let client = victim.client();
    let repo = victim.repo();
    let upload = Upload::at(&client.begin_upload("other").expect(202));
    // It is one, but of another repository.
    let id = upload.location.rsplit('/').next().expect("an id");
    let upper = id.to_uppercase();

    for id in IDS.into_iter().chain([id, &upper]) {
        let unknown = Upload {
            location: format!("/v2/{repo}/blobs/uploads/{id}"),
        };
        for reply in [
            client.upload_status(&unknown),
            client.patch(&unknown, None, b"content"),
            client.finish(&unknown, &sha256("content"), b"content"),
            client.cancel(&unknown),
        ] {
            is_refused(reply, &["BLOB_UPLOAD_UNKNOWN", "NAME_INVALID"]);
        }
    }
    let status = client.upload_status(&upload).expect(204);
    assert_eq!(status.required("range"), "0-0");
    victim.is_unharmed();
}

/// Requests with a parameter that means nothing, or something else to who reads it carelessly; `@` is a digest.
const PARAMETERS: [(&str, &str); 9] = [
    ("POST", "/v2/kept/image/blobs/uploads/?mount=@&from=UPPER"),
    (
        "POST",
        "/v2/kept/image/blobs/uploads/?mount=@&from=..%2F..%2Fsecret",
    ),
    (
        "POST",
        "/v2/kept/image/blobs/uploads/?mount=@&from=a%0D%0AX-Injected:%20yes",
    ),
    ("POST", "/v2/kept/image/blobs/uploads/?digest-algorithm=md5"),
    (
        "POST",
        "/v2/kept/image/blobs/uploads/?digest-algorithm=sha256%00",
    ),
    (
        "PUT",
        "/v2/kept/image/manifests/latest?tag=a%0D%0AX-Injected:%20yes",
    ),
    ("GET", "/v2/_catalog?n=1&last=a%0D%0AX-Injected:%20yes"),
    ("GET", "/v2/kept/image/tags/list?last=%FF"),
    (
        "GET",
        "/v2/kept/image/referrers/@?artifactType=%0D%0AX-Injected:%20yes",
    ),
];

#[test]
fn malformed_parameters_are_refused_and_never_answered_with_a_header_of_their_own() {
    let victim = Victim::start();
    let client = victim.client();

    for (method, place) in PARAMETERS {
        let target = place.replace('@', &victim.image().manifest.digest);
        let answer = client.send(request(&client, method, &target));
        let answer = expect_refusal(answer, 400, &CODES);
        assert_eq!(answer.header("x-injected"), None, "{answer:?}");
    }
    victim.is_untouched();
}

#[test]
fn whatever_comes_last_in_a_listing_is_only_compared() {
    let victim = Victim::start();
    let client = victim.client();
    let long = "z".repeat(10_000);

    for last in [
        "..%2F..",
        "%2525",
        "a%20b",
        "'%20OR%201=1--",
        "%C3%A9",
        "%3Cscript%3E",
        &long,
    ] {
        for list in ["/v2/_catalog", "/v2/kept/image/tags/list"] {
            client.get(&format!("{list}?n=5&last={last}")).expect(200);
        }
    }
    victim.is_untouched();
}

#[test]
fn targets_that_are_none_are_refused_by_the_layer_below() {
    let victim = Victim::start();
    let targets = [
        "/v2/a b/tags/list",
        "/v2/a\tb/tags/list",
        "/v2/\u{0}/tags/list",
        "/v2/\u{7f}/tags/list",
        "/v2/é/tags/list",
        "/v2/<a>/tags/list",
        "/v2/\"a\"/tags/list",
        "/v2/a\\b/tags/list",
        "/v2/{a}/tags/list",
        "/v2/a|b/tags/list",
        "/v2/a^b/tags/list",
        "/v2/a`b/tags/list",
        "v2/",
        "*",
        "",
    ];

    for target in targets {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answers = victim.exchange(bytes.as_bytes());
        for answer in &answers {
            assert!((400..500).contains(&answer.status), "{target}: {answer:?}");
        }
        assert!(answers.len() <= 1, "{target}: {answers:?}");
    }
    victim.is_untouched();
}

/// Paths that other servers have, and that ours have nearly.
const PATHS: [&str; 18] = [
    "/v1/",
    "/v3/",
    "/v2x",
    "/V2/",
    "//v2/",
    "/v2//",
    "/v2/kept",
    "/v2/kept/image",
    "/v2/kept/image/",
    "/v2/kept/image/manifests",
    "/v2/kept/image/tags",
    "/v2/kept/image/tags/list/",
    "/v2/kept/image/tags/other",
    "/v2/_catalog/",
    "/v2/_oci/ext",
    "/debug/pprof/",
    "/favicon.ico",
    "/metrics",
];

#[test]
fn unknown_paths_are_not_found_whatever_the_method() {
    let victim = Victim::start();
    let client = victim.client();

    for path in PATHS {
        for method in ["GET", "PUT", "DELETE"] {
            let reply = client.send(request(&client, method, path));
            expect_refusal(reply, 404, &["UNSUPPORTED"]);
        }
    }
    victim.is_untouched();
}
