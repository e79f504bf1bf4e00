//! Pulling: what answers to GET and HEAD of manifests and blobs say, ranges of them, and what need not be sent again.

use boxyard_testkit::http::Response;
use boxyard_testkit::{Blob, Client, Image, Noise, Reply, TestServer, media_type};

const SIZE: usize = 1_000;

/// A server with one blob of [`SIZE`] bytes in the repository `pulled`.
fn with_blob() -> (TestServer, Client, Blob) {
    let server = TestServer::start();
    let client = Client::of(&server);
    let blob = Blob::new("application/octet-stream", Noise::new(1).draw(SIZE));
    client.push_blob("pulled", &blob).expect(201);
    (server, client, blob)
}

/// A server with one image as `pulled:latest`.
fn with_image() -> (TestServer, Client, Image) {
    let server = TestServer::start();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[SIZE]);
    client.push_image("pulled", "latest", &image).expect(201);
    (server, client, image)
}

fn get_with(client: &Client, target: &str, headers: &[(&str, &str)]) -> Reply {
    let request = headers
        .iter()
        .fold(client.request("GET", target), |request, (name, value)| {
            request.header(name, value)
        });
    client.send(request)
}

/// Looks at what every answer about immutable content has in common.
#[track_caller]
fn is_described(response: &Response, digest: &str) {
    assert_eq!(response.required("docker-content-digest"), digest);
    assert_eq!(response.required("etag"), format!("\"{digest}\""));
    let caching = response.required("cache-control");
    assert!(caching.contains("max-age=31536000"), "{caching}");
}

#[test]
fn the_base_of_the_api_says_that_it_is_there() {
    let server = TestServer::start();
    let client = Client::of(&server);

    for target in ["/v2/", "/v2"] {
        let base = client.get(target).expect(200);
        assert_eq!(base.json(), serde_json::json!({}));
        assert_eq!(
            base.required("docker-distribution-api-version"),
            "registry/2.0"
        );
    }
    client.head("/v2/").expect(200);
    client.get("/").expect(200);
}

#[test]
fn a_blob_is_described_alike_by_get_and_head() {
    let (_server, client, blob) = with_blob();

    let got = client.get_blob("pulled", &blob.digest).expect(200);
    let head = client.head_blob("pulled", &blob.digest).expect(200);

    assert_eq!(got.body, blob.bytes);
    for answer in [got, head] {
        is_described(&answer, &blob.digest);
        assert_eq!(answer.required("content-length"), SIZE.to_string());
        assert_eq!(answer.required("content-type"), "application/octet-stream");
        assert_eq!(answer.required("accept-ranges"), "bytes");
    }
}

#[test]
fn a_manifest_is_described_alike_by_get_and_head() {
    let (_server, client, image) = with_image();
    let manifest = &image.manifest;

    for reference in ["latest", &manifest.digest] {
        let got = client.get_manifest("pulled", reference).expect(200);
        let head = client.head_manifest("pulled", reference).expect(200);

        assert_eq!(got.body, manifest.bytes);
        for answer in [got, head] {
            assert_eq!(answer.required("docker-content-digest"), manifest.digest);
            assert_eq!(answer.required("etag"), format!("\"{}\"", manifest.digest));
            assert_eq!(
                answer.required("content-length"),
                manifest.bytes.len().to_string()
            );
            assert_eq!(answer.required("content-type"), media_type::OCI_MANIFEST);
        }
    }
}

#[test]
fn a_manifest_by_digest_may_be_kept_and_one_by_tag_must_be_asked_for_again() {
    let (_server, client, image) = with_image();

    let by_digest = client
        .get_manifest("pulled", &image.manifest.digest)
        .expect(200);
    let by_tag = client.get_manifest("pulled", "latest").expect(200);

    is_described(&by_digest, &image.manifest.digest);
    assert_eq!(by_tag.required("cache-control"), "no-cache");
}

#[test]
fn a_manifest_is_served_whatever_the_client_says_that_it_accepts() {
    let (_server, client, image) = with_image();
    let accepted = [
        "*/*",
        "application/json",
        "text/html",
        media_type::DOCKER_MANIFEST,
        media_type::OCI_INDEX,
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "application/vnd.oci.image.manifest.v1+json;q=0",
        "nonsense",
        "",
    ];

    let unsaid = client.get("/v2/pulled/manifests/latest").expect(200);
    assert_eq!(unsaid.body, image.manifest.bytes);
    for accept in accepted {
        let got = get_with(
            &client,
            "/v2/pulled/manifests/latest",
            &[("Accept", accept)],
        );
        let got = got.expect(200);
        assert_eq!(got.body, image.manifest.bytes, "{accept}");
        assert_eq!(got.required("content-type"), media_type::OCI_MANIFEST);
    }
}

