//! What is pushed: a manifest of every type that distribution takes, and of some that it does not.

use boxyard_testkit::{Blob, Client, Image, Index, media_type, sha512};
use serde_json::{Value, json};

/// Repositories beside and below each other.
pub(crate) const REPOSITORIES: [&str; 4] = ["app", "app/part", "app-b", "team/deep/app"];

const PLATFORMS: [&str; 2] = ["amd64", "arm64"];

/// A small image, another one for each seed.
pub(crate) fn image(seed: u64) -> Image {
    Image::with_layers(seed, &[500, 3000])
}

/// Everything that distribution can express.
pub(crate) fn push_everything(client: &Client) {
    for (seed, repo) in (0..).step_by(10).zip(REPOSITORIES) {
        let oci = image(seed);
        client.push_image(repo, "oci", &oci).expect(201);
        let docker = image(seed + 1).to_docker();
        client.push_image(repo, "docker", &docker).expect(201);
        let silent = silent(seed + 2);
        client.push_image(repo, "silent", &silent).expect(201);
        let index = Index::with_platforms(seed + 3, &PLATFORMS);
        client.push_index(repo, "index", &index).expect(201);
        let list = Index::with_platforms(seed + 4, &PLATFORMS).to_docker();
        client.push_index(repo, "list", &list).expect(201);
        let artifact = Image::artifact(seed, "application/x.test", Some(&oci.manifest));
        let digest = artifact.manifest.digest.clone();
        client.push_image(repo, &digest, &artifact).expect(201);
        client.tag(repo, "oci", "oci-again").expect(201);
        push_silent_index(client, repo, &oci);
    }
    client
        .mount("mounted", &image(0).config.digest, Some("app"))
        .expect(201);
    for layer in &image(0).layers {
        client
            .mount("mounted", &layer.digest, Some("app"))
            .expect(201);
    }
    let mounted = client.put_manifest("mounted", "latest", &image(0).manifest);
    mounted.expect(201);
    push_without_tag(client);
}

/// An image under its digest alone, in a repository that has no tag.
fn push_without_tag(client: &Client) {
    let untagged = image(90);
    let digest = untagged.manifest.digest.clone();
    client
        .push_image("untagged", &digest, &untagged)
        .expect(201);
}

/// An image whose manifest does not say that it is one.
fn silent(seed: u64) -> Image {
    let mut image = image(seed);
    let mut document: Value = serde_json::from_slice(&image.manifest.bytes).expect("a manifest");
    document
        .as_object_mut()
        .expect("an object")
        .remove("mediaType");
    image.manifest = Blob::json(media_type::OCI_MANIFEST, &document);
    image
}

/// An index of one image that does not say that it is one.
fn push_silent_index(client: &Client, repo: &str, image: &Image) {
    let mut descriptor = image.manifest.descriptor();
    descriptor["platform"] = json!({ "architecture": "amd64", "os": "linux" });
    let index = json!({ "schemaVersion": 2, "manifests": [descriptor] });
    let index = Blob::json(media_type::OCI_INDEX, &index);
    client
        .put_manifest(repo, "silent-index", &index)
        .expect(201);
}

/// Pushes a blob under its SHA-512 digest; answers that.
pub(crate) fn push_sha512(client: &Client, repo: &str, blob: &Blob) -> String {
    let digest = sha512(&blob.bytes);
    let upload = client.begin_upload(repo).expect(202);
    let upload = boxyard_testkit::Upload::at(&upload);
    client.finish(&upload, &digest, &blob.bytes).expect(201);
    digest
}

/// An image of which all digests are by SHA-512; answers its digest.
pub(crate) fn push_sha512_image(client: &Client, repo: &str, tag: &str) -> String {
    let image = image(200);
    let descriptor = |blob: &Blob| {
        let mut descriptor = blob.descriptor();
        descriptor["digest"] = json!(push_sha512(client, repo, blob));
        descriptor
    };
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "config": descriptor(&image.config),
        "layers": image.layers.iter().map(descriptor).collect::<Vec<_>>(),
    });
    let manifest = Blob::json(media_type::OCI_MANIFEST, &manifest);
    let digest = sha512(&manifest.bytes);
    let target = format!("/v2/{repo}/manifests/{digest}?tag={tag}");
    let request = client.request("PUT", &target);
    let request = request.header("Content-Type", &manifest.media_type);
    client.send(request.bytes(manifest.bytes)).expect(201);
    digest
}

/// Pushes what distribution cannot parse: a type that it does not know, and one that the payload does not tell.
pub(crate) fn push_inexpressible(client: &Client) {
    let parts = image(100);
    for blob in parts.blobs() {
        client.push_blob("things", blob).expect(201);
    }
    let known_as = "application/vnd.example.thing.v1+json";
    let thing = json!({
        "schemaVersion": 2,
        "mediaType": known_as,
        "parts": [parts.config.descriptor(), parts.layers[0].descriptor()],
    });
    let thing = Blob::json(known_as, &thing);
    client.put_manifest("things", "thing", &thing).expect(201);
    let silent = Blob::json("application/vnd.example.silent+json", &json!({ "a": 1 }));
    client.put_manifest("things", "silent", &silent).expect(201);
    client
        .push_image("things", "image", &image(101))
        .expect(201);
}
