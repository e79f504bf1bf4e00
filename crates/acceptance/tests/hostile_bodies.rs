//! Manifests and uploads that are too large, too deep, twofold, short, wrong or about what is not there.

use std::io::Read;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use boxyard_acceptance::{Victim, expect_refusal, nowhere};
use boxyard_testkit::http::Body;
use boxyard_testkit::{Blob, Client, Noise, Reply, Upload, Way, media_type, sha256, sha512};
use serde_json::{Value, json};

/// The largest manifest that is taken.
const LIMIT: usize = 4 << 20;

/// What nobody else should have to wait for.
const AT_ONCE: Duration = Duration::from_secs(5);

const OCTETS: &str = "application/octet-stream";

/// An index of nothing of exactly this size.
fn index_of_size(size: usize) -> Blob {
    let head = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{}\",\"manifests\":[],\"annotations\":{{\"filler\":\"",
        media_type::OCI_INDEX
    );
    let tail = "\"}}";
    let filler = "x".repeat(size - head.len() - tail.len());
    Blob::new(media_type::OCI_INDEX, head + &filler + tail)
}

/// An OCI image whose fields the test changes.
fn image_with(victim: &Victim, change: impl FnOnce(&mut Value)) -> Blob {
    let bytes = &victim.image().manifest.bytes;
    let mut document: Value = serde_json::from_slice(bytes).expect("JSON");
    change(&mut document);
    Blob::json(media_type::OCI_MANIFEST, &document)
}

fn put(client: &Client, victim: &Victim, manifest: &Blob) -> Reply {
    client.put_manifest(victim.repo(), "attack", manifest)
}

/// Every manifest is refused as invalid, by tag and by digest.
#[track_caller]
fn are_invalid(victim: &Victim, manifests: impl IntoIterator<Item = Blob>) {
    let client = victim.client();
    for manifest in manifests {
        for reference in ["attack", &manifest.digest] {
            let reply = client.put_manifest(victim.repo(), reference, &manifest);
            expect_refusal(reply, 400, &["MANIFEST_INVALID"]);
        }
    }
    victim.is_untouched();
}

#[test]
fn a_manifest_may_have_four_mebibytes_and_not_a_byte_more() {
    let victim = Victim::start();
    let client = victim.client();
    let largest = index_of_size(LIMIT);
    let too_large = index_of_size(LIMIT + 1);

    let refused = put(&client, &victim, &too_large);
    expect_refusal(refused, 413, &["SIZE_INVALID"]);
    let request = client
        .request("PUT", "/v2/kept/image/manifests/attack")
        .header("Content-Type", media_type::OCI_INDEX)
        .body(Body::Chunked(Box::new(&*too_large.bytes)));
    expect_refusal(client.send(request), 413, &["SIZE_INVALID"]);
    victim.is_untouched();

    client
        .put_manifest("large", "largest", &largest)
        .expect(201);
    let pulled = client.get_manifest("large", "largest").expect(200);
    assert!(pulled.body == largest.bytes);
}

/// What is no JSON object.
const NO_OBJECTS: [&[u8]; 22] = [
    b"",
    b" ",
    b"null",
    b"1",
    b"\"text\"",
    b"[]",
    b"[{}]",
    b"{",
    b"}",
    b"{}{}",
    b"{} x",
    b"{\"a\":}",
    b"{\"a\":1,}",
    b"{'a':1}",
    b"{\"a\":NaN}",
    b"{\"a\":1e999999}\0",
    b"{\"a\":\"\xff\xfe\"}",
    b"\xef\xbb\xbf{}",
    b"{\"a\":\"\\ud800\\u0061",
    b"{/* comment */}",
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    b"schemaVersion: 2\n",
];

#[test]
fn what_is_no_json_object_is_no_manifest() {
    let victim = Victim::start();

    for kind in [
        media_type::OCI_MANIFEST,
        media_type::DOCKER_LIST,
        "application/vnd.example",
    ] {
        are_invalid(&victim, NO_OBJECTS.map(|text| Blob::new(kind, text)));
    }
}

