//! Images on disk, as clients read them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use boxyard_testkit::{Blob, Image, Index, media_type};
use serde_json::json;

/// A folder that is an OCI layout of one image or index.
#[derive(Clone, Debug)]
pub struct Layout {
    folder: PathBuf,
}

impl Layout {
    /// Writes an image as `name`, which has a tag; its archive is one of `docker save` as well.
    pub fn of_image(folder: &Path, image: &Image, name: &str) -> Self {
        let layout = Self::write(folder, &image.manifest, image.blobs(), name);
        let layers = image.layers.iter();
        let layers: Vec<String> = layers.map(|layer| layout_path(&layer.digest)).collect();
        layout.name_for_docker(&image.config.digest, &layers, name);
        layout
    }

    /// Writes an index and its images as `name`, which has a tag.
    pub fn of_index(folder: &Path, index: &Index, name: &str) -> Self {
        let images = index.images.iter();
        let blobs = images.flat_map(|image| image.blobs().chain([&image.manifest]));
        Self::write(folder, &index.manifest, blobs, name)
    }

    pub(crate) fn write<'a>(
        folder: &Path,
        manifest: &'a Blob,
        blobs: impl Iterator<Item = &'a Blob>,
        name: &str,
    ) -> Self {
        let layout = Self {
            folder: folder.to_owned(),
        };
        let tag = name.rsplit(':').next().unwrap_or_default();
        let mut descriptor = manifest.descriptor();
        descriptor["annotations"] = json!({
            "io.containerd.image.name": full_name(name),
            "org.opencontainers.image.ref.name": tag,
        });
        let index = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_INDEX,
            "manifests": [descriptor],
        });
        fs::create_dir_all(folder.join("blobs/sha256")).expect("make the layout's folders");
        layout.put("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
        layout.put("index.json", index.to_string().as_bytes());
        for blob in blobs.chain([manifest]) {
            layout.put(&layout_path(&blob.digest), &blob.bytes);
        }
        layout
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Packs it beside the folder, as one file.
    pub fn archive(&self) -> PathBuf {
        let archive = self.folder.with_extension("tar");
        // Names without `./`, which not every reader of archives strips.
        let entries = fs::read_dir(&self.folder).expect("list the layout");
        let packed = Command::new("tar")
            .arg("--create")
            .arg("--file")
            .arg(&archive)
            .arg("--directory")
            .arg(&self.folder)
            .args(entries.map(|entry| entry.expect("list the layout").file_name()))
            .status()
            .expect("run `tar`");
        assert!(packed.success(), "`tar` ends with {packed}");
        archive
    }

    /// Adds what engines without a notion of OCI layouts read.
    pub(crate) fn name_for_docker(&self, config: &str, layers: &[String], name: &str) {
        let manifest = json!([{
            "Config": layout_path(config),
            "RepoTags": [name],
            "Layers": layers,
        }]);
        self.put("manifest.json", manifest.to_string().as_bytes());
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        fs::write(self.folder.join(path), bytes).expect("write into the layout");
    }
}

/// The name as containerd keeps it.
fn full_name(name: &str) -> String {
    if name.contains('/') {
        name.to_owned()
    } else {
        format!("docker.io/library/{name}")
    }
}

/// Where a layout keeps what has this digest.
pub(crate) fn layout_path(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}
