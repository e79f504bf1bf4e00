//! What `docker save` writes: an OCI layout for new daemons with a `manifest.json` for old ones.

use serde_json::json;

use super::{Blob, Image, Tar};

pub(super) fn of(image: &Image, tag: &str) -> Vec<u8> {
    let paths: Vec<String> = image.layers.iter().map(path).collect();
    let for_old_ones = json!([{
        "Config": path(&image.config),
        "RepoTags": [tag],
        "Layers": paths,
    }]);
    let mut descriptor = image.manifest.descriptor();
    descriptor["annotations"] = json!({ "io.containerd.image.name": full_name(tag) });
    let index = json!({
        "schemaVersion": 2,
        "mediaType": super::media_type::OCI_INDEX,
        "manifests": [descriptor],
    });

    let mut tar = Tar::new().folder("blobs").folder("blobs/sha256");
    for blob in image.blobs().chain([&image.manifest]) {
        tar = tar.file(&path(blob), 0o644, &blob.bytes);
    }
    tar.file("oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#)
        .file("index.json", 0o644, index.to_string().as_bytes())
        .file("manifest.json", 0o644, for_old_ones.to_string().as_bytes())
        .finish()
}

fn path(blob: &Blob) -> String {
    format!("blobs/{}", blob.digest.replace(':', "/"))
}

/// The name as containerd's store keeps it.
fn full_name(tag: &str) -> String {
    if tag.contains('/') {
        tag.to_owned()
    } else {
        format!("docker.io/library/{tag}")
    }
}