/// Changes that make an image wrong.
const WRONG: [fn(&mut Value); 24] = [
    |image| image["schemaVersion"] = json!(1),
    |image| image["schemaVersion"] = json!(3),
    |image| image["schemaVersion"] = json!("2"),
    |image| image["mediaType"] = json!(media_type::OCI_INDEX),
    |image| image["mediaType"] = json!(7),
    |image| image["mediaType"] = json!("no type"),
    |image| image["config"] = json!(null),
    |image| image["config"] = json!([]),
    |image| image["config"] = json!({}),
    |image| drop(image.as_object_mut().expect("an object").remove("config")),
    |image| image["config"]["digest"] = json!("sha256:abc"),
    |image| image["config"]["digest"] = json!(["sha256"]),
    |image| image["config"]["digest"] = json!("../../../secret"),
    |image| image["config"]["digest"] = json!("md5:d41d8cd98f00b204e9800998ecf8427e"),
    |image| image["config"]["size"] = json!(-1),
    |image| image["config"]["size"] = json!(1.5),
    |image| image["config"]["size"] = json!("10"),
    |image| image["config"]["size"] = json!(u64::MAX),
    |image| image["layers"] = json!({}),
    |image| image["layers"] = json!([null]),
    |image| image["layers"] = json!(["sha256:abc"]),
    |image| image["manifests"] = json!([]),
    |image| image["subject"] = json!("sha256:abc"),
    |image| image["annotations"] = json!({ "a": 1 }),
];

#[test]
fn fields_that_are_wrong_are_refused() {
    let victim = Victim::start();
    let size = victim.image().config.bytes.len();

    are_invalid(&victim, WRONG.map(|change| image_with(&victim, change)));

    let wrong_size = image_with(&victim, |image| image["config"]["size"] = json!(size + 1));
    are_invalid(&victim, [wrong_size]);
}

#[test]
fn fields_that_are_there_twice_or_in_another_case_are_refused() {
    let victim = Victim::start();
    let plain = String::from_utf8(victim.image().manifest.bytes.to_vec()).expect("text");
    let elsewhere = json!({ "digest": nowhere(), "size": 1, "mediaType": "x/y" }).to_string();
    let layers = format!("[{elsewhere}]");
    let index = format!("\"{}\"", media_type::OCI_INDEX);

    for (field, value) in [
        ("schemaVersion", "2"),
        ("mediaType", &index),
        ("MediaType", &index),
        ("config", &elsewhere),
        ("Config", &elsewhere),
        ("layers", "[]"),
        ("layers", &layers),
        ("LAYERS", &layers),
        // The same name, written in another way.
        ("l\\u0061yers", &layers),
    ] {
        let text = plain.replacen('{', &format!("{{\"{field}\":{value},"), 1);
        are_invalid(&victim, [Blob::new(media_type::OCI_MANIFEST, text)]);
    }
    let text = plain.replacen("\"digest\"", "\"digest\":\"sha256:0\",\"digest\"", 1);
    are_invalid(&victim, [Blob::new(media_type::OCI_MANIFEST, text)]);
}

#[test]
fn a_content_type_must_be_one_and_fit() {
    let victim = Victim::start();
    let manifest = &victim.image().manifest;
    let long = format!("application/{}", "x".repeat(1_000));

    let types = [
        media_type::OCI_INDEX,
        media_type::DOCKER_MANIFEST,
        "application/vnd.example",
        "nonsense",
        "a/b/c",
        "a/",
        "/b",
        "a b/c",
        "<script>/x",
        &long,
    ];
    are_invalid(
        &victim,
        types.map(|kind| Blob::new(kind, manifest.bytes.clone())),
    );
    // Without any type, neither the request nor the document says what it is.
    let client = victim.client();
    let request = client
        .request("PUT", "/v2/kept/image/manifests/attack")
        .bytes("{}");
    expect_refusal(client.send(request), 400, &["MANIFEST_INVALID"]);
}

#[test]
fn deep_json_is_refused_wherever_it_nests() {
    let victim = Victim::start();
    let nested =
        |depth: usize, open: &str, close: &str| open.repeat(depth) + "1" + &close.repeat(depth);
    let mut manifests = Vec::new();
    for depth in [200, 10_000, 500_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"digest\":", "}]")] {
            let depth = depth.min(LIMIT / 2 / (open.len() + close.len()));
            let text = format!("{{\"a\":{}}}", nested(depth, open, close));
            manifests.push(Blob::new("application/vnd.example", text.clone()));
            manifests.push(Blob::new(media_type::OCI_INDEX, text));
        }
    }
    manifests.push(Blob::new(media_type::OCI_MANIFEST, "[".repeat(LIMIT)));
    manifests.push(Blob::new(
        media_type::OCI_MANIFEST,
        "{\"a\":".repeat(LIMIT / 5),
    ));

    are_invalid(&victim, manifests);
}

