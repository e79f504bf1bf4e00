//! Pushing: every way in which a blob, a manifest and a tag get in, with the statuses and headers of the answers.

use boxyard_testkit::http::{Body, Response};
use boxyard_testkit::{
    Blob, Client, Image, Index, Noise, Reply, Setup, TestServer, Upload, Way, media_type, sha512,
};
use serde_json::json;

const OCTETS: &str = "application/octet-stream";

/// Sizes around what a registry may treat differently: nothing, small, the size of a batch, several of them.
const SIZES: [usize; 7] = [0, 1, 32 << 10, (32 << 10) + 1, 256 << 10, 300_000, 3 << 20];

fn blob(size: usize) -> Blob {
    Blob::new(OCTETS, Noise::new(size as u64).draw(size))
}

/// Looks at what the end of every push of a blob has in common.
#[track_caller]
fn is_stored(client: &Client, repo: &str, digest: &str, reply: Reply) {
    let response = reply.expect(201);
    assert_eq!(response.required("docker-content-digest"), digest);
    assert_eq!(
        response.required("location"),
        format!("/v2/{repo}/blobs/{digest}")
    );
    assert_eq!(response.required("content-length"), "0");
    client.get(&response.location()).expect(200);
}

/// Looks at what every answer about an open upload has in common, and returns the upload.
#[track_caller]
fn is_open(response: &Response, repo: &str, range: &str) -> Upload {
    let id = response.required("docker-upload-uuid");
    let location = response.required("location");
    assert_eq!(location, format!("/v2/{repo}/blobs/uploads/{id}"));
    assert_eq!(response.required("range"), range);
    Upload::at(response)
}

#[test]
fn blobs_of_every_size_come_in_by_every_way() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let ways = [Way::Post, Way::PostPut, Way::Chunks(100_000), Way::Streamed];

    for (number, way) in ways.into_iter().enumerate() {
        let repo = format!("way/{number}");
        for size in SIZES {
            let blob = blob(size);
            let reply = client.push_blob_by(way, &repo, &blob);
            is_stored(&client, &repo, &blob.digest, reply);
            let held = client.get_blob(&repo, &blob.digest).expect(200);
            assert!(held.body == blob.bytes, "{size} bytes by {way:?}");
        }
    }
}

#[test]
fn a_blob_that_is_there_already_is_taken_again_by_every_way() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let blob = blob(40_000);
    client.push_blob("again", &blob).expect(201);

    for way in [Way::Post, Way::PostPut, Way::Chunks(9_999), Way::Streamed] {
        let reply = client.push_blob_by(way, "again", &blob);
        is_stored(&client, "again", &blob.digest, reply);
    }
}

#[test]
fn an_upload_says_at_every_step_where_it_is() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let blob = blob(1_000);
    let (first, second) = blob.bytes.split_at(600);

    let begun = client.begin_upload("steps").expect(202);
    assert_eq!(begun.required("content-length"), "0");
    let upload = is_open(&begun, "steps", "0-0");
    let chunk = client.patch(&upload, Some(0), first).expect(202);
    let upload = is_open(&chunk, "steps", "0-599");
    let status = client.upload_status(&upload).expect(204);
    assert_eq!(status.header("content-length"), None, "{status:?}");
    let upload = is_open(&status, "steps", "0-599");
    let head = client.head(&upload.location).expect(204);
    let upload = is_open(&head, "steps", "0-599");
    let chunk = client.patch(&upload, None, second).expect(202);
    let upload = is_open(&chunk, "steps", "0-999");

    let finished = client.finish(&upload, &blob.digest, b"");
    is_stored(&client, "steps", &blob.digest, finished);
}

#[test]
fn a_digest_without_content_begins_an_upload_for_it() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let blob = blob(1_000);
    let target = format!("/v2/older/blobs/uploads/?digest={}", blob.digest);

    let begun = client
        .send(client.request("POST", &target).bytes(""))
        .expect(202);

    let upload = is_open(&begun, "older", "0-0");
    let finished = client.finish(&upload, &blob.digest, &blob.bytes);
    is_stored(&client, "older", &blob.digest, finished);
}

