//! Images, the same in every run, and real: their layers are tar archives that a daemon unpacks.

mod archive;
mod program;
mod tar;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::Noise;
use crate::digest::sha256;
pub use program::hello_program;
pub use tar::Tar;

/// Media types, as the specifications spell them.
pub mod media_type {
    /// An OCI image.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// Several OCI images.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// The configuration of an OCI image.
    pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// A layer of an OCI image, not compressed.
    pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// The empty JSON object.
    pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
    /// Docker's image of schema 2.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Several Docker images.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// The configuration of a Docker image.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// A layer of a Docker image; clients look into it to see whether it is compressed.
    pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
}

/// Bytes with what a descriptor says of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Blob {
    /// What the bytes are.
    pub media_type: String,
    /// Their digest by SHA-256.
    pub digest: String,
    /// The bytes.
    pub bytes: Bytes,
}

/// An image or an artifact: a manifest and what it names.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its configuration.
    pub config: Blob,
    /// Its layers, the lowest first.
    pub layers: Vec<Blob>,
    /// Its manifest.
    pub manifest: Blob,
}

/// Images of several platforms under one manifest.
#[derive(Clone, Debug)]
pub struct Index {
    /// The images.
    pub images: Vec<Image>,
    /// The index, which names them with their platforms.
    pub manifest: Blob,
}

impl Blob {
    /// Describes `bytes`.
    pub fn new(media_type: &str, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            media_type: media_type.to_owned(),
            digest: sha256(&bytes),
            bytes,
        }
    }

    /// Describes a JSON document.
    pub fn json(media_type: &str, document: &Value) -> Self {
        Self::new(media_type, document.to_string())
    }

    /// The descriptor by which a manifest names it.
    pub fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len() })
    }

    fn of_type(&self, media_type: &str) -> Self {
        Self {
            media_type: media_type.to_owned(),
            ..self.clone()
        }
    }
}

impl Image {
    /// An OCI image with a layer for each size, which holds one file of that many incompressible bytes.
    pub fn with_layers(seed: u64, sizes: &[usize]) -> Self {
        let mut noise = Noise::new(seed);
        let layers = sizes.iter().enumerate().map(|(number, size)| {
            Tar::new()
                .file(&format!("layer-{number}"), 0o644, &noise.draw(*size))
                .finish()
        });
        let layers = layers.collect();
        Self::of("amd64", layers, &["/none"])
    }

    /// An OCI image that runs on a real machine: it prints a greeting and ends.
    pub fn hello(architecture: &str) -> Self {
        let program = hello_program(architecture, "Hello from Boxyard's tests!\n");
        let layer = Tar::new().file("hello", 0o755, &program).finish();
        Self::of(architecture, vec![layer], &["/hello"])
    }

    /// An OCI image for Linux of these layers, each a tar archive, which runs this command.
    pub fn of(architecture: &str, layers: Vec<Vec<u8>>, command: &[&str]) -> Self {
        let layers: Vec<Blob> = layers
            .into_iter()
            .map(|layer| Blob::new(media_type::OCI_LAYER, layer))
            .collect();
        let created = "2026-01-01T00:00:00Z";
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "created": created,
            "config": { "Cmd": command, "Env": ["PATH=/bin"] },
            "rootfs": { "type": "layers", "diff_ids": digests(&layers) },
            "history": layers.iter().map(|_| json!({ "created": created })).collect::<Vec<_>>(),
        });
        Self::assemble(
            media_type::OCI_MANIFEST,
            Blob::json(media_type::OCI_CONFIG, &config),
            layers,
            json!({}),
        )
    }

    /// An OCI artifact of one blob, about `subject` if there is one.
    pub fn artifact(seed: u64, artifact_type: &str, subject: Option<&Blob>) -> Self {
        let mut more =
            json!({ "artifactType": artifact_type, "annotations": { "seed": seed.to_string() } });
        if let Some(subject) = subject {
            more["subject"] = subject.descriptor();
        }
        let payload = Blob::new("application/octet-stream", Noise::new(seed).draw(64));
        Self::assemble(
            media_type::OCI_MANIFEST,
            Blob::new(media_type::OCI_EMPTY, "{}"),
            vec![payload],
            more,
        )
    }

    /// The same image as Docker's schema 2.
    #[must_use]
    pub fn to_docker(&self) -> Self {
        let layers = self.layers.iter();
        Self::assemble(
            media_type::DOCKER_MANIFEST,
            self.config.of_type(media_type::DOCKER_CONFIG),
            layers
                .map(|layer| layer.of_type(media_type::DOCKER_LAYER))
                .collect(),
            json!({}),
        )
    }

    /// Every blob that must be there before the manifest.
    pub fn blobs(&self) -> impl Iterator<Item = &Blob> {
        self.layers.iter().chain(std::iter::once(&self.config))
    }

    /// An archive for `docker load`, of any age, under the name `tag`.
    pub fn archive(&self, tag: &str) -> Vec<u8> {
        archive::of(self, tag)
    }

    fn assemble(kind: &str, config: Blob, layers: Vec<Blob>, mut manifest: Value) -> Self {
        manifest["schemaVersion"] = json!(2);
        manifest["mediaType"] = json!(kind);
        manifest["config"] = config.descriptor();
        manifest["layers"] = layers.iter().map(Blob::descriptor).collect();
        Self {
            config,
            layers,
            manifest: Blob::json(kind, &manifest),
        }
    }
}