/// Manifests of nearly four mebibytes that are as much work as can be.
fn heavy_manifests() -> [Blob; 6] {
    let many = |item: &str| vec![item; (LIMIT - 1_000) / (item.len() + 1)].join(",");
    let noise = &mut Noise::new(1);
    let edges: Vec<String> = (0..45_000)
        .map(|_| format!("{{\"digest\":\"{}\"}}", sha256(noise.word().to_le_bytes())))
        .collect();
    let edges = edges.join(",");
    let index = |list: &str| {
        let kind = media_type::OCI_INDEX;
        Blob::new(
            kind,
            format!("{{\"schemaVersion\":2,\"mediaType\":\"{kind}\",\"manifests\":[{list}]}}"),
        )
    };
    [
        // A million of what might be references.
        Blob::new(
            media_type::OCI_MANIFEST,
            format!("{{\"schemaVersion\":2,\"layers\":[{}]}}", many("{}")),
        ),
        index(&many("{}")),
        index(&many("1")),
        index(&edges),
        Blob::new("application/vnd.example", format!("{{\"a\":[{edges}]}}")),
        Blob::new(
            media_type::OCI_MANIFEST,
            format!("{{{}}}", many("\"layers\":[]")),
        ),
    ]
}

#[test]
fn a_million_edges_are_refused_while_others_are_served_at_once() {
    let victim = Victim::start();
    let (done, ended) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            let client = victim.client();
            for manifest in heavy_manifests() {
                let reply = put(&client, &victim, &manifest);
                expect_refusal(reply, 400, &["MANIFEST_INVALID"]);
            }
            done.send(()).expect("the test waits");
        });
        let other = victim.client();
        while ended.try_recv().is_err() {
            let started = Instant::now();
            other.pull_image(victim.repo(), "latest");
            assert!(started.elapsed() < AT_ONCE, "another client waited");
        }
    });
    victim.is_untouched();
}

#[test]
fn a_manifest_of_many_references_is_taken_and_lists_what_is_missing() {
    let victim = Victim::start();
    let client = victim.client();
    let layer = |number: u32| json!({ "mediaType": OCTETS, "digest": sha256(number.to_le_bytes()), "size": 4 });
    let many = image_with(&victim, |image| {
        image["layers"] = (0..9_000).map(layer).collect();
    });

    let refused = put(&client, &victim, &many);
    let refused = expect_refusal(refused, 400, &["MANIFEST_BLOB_UNKNOWN"]);

    assert!(refused.text().contains(&sha256(0_u32.to_le_bytes())));
    assert!(refused.body.len() < 1 << 20, "{} bytes", refused.body.len());
    victim.is_untouched();
}

#[test]
fn everything_that_is_missing_is_named() {
    let victim = Victim::start();
    let client = victim.client();
    let absent: Vec<String> = (0..3).map(|number: u8| sha256([number])).collect();
    let listed = |kind: &str| -> Value {
        let one = |digest| json!({ "mediaType": kind, "digest": digest, "size": 1 });
        absent.iter().map(one).collect()
    };
    let image = image_with(&victim, |image| image["layers"] = listed(OCTETS));
    let children = listed(media_type::OCI_MANIFEST);
    let kind = media_type::OCI_INDEX;
    let index = json!({ "schemaVersion": 2, "mediaType": kind, "manifests": children });

    for manifest in [image, Blob::json(kind, &index)] {
        let refused = put(&client, &victim, &manifest);
        let refused = expect_refusal(refused, 400, &["MANIFEST_BLOB_UNKNOWN"]);
        let errors = refused.json()["errors"].as_array().expect("a list").clone();
        let digests = errors.iter().map(|error| &error["detail"]["digest"]);
        assert!(digests.eq(&absent), "{errors:?}");
    }
    victim.is_untouched();
}

#[test]
fn a_blob_of_another_repository_is_missing_too() {
    let victim = Victim::start();
    let client = victim.client();

    let reply = client.put_manifest("other", "latest", &victim.image().manifest);

    expect_refusal(reply, 400, &["MANIFEST_BLOB_UNKNOWN"]);
    client.get_manifest("other", "latest").expect(404);
    victim.is_untouched();
}