#[test]
fn the_closing_request_may_bring_the_last_chunk_with_its_range() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let blob = blob(1_000);
    let upload = Upload::at(&client.begin_upload("last").expect(202));
    client
        .patch(&upload, Some(0), &blob.bytes[..700])
        .expect(202);

    let last = client
        .request("PUT", &upload.target_of(&blob.digest))
        .header("Content-Range", "700-999")
        .bytes(blob.bytes.slice(700..));

    is_stored(&client, "last", &blob.digest, client.send(last));
}

#[test]
fn a_chunk_out_of_order_is_refused_and_the_upload_goes_on_where_it_was() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let blob = blob(3_000);
    let upload = Upload::at(&client.begin_upload("order").expect(202));
    let (first, rest) = blob.bytes.split_at(1_000);
    client.patch(&upload, Some(0), first).expect(202);

    for start in [0, 999, 1_001, 2_000] {
        let refused = client.patch(&upload, Some(start), &rest[..1_000]);
        let refused = refused.expect_error(416, "RANGE_INVALID");
        is_open(&refused, "order", "0-999");
    }
    let last = client
        .request("PUT", &upload.target_of(&blob.digest))
        .header("Content-Range", "2000-2999")
        .bytes(blob.bytes.slice(2_000..));
    client.send(last).expect_error(416, "RANGE_INVALID");

    let status = client.upload_status(&upload).expect(204);
    let upload = is_open(&status, "order", "0-999");
    client.patch(&upload, Some(1_000), rest).expect(202);
    client.finish(&upload, &blob.digest, b"").expect(201);
}

#[test]
fn an_upload_is_resumed_by_another_client_after_a_restart() {
    let mut server = TestServer::start();
    let blob = blob(2 << 20);
    let half = blob.bytes.len() / 2;
    let client = Client::of(&server);
    let upload = Upload::at(&client.begin_upload("resumed").expect(202));
    client.patch(&upload, None, &blob.bytes[..half]).expect(202);

    server.restart();

    let client = Client::of(&server);
    let status = client.upload_status(&upload).expect(204);
    assert_eq!(status.required("range"), format!("0-{}", half - 1));
    client
        .patch(&upload, Some(half), &blob.bytes[half..])
        .expect(202);
    is_stored(
        &client,
        "resumed",
        &blob.digest,
        client.finish(&upload, &blob.digest, b""),
    );
}

#[test]
fn a_client_that_vanishes_in_a_chunk_goes_on_from_where_the_server_says() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let blob = blob(1 << 20);
    let upload = Upload::at(&client.begin_upload("vanished").expect(202));
    let mut connection = client.connect().expect("connect");
    let head = format!(
        "PATCH {} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        upload.location,
        blob.bytes.len()
    );
    connection.write(head.as_bytes()).expect("write the head");
    connection
        .write(&blob.bytes[..700_000])
        .expect("write a part");
    connection.reset().expect("break the connection");

    let status = client.upload_status(&upload).expect(204);
    let range = status.required("range");
    let last: usize = range.trim_start_matches("0-").parse().expect("a number");
    let received = if last == 0 { 0 } else { last + 1 };
    assert!(received <= 700_000, "{range}");
    client
        .patch(&upload, Some(received), &blob.bytes[received..])
        .expect(202);

    client.finish(&upload, &blob.digest, b"").expect(201);
}

#[test]
fn a_cancelled_upload_is_gone_for_everything() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let blob = blob(500);
    let upload = Upload::at(&client.begin_upload("cancelled").expect(202));
    client.patch(&upload, None, &blob.bytes).expect(202);

    client.cancel(&upload).expect(204);

    for reply in [
        client.upload_status(&upload),
        client.patch(&upload, None, &blob.bytes),
        client.finish(&upload, &blob.digest, &blob.bytes),
        client.cancel(&upload),
    ] {
        reply.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    }
    client.head_blob("cancelled", &blob.digest).expect(404);
    let uploads = "docker/registry/v2/repositories/cancelled/_uploads";
    let left = std::fs::read_dir(server.root().join(uploads)).map_or(0, Iterator::count);
    assert_eq!(left, 0, "files of cancelled uploads");
}

