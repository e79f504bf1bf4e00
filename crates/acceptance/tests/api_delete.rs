//! Deleting: tags, manifests and blobs, what goes with them, and what keeps them.

use boxyard_testkit::http::Response;
use boxyard_testkit::{Blob, Client, Image, Index, Setup, TestServer, Upload, sha256};
use serde_json::json;

/// A server with one image as `kept:one` and `kept:two`.
fn with_image() -> (TestServer, Client, Image) {
    let server = TestServer::start();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[1_000, 40_000]);
    for tag in ["one", "two"] {
        client.push_image("kept", tag, &image).expect(201);
    }
    (server, client, image)
}

/// Looks for a detail that names the digest of a manifest, and for the methods that are left.
#[track_caller]
fn names(refused: &Response, manifest: &str) {
    let error = &refused.json()["errors"][0];
    let text = format!("{} {}", error["message"], error["detail"]);
    assert!(text.contains(manifest), "{text}");
    let allowed = refused.required("allow");
    assert!(!allowed.contains("DELETE"), "{allowed}");
}

#[test]
fn the_delete_of_a_tag_takes_only_the_tag() {
    let (_server, client, image) = with_image();

    client.delete_tag("kept", "one").expect(202);

    client
        .get_manifest("kept", "one")
        .expect_error(404, "MANIFEST_UNKNOWN");
    assert_eq!(client.tags("kept"), ["two"]);
    assert_eq!(client.pull_image("kept", "two").manifest, image.manifest);
    client.delete_tag("kept", "two").expect(202);
    let untagged = client.pull_image("kept", &image.manifest.digest);
    assert_eq!(untagged.manifest, image.manifest);
    assert!(client.tags("kept").is_empty());
}

#[test]
fn the_delete_of_a_manifest_takes_all_its_tags() {
    let (_server, client, image) = with_image();
    let other = Image::with_layers(2, &[10]);
    client.push_image("kept", "other", &other).expect(201);

    client
        .delete_manifest("kept", &image.manifest.digest)
        .expect(202);

    for reference in ["one", "two", &image.manifest.digest] {
        let got = client.get_manifest("kept", reference);
        got.expect_error(404, "MANIFEST_UNKNOWN");
    }
    assert_eq!(client.tags("kept"), ["other"]);
    client.pull_image("kept", "other");
    // Its blobs stay until they are deleted or collected.
    client
        .head_blob("kept", &image.layers[0].digest)
        .expect(200);
}

#[test]
fn a_blob_is_kept_while_a_manifest_of_its_repository_names_it() {
    let (_server, client, image) = with_image();
    let manifest = &image.manifest.digest;

    for blob in image.blobs() {
        let refused = client.delete_blob("kept", &blob.digest);
        names(&refused.expect_error(405, "UNSUPPORTED"), manifest);
    }
    client.pull_image("kept", "one");
    client.delete_manifest("kept", manifest).expect(202);

    for blob in image.blobs() {
        client.delete_blob("kept", &blob.digest).expect(202);
        client
            .get_blob("kept", &blob.digest)
            .expect_error(404, "BLOB_UNKNOWN");
        let again = client.delete_blob("kept", &blob.digest);
        again.expect_error(404, "BLOB_UNKNOWN");
    }
}

#[test]
fn a_blob_that_one_repository_gives_up_is_still_in_the_others() {
    let (_server, client, image) = with_image();
    let layer = &image.layers[0];
    client
        .mount("other", &layer.digest, Some("kept"))
        .expect(201);

    client.delete_blob("other", &layer.digest).expect(202);

    client.head_blob("other", &layer.digest).expect(404);
    client.pull_image("kept", "one");
}

#[test]
fn a_manifest_of_unknown_type_keeps_what_it_names() {
    let (_server, client, _) = with_image();
    let blob = Blob::new("application/octet-stream", "content of a chart of tomorrow");
    client.push_blob("kept", &blob).expect(201);
    let document = json!({ "things": [{ "deep": { "digest": blob.digest } }] });
    let manifest = Blob::json("application/vnd.example.tomorrow", &document);
    client
        .put_manifest("kept", "tomorrow", &manifest)
        .expect(201);

    let refused = client.delete_blob("kept", &blob.digest);

    names(&refused.expect_error(405, "UNSUPPORTED"), &manifest.digest);
}