#[test]
fn a_manifest_under_the_digest_of_another_is_refused() {
    let victim = Victim::start();
    let client = victim.client();
    let manifest = &victim.image().manifest;

    for digest in [nowhere(), sha512("another"), sha256("")] {
        let reply = client.put_manifest(victim.repo(), &digest, manifest);
        expect_refusal(reply, 400, &["DIGEST_INVALID"]);
        client.get_manifest(victim.repo(), &digest).expect(404);
    }
    victim.is_untouched();
}

#[test]
fn content_that_is_not_what_its_digest_says_is_refused_and_not_kept() {
    let victim = Victim::start();
    let client = victim.client();
    let blob = Blob {
        digest: nowhere(),
        ..Blob::new(OCTETS, Noise::new(1).draw(300_000))
    };
    let true_digest = sha256(&blob.bytes);

    for way in [Way::Post, Way::PostPut, Way::Chunks(70_000), Way::Streamed] {
        let reply = client.push_blob_by(way, victim.repo(), &blob);
        expect_refusal(reply, 400, &["DIGEST_INVALID"]);
        for digest in [&blob.digest, &true_digest] {
            client.head_blob(victim.repo(), digest).expect(404);
        }
    }
    victim.is_untouched();
}

#[test]
fn an_upload_is_finished_once_and_the_same_request_is_answered_again() {
    let victim = Victim::start();
    let client = victim.client();
    let bytes = Noise::new(2).draw(100_000);
    let (digest, other) = (sha256(&bytes), nowhere());
    let upload = Upload::at(&client.begin_upload(victim.repo()).expect(202));
    client.finish(&upload, &digest, &bytes).expect(201);

    for body in [&bytes[..], b"", b"something else"] {
        client.finish(&upload, &digest, body).expect(201);
    }
    for reply in [
        client.finish(&upload, &other, &bytes),
        client.patch(&upload, None, b"more"),
        client.upload_status(&upload),
        client.cancel(&upload),
    ] {
        expect_refusal(reply, 404, &["BLOB_UPLOAD_UNKNOWN"]);
    }

    let held = client.get_blob(victim.repo(), &digest).expect(200);
    assert!(held.body == bytes);
    victim.is_untouched();
}

/// Ranges that are none, that do not fit a chunk of 200 bytes, or that do not follow 100 bytes.
const RANGES: [(&str, u16, &str); 12] = [
    ("100-98", 416, "RANGE_INVALID"),
    ("100-", 416, "RANGE_INVALID"),
    ("-100", 416, "RANGE_INVALID"),
    ("100", 416, "RANGE_INVALID"),
    ("a-b", 416, "RANGE_INVALID"),
    ("0-199", 416, "RANGE_INVALID"),
    ("bytes 0-199/*", 416, "RANGE_INVALID"),
    ("100-99999999999999999999999999", 416, "RANGE_INVALID"),
    ("100-200", 400, "SIZE_INVALID"),
    ("100-300", 400, "SIZE_INVALID"),
    ("100-18446744073709551614", 400, "SIZE_INVALID"),
    (
        "18446744073709551615-18446744073709551615",
        400,
        "SIZE_INVALID",
    ),
];

#[test]
fn chunks_whose_length_and_range_disagree_change_nothing() {
    let victim = Victim::start();
    let client = victim.client();
    let bytes = Noise::new(3).draw(1_000);
    let digest = sha256(&bytes);
    let upload = Upload::at(&client.begin_upload(victim.repo()).expect(202));
    client.patch(&upload, Some(0), &bytes[..100]).expect(202);

    for (range, status, code) in RANGES {
        let finish = upload.target_of(&digest);
        for (method, target) in [("PATCH", &upload.location), ("PUT", &finish)] {
            let request = client
                .request(method, target)
                .header("Content-Range", range);
            let reply = client.send(request.bytes(bytes[100..300].to_vec()));
            expect_refusal(reply, status, &[code]);
        }
        let state = client.upload_status(&upload).expect(204);
        assert_eq!(state.required("range"), "0-99", "{range}");
    }
    client.patch(&upload, Some(100), &bytes[100..]).expect(202);
    client.finish(&upload, &digest, b"").expect(201);
    victim.is_untouched();
}