#[test]
fn a_blob_is_mounted_from_where_the_client_says_and_from_anywhere() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let blob = blob(2_000);
    client.push_blob("from/here", &blob).expect(201);

    let named = client.mount("to/one", &blob.digest, Some("from/here"));
    let any = client.mount("to/two", &blob.digest, None);

    is_stored(&client, "to/one", &blob.digest, named);
    is_stored(&client, "to/two", &blob.digest, any);
    let held = client.get_blob("to/two", &blob.digest).expect(200);
    assert_eq!(held.body, blob.bytes);
}

#[test]
fn what_cannot_be_mounted_becomes_an_upload() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let there = blob(10);
    client.push_blob("from", &there).expect(201);
    let absent = blob(2_000);

    for (digest, from) in [
        (&there.digest, Some("another/repository")),
        (&absent.digest, Some("from")),
        (&absent.digest, None),
    ] {
        let begun = client.mount("to", digest, from).expect(202);
        let upload = is_open(&begun, "to", "0-0");
        client
            .finish(&upload, &absent.digest, &absent.bytes)
            .expect(201);
        client.delete_blob("to", &absent.digest).expect(202);
    }
}

#[test]
fn blobs_have_digests_by_sha512_as_well() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let bytes = Noise::new(5).draw(50_000);
    let digest = sha512(&bytes);
    let begin = |target: &str, body: &[u8]| {
        let target = format!("/v2/sha512/blobs/uploads/?{target}");
        client.send(client.request("POST", &target).bytes(body.to_vec()))
    };

    let hinted = Upload::at(&begin("digest-algorithm=sha512", b"").expect(202));
    client.patch(&hinted, None, &bytes[..20_000]).expect(202);
    let hinted = client.finish(&hinted, &digest, &bytes[20_000..]);
    is_stored(&client, "sha512", &digest, hinted);
    let in_one = begin(&format!("digest={digest}"), &bytes);
    is_stored(&client, "sha512", &digest, in_one);
    let unhinted = Upload::at(&begin("", b"").expect(202));
    let unhinted = client.finish(&unhinted, &digest, &bytes);
    is_stored(&client, "sha512", &digest, unhinted);
    let hinted_wrongly = Upload::at(&begin("digest-algorithm=sha256", b"").expect(202));
    let hinted_wrongly = client.finish(&hinted_wrongly, &digest, &bytes);
    is_stored(&client, "sha512", &digest, hinted_wrongly);

    let held = client.get_blob("sha512", &digest).expect(200);
    assert_eq!(held.body, bytes);
    assert_eq!(held.required("docker-content-digest"), digest);
    begin("digest-algorithm=md5", b"").expect_error(400, "DIGEST_INVALID");
}

#[test]
fn an_image_with_digests_by_sha512_is_pushed_and_pulled() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let push = |bytes: &[u8]| {
        let target = format!("/v2/whole/blobs/uploads/?digest={}", sha512(bytes));
        let reply = client.send(client.request("POST", &target).bytes(bytes.to_vec()));
        reply.expect(201);
        json!({ "mediaType": OCTETS, "digest": sha512(bytes), "size": bytes.len() })
    };
    let config = push(b"{}");
    let layers = [push(b"one"), push(b"two")];
    let manifest = Blob::json(
        media_type::OCI_MANIFEST,
        &json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config, "layers": layers,
        }),
    );
    let digest = sha512(&manifest.bytes);

    let pushed = client.put_manifest("whole", &digest, &manifest).expect(201);

    assert_eq!(pushed.required("docker-content-digest"), digest);
    assert_eq!(client.pull_image("whole", &digest).blobs.len(), 3);
}