/// Ranges, with the first and the last byte that they ask for.
const PARTS: [(&str, usize, usize); 14] = [
    ("bytes=0-0", 0, 0),
    ("bytes=0-99", 0, 99),
    ("bytes=10-19", 10, 19),
    ("bytes=999-999", 999, 999),
    ("bytes=400-", 400, 999),
    ("bytes=0-", 0, 999),
    ("bytes=-1", 999, 999),
    ("bytes=-300", 700, 999),
    ("bytes=-1000", 0, 999),
    ("bytes=-99999", 0, 999),
    ("bytes=900-99999", 900, 999),
    ("bytes=5-18446744073709551615", 5, 999),
    ("BYTES=1-2", 1, 2),
    ("bytes= 1-2", 1, 2),
];

/// Headers that ask for no range, or for more than one.
const NO_PARTS: [&str; 13] = [
    "bytes=0-1,5-6",
    "bytes=0-1, -1",
    "bytes=",
    "bytes=-",
    "bytes=a-b",
    "bytes=0x0-0x1",
    "bytes=+0-1",
    "bytes=0--1",
    "bytes 0-1",
    "items=0-1",
    "0-1",
    "bytes",
    "",
];

#[test]
fn a_single_range_is_served_as_a_part() {
    let (_server, client, blob) = with_blob();

    for (range, first, last) in PARTS {
        let part = client.get_range("pulled", &blob.digest, range).expect(206);
        assert_eq!(part.body, blob.bytes[first..=last], "{range}");
        let place = format!("bytes {first}-{last}/{SIZE}");
        assert_eq!(part.required("content-range"), place);
        let length = (last - first + 1).to_string();
        assert_eq!(part.required("content-length"), length);
        is_described(&part, &blob.digest);
    }
}

#[test]
fn a_range_outside_of_the_blob_is_refused_with_its_size() {
    let (_server, client, blob) = with_blob();

    for range in [
        "bytes=1000-",
        "bytes=1000-1001",
        "bytes=99999999-",
        "bytes=-0",
    ] {
        let refused = client.get_range("pulled", &blob.digest, range);
        let refused = refused.expect_error(416, "RANGE_INVALID");
        assert_eq!(
            refused.required("content-range"),
            format!("bytes */{SIZE}"),
            "{range}"
        );
    }
}

#[test]
fn several_ranges_and_what_is_no_range_are_answered_with_the_whole() {
    let (_server, client, blob) = with_blob();

    for range in NO_PARTS {
        let whole = client.get_range("pulled", &blob.digest, range).expect(200);
        assert_eq!(whole.body, blob.bytes, "{range}");
        assert_eq!(whole.header("content-range"), None, "{range}");
    }
}

#[test]
fn a_range_of_an_empty_blob_is_answered_with_nothing() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let empty = Blob::new("application/octet-stream", "");
    client.push_blob("pulled", &empty).expect(201);

    for range in ["bytes=0-", "bytes=0-0", "bytes=-5"] {
        let got = client
            .get_range("pulled", &empty.digest, range)
            .into_result();
        let got = got.expect("an answer");
        assert!(matches!(got.status, 200 | 416), "{got:?}");
    }
}

#[test]
fn a_range_is_only_served_to_who_has_the_same_content() {
    let (_server, client, blob) = with_blob();
    let target = format!("/v2/pulled/blobs/{}", blob.digest);
    let conditions = [
        (format!("\"{}\"", blob.digest), 206),
        (format!("W/\"{}\"", blob.digest), 200),
        ("\"another\"".to_owned(), 200),
        ("Wed, 21 Oct 2015 07:28:00 GMT".to_owned(), 200),
    ];

    for (condition, status) in conditions {
        let headers = [("Range", "bytes=0-9"), ("If-Range", condition.as_str())];
        let got = get_with(&client, &target, &headers).expect(status);
        let length = if status == 206 { 10 } else { SIZE };
        assert_eq!(got.body.len(), length, "{condition}");
    }
}