#[test]
fn the_delete_of_an_index_leaves_its_images() {
    let (_server, client, _) = with_image();
    let index = Index::with_platforms(3, &["amd64", "arm64"]);
    client.push_index("kept", "many", &index).expect(201);

    client
        .delete_manifest("kept", &index.manifest.digest)
        .expect(202);

    for image in &index.images {
        client.pull_image("kept", &image.manifest.digest);
    }
}

#[test]
fn what_was_deleted_can_be_pushed_again() {
    let (_server, client, image) = with_image();
    client
        .delete_manifest("kept", &image.manifest.digest)
        .expect(202);
    for blob in image.blobs() {
        client.delete_blob("kept", &blob.digest).expect(202);
    }

    client.push_image("kept", "one", &image).expect(201);

    assert_eq!(client.pull_image("kept", "one").manifest, image.manifest);
    assert_eq!(client.tags("kept"), ["one"]);
}

#[test]
fn what_is_not_there_cannot_be_deleted() {
    let (_server, client, _) = with_image();
    let absent = sha256("absent");

    for (target, code) in [
        ("kept/manifests/absent".to_owned(), "MANIFEST_UNKNOWN"),
        (format!("kept/manifests/{absent}"), "MANIFEST_UNKNOWN"),
        (format!("kept/blobs/{absent}"), "BLOB_UNKNOWN"),
        ("unknown/manifests/absent".to_owned(), "MANIFEST_UNKNOWN"),
        (format!("unknown/manifests/{absent}"), "MANIFEST_UNKNOWN"),
        (format!("unknown/blobs/{absent}"), "BLOB_UNKNOWN"),
    ] {
        let answer = client.delete(&format!("/v2/{target}")).expect(404);
        let told = answer.error_codes();
        assert!(
            told == [code] || told == ["NAME_UNKNOWN"],
            "{target}: {told:?}"
        );
    }
}

#[test]
fn a_repository_without_manifests_is_not_listed() {
    let (_server, client, image) = with_image();
    let below = Image::with_layers(2, &[10]);
    client
        .push_image("kept/below", "latest", &below)
        .expect(201);

    client
        .delete_manifest("kept", &image.manifest.digest)
        .expect(202);

    assert_eq!(client.catalog(), ["kept/below"]);
    client.pull_image("kept/below", "latest");
}

#[test]
fn deletes_stay_after_a_restart() {
    let (mut server, client, image) = with_image();
    client.delete_tag("kept", "one").expect(202);
    let other = Image::with_layers(2, &[10]);
    client.push_image("kept", "other", &other).expect(201);
    client
        .delete_manifest("kept", &other.manifest.digest)
        .expect(202);

    server.restart();

    let client = Client::of(&server);
    assert_eq!(client.tags("kept"), ["two"]);
    assert_eq!(client.pull_image("kept", "two").manifest, image.manifest);
    client
        .get_manifest("kept", &other.manifest.digest)
        .expect(404);
}

#[test]
fn nothing_is_deleted_where_that_is_switched_off() {
    let storage = json!({ "delete": { "enabled": false } });
    let server = Setup::new().config(&json!({ "storage": storage })).start();
    let client = Client::of(&server);
    let image = Image::with_layers(1, &[10]);
    client.push_image("fixed", "latest", &image).expect(201);
    let unnamed = Blob::new("application/octet-stream", "unnamed");
    client.push_blob("fixed", &unnamed).expect(201);

    for reply in [
        client.delete_tag("fixed", "latest"),
        client.delete_manifest("fixed", &image.manifest.digest),
        client.delete_blob("fixed", &unnamed.digest),
        client.delete_blob("fixed", &sha256("absent")),
    ] {
        let refused = reply.expect_error(405, "UNSUPPORTED");
        assert!(!refused.required("allow").contains("DELETE"));
    }

    client.pull_image("fixed", "latest");
    client.head_blob("fixed", &unnamed.digest).expect(200);
    let upload = Upload::at(&client.begin_upload("fixed").expect(202));
    client.cancel(&upload).expect(204);
}

#[test]
fn deleting_is_off_by_default_as_it_is_for_distribution() {
    let server = Setup::new()
        .config(&json!({ "storage": { "delete": null } }))
        .start();
    let client = Client::of(&server);
    client
        .push_image("fixed", "latest", &Image::with_layers(1, &[10]))
        .expect(201);

    client
        .delete_tag("fixed", "latest")
        .expect_error(405, "UNSUPPORTED");
}