#[test]
fn a_manifest_pushed_by_digest_gets_all_tags_of_its_request() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[10]);
    let digest = &image.manifest.digest;
    client.push_image("many", digest, &image).expect(201);
    let tags: Vec<String> = (10..60).map(|number| format!("1.{number}")).collect();
    let query: Vec<String> = tags.iter().map(|tag| format!("tag={tag}")).collect();
    let reference = format!("{digest}?{}", query.join("&"));

    let pushed = client
        .put_manifest("many", &reference, &image.manifest)
        .expect(201);

    let told: Vec<&str> = pushed
        .headers
        .all("oci-tag")
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    assert_eq!(told, tags);
    assert_eq!(client.tags("many"), tags);
    let pulled = client.head_manifest("many", "1.59").expect(200);
    assert_eq!(pulled.required("docker-content-digest"), digest);
}

#[test]
fn one_bad_tag_among_many_leaves_them_all_unmoved() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[10]);
    client.push_image("many", "kept", &image).expect(201);
    let reference = format!("{}?tag=good&tag=.bad", image.manifest.digest);

    let refused = client.put_manifest("many", &reference, &image.manifest);

    refused.expect_error(400, "TAG_INVALID");
    assert_eq!(client.tags("many"), ["kept"]);
}

#[test]
fn a_pushed_manifest_tells_its_place_its_digest_and_its_tag() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[10]);
    let digest = &image.manifest.digest;

    let pushed = client.push_image("place", "v1", &image).expect(201);

    assert_eq!(pushed.required("docker-content-digest"), digest);
    assert_eq!(
        pushed.required("location"),
        format!("/v2/place/manifests/{digest}")
    );
    assert_eq!(pushed.header("oci-subject"), None);
    client.get(&pushed.location()).expect(200);
    assert_eq!(client.tags("place"), ["v1"]);
}

#[test]
fn a_tag_moves_to_the_manifest_that_was_pushed_last() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let images = [1, 2].map(|seed| Image::with_layers(seed, &[10]));

    for image in images.iter().chain(&images) {
        client.push_image("moved", "latest", image).expect(201);
        let pulled = client.pull_image("moved", "latest");
        assert_eq!(pulled.manifest, image.manifest);
    }
    client.pull_image("moved", &images[0].manifest.digest);
}

#[test]
fn images_and_lists_of_docker_and_oci_are_kept_byte_for_byte() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[10, 20]);
    let index = Index::with_platforms(2, &["amd64", "arm64"]);

    client.push_image("types", "oci", &image).expect(201);
    client
        .push_image("types", "docker", &image.to_docker())
        .expect(201);
    client.push_index("types", "index", &index).expect(201);
    client
        .push_index("types", "list", &index.to_docker())
        .expect(201);

    for (tag, manifest) in [
        ("oci", &image.manifest),
        ("docker", &image.to_docker().manifest),
        ("index", &index.manifest),
        ("list", &index.to_docker().manifest),
    ] {
        let pulled = client.pull_image("types", tag).manifest;
        assert_eq!(&pulled, manifest, "{tag}");
    }
}

/// Manifests that no specification knows, or that no serializer would write.
fn unusual_manifests() -> [Blob; 6] {
    let spaced = format!(
        "\n{{ \"schemaVersion\" :2,\t\"mediaType\":\"{}\",\r\n \"manifests\" : [ ] , \"x\":1.50e+0 }}\n\n",
        media_type::OCI_INDEX
    );
    [
        Blob::new(media_type::OCI_INDEX, spaced),
        Blob::new("application/vnd.example.thing.v3+json", "{}"),
        Blob::new(
            "application/vnd.example.thing",
            "{\"digest\":\"sha256:of nothing\"}",
        ),
        Blob::new("x/y", "{\"a\":[{\"b\":{\"c\":null}}],\"é\":\"\\u00e9\"}"),
        Blob::new(
            "application/vnd.oci.artifact.manifest.v1+json",
            "{\"blobs\":[]}",
        ),
        Blob::new("text/html", "{\"<script>\":\"\"}"),
    ]
}