/// Where the content of an image is, with its digests.
fn targets_of(image: &Image) -> [(String, &String); 3] {
    let (layer, manifest) = (&image.layers[0].digest, &image.manifest.digest);
    [
        (format!("/v2/pulled/blobs/{layer}"), layer),
        (format!("/v2/pulled/manifests/{manifest}"), manifest),
        ("/v2/pulled/manifests/latest".to_owned(), manifest),
    ]
}

#[test]
fn what_the_client_holds_is_not_sent_again() {
    let (_server, client, image) = with_image();

    for (target, digest) in targets_of(&image) {
        let tag = format!("\"{digest}\"");
        for held in [
            tag.clone(),
            format!("W/{tag}"),
            format!("\"a\", {tag}"),
            "*".to_owned(),
        ] {
            let condition = [("If-None-Match", held.as_str())];
            let got = get_with(&client, &target, &condition).expect(304);
            assert!(got.body.is_empty());
            assert_eq!(got.required("etag"), tag);
            let head = client
                .request("HEAD", &target)
                .header("If-None-Match", &held);
            client.send(head).expect(304);
        }
        let other = get_with(&client, &target, &[("If-None-Match", "\"other\"")]);
        assert!(!other.expect(200).body.is_empty());
    }
}

#[test]
fn a_tag_that_has_moved_is_sent_again() {
    let (_server, client, image) = with_image();
    let held = format!("\"{}\"", image.manifest.digest);
    let moved = Image::with_layers(2, &[10]);
    client.push_image("pulled", "latest", &moved).expect(201);

    let headers = [("If-None-Match", held.as_str())];
    let got = get_with(&client, "/v2/pulled/manifests/latest", &headers).expect(200);

    assert_eq!(got.body, moved.manifest.bytes);
}

#[test]
fn what_is_not_there_is_named_by_its_code() {
    let (_server, client, image) = with_image();
    let absent = boxyard_testkit::sha256("absent");
    let layer = &image.layers[0].digest;

    for (target, code) in [
        ("pulled/manifests/absent", "MANIFEST_UNKNOWN"),
        (&format!("pulled/manifests/{absent}"), "MANIFEST_UNKNOWN"),
        // A blob is no manifest.
        (&format!("pulled/manifests/{layer}"), "MANIFEST_UNKNOWN"),
        (&format!("pulled/blobs/{absent}"), "BLOB_UNKNOWN"),
        ("absent/manifests/latest", "MANIFEST_UNKNOWN"),
        (&format!("absent/blobs/{layer}"), "BLOB_UNKNOWN"),
        ("absent/tags/list", "NAME_UNKNOWN"),
    ] {
        let target = format!("/v2/{target}");
        client.get(&target).expect_error(404, code);
        assert!(client.head(&target).expect(404).body.is_empty());
    }
}

#[test]
fn a_blob_is_only_served_by_the_repositories_that_hold_it() {
    let (_server, client, blob) = with_blob();
    let other = Image::with_layers(3, &[10]);
    client.push_image("other", "latest", &other).expect(201);

    client
        .get_blob("other", &blob.digest)
        .expect_error(404, "BLOB_UNKNOWN");
    client.head_blob("other", &blob.digest).expect(404);
}

#[test]
fn percent_encoded_names_digests_and_tags_are_decoded_once() {
    let (_server, client, image) = with_image();
    let digest = image.manifest.digest.replace(':', "%3A");

    client.get("/v2/pu%6cled/manifests/l%61test").expect(200);
    client
        .get(&format!("/v2/pulled/manifests/{digest}"))
        .expect(200);
    client
        .get("/v2/pu%256cled/manifests/latest")
        .expect_error(400, "NAME_INVALID");
}

#[test]
fn a_manifests_own_bytes_are_a_blob_too_where_clients_ask_for_one() {
    let (_server, client, image) = with_image();

    let reply = client.get_blob("pulled", &image.manifest.digest);

    // Distribution serves none, as the repository has no layer link of it; whoever does must serve the same bytes.
    match reply.into_result().expect("an answer") {
        answer if answer.status == 404 => assert_eq!(answer.error_codes(), ["BLOB_UNKNOWN"]),
        answer => assert_eq!(answer.body, image.manifest.bytes),
    }
}