#[test]
fn a_streamed_chunk_of_another_length_than_its_range_is_taken_back() {
    let victim = Victim::start();
    let client = victim.client();
    let bytes = Noise::new(4).draw(600_000);
    let digest = sha256(&bytes);
    let upload = Upload::at(&client.begin_upload(victim.repo()).expect(202));
    client.patch(&upload, Some(0), &bytes[..10]).expect(202);

    for length in [1, 300_000, 599_989] {
        let request = client
            .request("PATCH", &upload.location)
            .header(
                "Content-Range",
                &format!("10-{}", 10 + length - 2 + usize::from(length == 1) * 2),
            )
            .body(Body::Chunked(Box::new(&bytes[10..10 + length])));
        expect_refusal(client.send(request), 400, &["SIZE_INVALID"]);
        let state = client.upload_status(&upload).expect(204);
        assert_eq!(state.required("range"), "0-9", "{length}");
    }
    client.patch(&upload, Some(10), &bytes[10..]).expect(202);
    client.finish(&upload, &digest, b"").expect(201);
    victim.is_untouched();
}

#[test]
fn a_body_that_ends_before_its_length_is_never_the_whole_blob() {
    let victim = Victim::start();
    let client = victim.client();
    let bytes = Noise::new(5).draw(10_000);
    // Were the end of the connection taken for the end of the body, the digest would be right.
    let digest = sha256(&bytes);
    let upload = Upload::at(&client.begin_upload(victim.repo()).expect(202));
    let targets = [
        ("PUT", upload.target_of(&digest)),
        (
            "POST",
            format!("/v2/kept/image/blobs/uploads/?digest={digest}"),
        ),
    ];

    for (method, target) in targets {
        let head =
            format!("{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 10001\r\n\r\n");
        let mut connection = client.connect().expect("connect");
        connection.write(head.as_bytes()).expect("write");
        connection.write(&bytes).expect("write");
        connection.half_close().expect("close");
        let said = connection.read_to_close().expect("the server closes");
        let said = String::from_utf8_lossy(&said);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
        client.head_blob(victim.repo(), &digest).expect(404);
    }
    victim.is_untouched();
}

#[test]
fn a_manifest_that_ends_before_its_length_is_not_taken() {
    let victim = Victim::start();
    let client = victim.client();
    let manifest = index_of_size(2_000);
    for framing in [
        "Content-Length: 2001\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n7d0\r\n",
    ] {
        let head = format!(
            "PUT /v2/kept/image/manifests/attack HTTP/1.1\r\nHost: x\r\nContent-Type: {}\r\n{framing}",
            manifest.media_type
        );
        let mut connection = client.connect().expect("connect");
        connection.write(head.as_bytes()).expect("write");
        connection.write(&manifest.bytes).expect("write");
        connection.half_close().expect("close");
        let _said = connection.read_to_close().expect("the server closes");
    }
    victim.is_untouched();
}

#[test]
fn a_request_that_needs_a_digest_says_so() {
    let victim = Victim::start();
    let client = victim.client();
    let upload = Upload::at(&client.begin_upload(victim.repo()).expect(202));

    for query in ["", "?digest=", "?digest", "?digests=x", "?Digest=x"] {
        let target = format!("{}{query}", upload.location);
        let reply = client.send(client.request("PUT", &target).bytes("content"));
        expect_refusal(reply, 400, &["DIGEST_INVALID"]);
    }

    client.finish(&upload, &sha256(""), b"").expect(201);
    victim.is_untouched();
}

#[test]
fn bodies_where_none_belongs_are_read_and_ignored() {
    let victim = Victim::start();
    let client = victim.client();
    let upload = Upload::at(&client.begin_upload(victim.repo()).expect(202));
    let target = format!("/v2/kept/image/manifests/{}", nowhere());
    let mut connection = client.connect().expect("connect");

    for (method, target, status) in [
        ("GET", "/v2/", 200),
        ("GET", "/v2/kept/image/manifests/latest", 200),
        ("DELETE", &target, 404),
        ("GET", &upload.location, 204),
        ("DELETE", &upload.location, 204),
        ("GET", "/v2/", 200),
    ] {
        let body = Body::Stream(Box::new(std::io::repeat(b'x').take(1 << 20)), 1 << 20);
        let mut request = client.request(method, target).body(body);
        let answer = connection.send(&mut request).expect("an answer");
        assert_eq!(answer.status, status, "{method} {target}");
    }
    victim.is_untouched();
}