impl Index {
    /// An OCI index of small images, one for each architecture.
    pub fn with_platforms(seed: u64, architectures: &[&str]) -> Self {
        let image = |(number, architecture): (u64, &&str)| {
            let bytes = Noise::new(seed.wrapping_add(number)).draw(1000);
            let layer = Tar::new().file("layer", 0o644, &bytes).finish();
            Image::of(architecture, vec![layer], &["/none"])
        };
        let images = (0..).zip(architectures).map(image).collect();
        Self::of(images)
    }

    /// An OCI index of these images; their configurations tell the platforms.
    pub fn of(images: Vec<Image>) -> Self {
        Self::assemble(media_type::OCI_INDEX, images)
    }

    /// The same as Docker's manifest list of schema 2 images.
    #[must_use]
    pub fn to_docker(&self) -> Self {
        let images = self.images.iter().map(Image::to_docker).collect();
        Self::assemble(media_type::DOCKER_LIST, images)
    }

    fn assemble(kind: &str, images: Vec<Image>) -> Self {
        let descriptors = images.iter().map(|image| {
            let config: Value = serde_json::from_slice(&image.config.bytes).unwrap_or_default();
            let mut descriptor = image.manifest.descriptor();
            descriptor["platform"] =
                json!({ "architecture": config["architecture"], "os": config["os"] });
            descriptor
        });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": kind,
            "manifests": descriptors.collect::<Vec<_>>(),
        });
        Self {
            images,
            manifest: Blob::json(kind, &manifest),
        }
    }
}

fn digests(blobs: &[Blob]) -> Vec<&str> {
    blobs.iter().map(|blob| blob.digest.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_the_same_in_every_run_and_another_for_another_seed() {
        let image = Image::with_layers(1, &[10, 20_000]);

        assert_eq!(
            image.manifest,
            Image::with_layers(1, &[10, 20_000]).manifest
        );
        assert_ne!(
            image.manifest,
            Image::with_layers(2, &[10, 20_000]).manifest
        );
    }

    #[test]
    fn a_manifest_names_what_the_image_holds() {
        let image = Image::with_layers(1, &[10]).to_docker();

        let manifest: Value = serde_json::from_slice(&image.manifest.bytes).unwrap();

        assert_eq!(manifest["mediaType"], media_type::DOCKER_MANIFEST);
        assert_eq!(manifest["config"], image.config.descriptor());
        assert_eq!(manifest["layers"][0], image.layers[0].descriptor());
    }

    #[test]
    fn an_index_tells_the_platforms() {
        let index = Index::with_platforms(1, &["amd64", "arm64"]);

        let manifest: Value = serde_json::from_slice(&index.manifest.bytes).unwrap();

        let second = &manifest["manifests"][1];
        assert_eq!(second["digest"], index.images[1].manifest.digest);
        assert_eq!(second["platform"]["architecture"], "arm64");
    }

    #[test]
    fn an_artifact_names_its_subject() {
        let subject = Image::hello("amd64").manifest;

        let artifact = Image::artifact(1, "application/x.test", Some(&subject));

        let manifest: Value = serde_json::from_slice(&artifact.manifest.bytes).unwrap();
        assert_eq!(manifest["subject"], subject.descriptor());
        assert_eq!(manifest["artifactType"], "application/x.test");
    }
}
