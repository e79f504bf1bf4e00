//! A pull that believes nothing.

use serde_json::Value;

use super::{Client, blob_target};
use crate::digest::Hashing;
use crate::http::Response;
use crate::image::Blob;

/// What a pull brought, all of it verified.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// The manifest that the reference named.
    pub manifest: Blob,
    /// The manifests below it, of an index; in the order they were read.
    pub children: Vec<Blob>,
    /// The digests of all blobs.
    pub blobs: Vec<String>,
}

impl Client {
    /// Pulls an image or an index with everything below it, and verifies each digest and size on the way.
    #[track_caller]
    pub fn pull_image(&self, repo: &str, reference: &str) -> Pulled {
        let manifest = self.pull_manifest(repo, reference);
        let mut pulled = Pulled {
            manifest: manifest.clone(),
            children: Vec::new(),
            blobs: Vec::new(),
        };
        let mut queue = vec![manifest];
        while let Some(manifest) = queue.pop() {
            let document: Value = serde_json::from_slice(&manifest.bytes).unwrap_or_default();
            for descriptor in list(&document["manifests"]) {
                let child = self.pull_manifest(repo, text(&descriptor["digest"]));
                assert_eq!(
                    child.descriptor()["size"],
                    descriptor["size"],
                    "{descriptor}"
                );
                pulled.children.push(child.clone());
                queue.push(child);
            }
            let config = Some(&document["config"]).filter(|config| config.is_object());
            for descriptor in config.into_iter().chain(list(&document["layers"])) {
                pulled.blobs.push(self.pull_blob(repo, descriptor));
            }
        }
        pulled
    }

    /// Gets a manifest and compares its bytes with every digest that the server and the reference tell.
    #[track_caller]
    fn pull_manifest(&self, repo: &str, reference: &str) -> Blob {
        let response = self.get_manifest(repo, reference).expect(200);
        let told = response.required("docker-content-digest");
        assert_eq!(digest_like(told, &response), told, "`{repo}:{reference}`");
        if reference.contains(':') {
            assert_eq!(digest_like(reference, &response), reference, "in `{repo}`");
        }
        Blob::new(response.required("content-type"), response.body.clone())
    }

    /// Gets a blob without keeping it, and compares size and digest with its descriptor.
    #[track_caller]
    fn pull_blob(&self, repo: &str, descriptor: &Value) -> String {
        let digest = text(&descriptor["digest"]);
        let mut request = self.request("GET", &blob_target(repo, digest));
        let mut hash = Hashing::like(digest);
        let response = self
            .send_into(&mut request, &mut hash)
            .unwrap_or_else(|error| panic!("pull `{digest}` of `{repo}`: {error}"));
        assert_eq!(response.status, 200, "`{digest}` of `{repo}`");
        let size = descriptor["size"].to_string();
        assert_eq!(response.required("content-length"), size, "`{digest}`");
        assert_eq!(hash.finish(), digest, "the bytes of a blob in `{repo}`");
        digest.to_owned()
    }
}

fn digest_like(digest: &str, response: &Response) -> String {
    let mut hash = Hashing::like(digest);
    std::io::Write::write_all(&mut hash, &response.body).expect("hashing takes everything");
    hash.finish()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