#[test]
fn manifests_of_unknown_types_are_kept_byte_for_byte() {
    let server = TestServer::start();
    let client = Client::of(&server);

    for (number, manifest) in unusual_manifests().iter().enumerate() {
        let tag = format!("t{number}");
        client.put_manifest("unusual", &tag, manifest).expect(201);
        let pulled = client.get_manifest("unusual", &tag).expect(200);
        assert_eq!(pulled.body, manifest.bytes);
        assert_eq!(pulled.required("content-type"), manifest.media_type);
        assert_eq!(pulled.required("docker-content-digest"), manifest.digest);
        assert_eq!(pulled.required("x-content-type-options"), "nosniff");
    }
}

#[test]
fn a_manifests_type_is_what_the_request_or_else_the_manifest_says() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let declared = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{}\",\"manifests\":[]}}",
        media_type::OCI_INDEX
    );
    let undeclared = "{\"schemaVersion\":2,\"manifests\":[]}";
    let with_parameters = format!("{}; charset=utf-8", media_type::OCI_INDEX);

    for (content_type, payload) in [
        (Some(with_parameters.as_str()), declared.as_str()),
        (Some(media_type::OCI_INDEX), undeclared),
        (Some("application/json"), &declared),
        (None, &declared),
        (None, undeclared),
    ] {
        let request = client
            .request("PUT", "/v2/said/manifests/tag")
            .bytes(payload.to_owned());
        let request = match content_type {
            Some(content_type) => request.header("Content-Type", content_type),
            None => request,
        };
        client.send(request).expect(201);
        let pulled = client.get_manifest("said", "tag").expect(200);
        assert_eq!(pulled.required("content-type"), media_type::OCI_INDEX);
    }
}

#[test]
fn dockers_schema_1_is_refused_by_its_name() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let document = json!({
        "schemaVersion": 1, "name": "old", "tag": "latest", "architecture": "amd64",
        "fsLayers": [{ "blobSum": boxyard_testkit::sha256("layer") }],
        "history": [{ "v1Compatibility": "{}" }],
        "signatures": [{ "header": {}, "signature": "x", "protected": "y" }],
    });

    for media_type in [
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/json",
    ] {
        let manifest = Blob::json(media_type, &document);
        let refused = client.put_manifest("old", "latest", &manifest);
        let refused = refused.expect_error(400, "MANIFEST_INVALID");
        let message = refused.json()["errors"][0]["message"].to_string();
        assert!(message.contains("schema 1"), "{message}");
    }
    client.get_manifest("old", "latest").expect(404);
}

#[test]
fn a_manifest_with_a_subject_is_told_that_it_was_understood() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let subject = Image::with_layers(1, &[10]);
    let artifact = Image::artifact(2, "application/vnd.example", Some(&subject.manifest));
    let index = Blob::json(
        media_type::OCI_INDEX,
        &json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [],
            "subject": subject.manifest.descriptor(),
        }),
    );

    // The subject itself may come later, or never.
    let image = client.push_image("about", &artifact.manifest.digest, &artifact);
    let index = client.put_manifest("about", &index.digest, &index);

    for pushed in [image, index] {
        let told = pushed.expect(201).required("oci-subject").to_owned();
        assert_eq!(told, subject.manifest.digest);
    }
}

