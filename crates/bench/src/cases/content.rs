//! What is pushed.

use std::io;

use boxyard_testkit::{Noise, sha256};
use bytes::Bytes;
use serde_json::json;

use crate::connection::Connection;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Bytes and their digest.
pub(crate) struct Content {
    pub(crate) bytes: Bytes,
    pub(crate) digest: String,
}

impl Content {
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        let digest = sha256(&bytes);
        let bytes = bytes.into();
        Self { bytes, digest }
    }

    /// Bytes that do not compress, the same each time.
    pub(crate) fn noise(seed: u64, size: usize) -> Self {
        Self::of(Noise::new(seed).draw(size))
    }

    fn descriptor(&self, media_type: &str) -> serde_json::Value {
        json!({"mediaType": media_type, "digest": self.digest, "size": self.bytes.len()})
    }
}

/// An image of a config and two layers.
pub(crate) struct Small {
    pub(crate) blobs: [Content; 3],
    pub(crate) manifest: Content,
}

impl Small {
    pub(crate) fn of(seed: u64) -> Self {
        let config = Content::of(format!("{{\"seed\":{seed}}}").into_bytes());
        Self::with_layers(
            config,
            [1, 2].map(|layer| Content::noise(seed.wrapping_mul(4) + layer, 4096)),
        )
    }

    /// An image whose layers are those of every other, so that only its manifest and its config are new.
    pub(crate) fn sharing_layers(seed: u64) -> Self {
        let config = Content::of(format!("{{\"seed\":{seed}}}").into_bytes());
        Self::with_layers(config, [1, 2].map(|layer| Content::noise(layer, 4096)))
    }

    fn with_layers(config: Content, layers: [Content; 2]) -> Self {
        let layer = "application/vnd.oci.image.layer.v1.tar";
        let document = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor("application/vnd.oci.image.config.v1+json"),
            "layers": layers.iter().map(|content| content.descriptor(layer)).collect::<Vec<_>>(),
        });
        let manifest = Content::of(document.to_string().into_bytes());
        let [one, two] = layers;
        Self {
            blobs: [config, one, two],
            manifest,
        }
    }

    /// Pushes it whole.
    pub(crate) fn push(
        &self,
        connection: &mut Connection,
        repo: &str,
        tag: &str,
    ) -> io::Result<()> {
        for blob in &self.blobs {
            push_blob(connection, repo, blob)?;
        }
        put_manifest(connection, repo, tag, &self.manifest)
    }
}

/// Begins an upload and ends it with all the bytes, as most clients do.
pub(crate) fn push_blob(connection: &mut Connection, repo: &str, blob: &Content) -> io::Result<()> {
    let target = ended(&begin(connection, repo)?, &blob.digest);
    let kind = "Content-Type: application/octet-stream\r\n";
    connection.expect(201, ("PUT", &target), kind, &blob.bytes)?;
    Ok(())
}

/// The place of a new upload, without the host.
pub(crate) fn begin(connection: &mut Connection, repo: &str) -> io::Result<String> {
    let target = format!("/v2/{repo}/blobs/uploads/");
    let begun = connection.expect(202, ("POST", &target), "", &Bytes::new())?;
    place(begun.location)
}

/// The path of a location.
pub(crate) fn place(location: Option<String>) -> io::Result<String> {
    let location = location.ok_or(io::ErrorKind::InvalidData)?;
    let path = location.find("/v2/").ok_or(io::ErrorKind::InvalidData)?;
    Ok(location[path..].to_owned())
}

/// The same place, to end the upload with.
pub(crate) fn ended(place: &str, digest: &str) -> String {
    let joint = if place.contains('?') { '&' } else { '?' };
    format!("{place}{joint}digest={digest}")
}

pub(crate) fn put_manifest(
    connection: &mut Connection,
    repo: &str,
    tag: &str,
    manifest: &Content,
) -> io::Result<()> {
    let target = format!("/v2/{repo}/manifests/{tag}");
    let kind = format!("Content-Type: {MANIFEST}\r\n");
    connection.expect(201, ("PUT", &target), &kind, &manifest.bytes)?;
    Ok(())
}