#[test]
fn layers_that_are_fetched_from_elsewhere_need_not_be_there() {
    let server = Setup::new()
        .config(&json!({"validation": {"manifests": {"urls": {"allow": ["^https://example"]}}}}))
        .start();
    let client = Client::of(&server);
    let config = Blob::new(media_type::OCI_EMPTY, "{}");
    client.push_blob("foreign", &config).expect(201);
    let oci = "application/vnd.oci.image.layer.nondistributable.v1.tar";
    let docker = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";

    for (kind, layer) in [
        (media_type::OCI_MANIFEST, oci),
        (media_type::DOCKER_MANIFEST, docker),
    ] {
        let layer = json!({
            "mediaType": layer, "digest": boxyard_testkit::sha256("a layer of another registry"), "size": 1,
            "urls": ["https://example.com/layer"],
        });
        let document = json!({
            "schemaVersion": 2, "mediaType": kind, "config": config.descriptor(), "layers": [layer],
        });
        let manifest = Blob::json(kind, &document);
        let pushed = client.put_manifest("foreign", "latest", &manifest);
        pushed.expect(201);
    }
}

#[test]
fn an_upload_of_unknown_length_comes_in_by_the_closing_request() {
    let server = TestServer::start();
    let client = Client::of(&server);
    let blob = blob(300_000);
    let upload = Upload::at(&client.begin_upload("unknown").expect(202));

    let body = Body::Chunked(Box::new(&*blob.bytes));
    let put = client
        .request("PUT", &upload.target_of(&blob.digest))
        .body(body);

    is_stored(&client, "unknown", &blob.digest, client.send(put));
}

#[test]
fn locations_are_absolute_where_an_address_is_configured() {
    let host = "https://registry.example:8443";
    let server = Setup::new()
        .config(&json!({ "http": { "host": host } }))
        .start();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[10]);

    let begun = client.begin_upload("absolute").expect(202);
    let pushed = client.push_image("absolute", "latest", &image).expect(201);

    let location = begun.required("location");
    let uploads = format!("{host}/v2/absolute/blobs/uploads/");
    assert!(location.starts_with(&uploads), "{location}");
    let digest = &image.manifest.digest;
    let manifests = format!("{host}/v2/absolute/manifests/{digest}");
    assert_eq!(pushed.required("location"), manifests);
}

#[test]
fn locations_stay_relative_where_that_is_configured_beside_an_address() {
    let http = json!({ "host": "https://registry.example", "relativeurls": true });
    let server = Setup::new().config(&json!({ "http": http })).start();

    let begun = Client::of(&server).begin_upload("relative").expect(202);

    assert!(begun.required("location").starts_with("/v2/relative/"));
}

/// Answers of every kind, about the image `headers:latest`.
fn every_kind_of_answer(client: &Client, image: &Image) -> Vec<Reply> {
    let layer = &image.layers[0].digest;
    vec![
        client.check(),
        client.get("/"),
        client.get("/nothing/here"),
        client.get("/v2/_catalog"),
        client.get("/v2/headers/tags/list"),
        client.get_manifest("headers", "latest"),
        client.head_manifest("headers", "absent"),
        client.get_blob("headers", layer),
        client.get_range("headers", layer, "bytes=0-9"),
        client.get("/v2/UPPER/tags/list"),
        client.begin_upload("headers"),
        client.send(client.request("POST", "/v2/")),
        client.send(client.request("OPTIONS", "/v2/")),
        client.delete_manifest("headers", &image.manifest.digest),
    ]
}

#[test]
fn configured_headers_and_the_version_of_the_api_are_on_every_answer() {
    // The first is in the configuration of distribution's own image, and manifests have it anyway.
    let headers = json!({ "X-Content-Type-Options": ["nosniff"], "X-Two": ["a", "b"] });
    let config = json!({ "http": { "headers": headers } });
    let server = Setup::new().config(&config).start();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[10]);
    client.push_image("headers", "latest", &image).expect(201);

    for reply in every_kind_of_answer(&client, &image) {
        let answer = reply.into_result().expect("an answer");
        for (name, values) in [
            (
                "docker-distribution-api-version",
                ["registry/2.0"].as_slice(),
            ),
            ("x-content-type-options", &["nosniff"]),
            ("x-two", &["a", "b"]),
        ] {
            let told: Vec<&str> = answer.headers.all(name).collect();
            assert_eq!(told, values, "{answer:?}");
        }
    }
}
