//! OCI layouts: `index.json` lists what there is.

use std::collections::HashMap;

use anyhow::{Context, ensure};
use boxyard_oci::Digest;
use serde::Deserialize;

use super::docker;
use super::stock::{Listed, MANIFEST};
use crate::archive::Archive;
use crate::image_name::Called;

/// The longest `index.json`: some ten thousand images.
const LONGEST: u64 = 16 << 20;

/// Whole names, as containerd and newer engines of Docker keep them.
const IMAGE_NAME: &str = "io.containerd.image.name";
/// Names or tags, as the specification has them.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    #[serde(rename = "mediaType", default)]
    media_type: Option<String>,
    digest: Digest,
    size: u64,
    #[serde(default)]
    annotations: Option<HashMap<String, String>>,
}

/// Where a layout has what has this digest.
pub(super) fn path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

/// Lists the images of a layout.
pub(super) fn read(archive: &Archive) -> anyhow::Result<Vec<Listed>> {
    let bytes = archive.read("index.json", LONGEST)?.unwrap_or_default();
    let index: Index = serde_json::from_slice(&bytes).context("read `index.json`")?;
    ensure!(
        !index.manifests.is_empty(),
        "its `index.json` lists nothing"
    );
    let mut listed = Vec::new();
    for descriptor in index.manifests {
        let found = archive.find(&path(&descriptor.digest))?;
        let found = found.with_context(|| {
            format!("`index.json` lists {}, which is missing", descriptor.digest)
        })?;
        ensure!(
            found.size() == descriptor.size,
            "{} has {} bytes, but `index.json` says {}",
            found.place(),
            found.size(),
            descriptor.size
        );
        listed.push(Listed {
            called: called(&descriptor),
            digest: descriptor.digest,
            media_type: descriptor.media_type,
        });
    }
    if listed.iter().any(|image| image.called == Called::Nothing) {
        name_as_docker_does(archive, &mut listed)?;
    }
    Ok(listed)
}

fn called(descriptor: &Descriptor) -> Called {
    let annotation = |key: &str| descriptor.annotations.as_ref()?.get(key);
    match (annotation(IMAGE_NAME), annotation(REF_NAME)) {
        (Some(name), _) => Called::image(name),
        (None, Some(name)) => Called::reference(name),
        (None, None) => Called::Nothing,
    }
}

/// Takes names from the `manifest.json` beside the layout, which some engines alone put them into.
fn name_as_docker_does(archive: &Archive, listed: &mut Vec<Listed>) -> anyhow::Result<()> {
    let names = docker::names(archive)?;
    let mut more = Vec::new();
    for image in listed.iter_mut() {
        if image.called != Called::Nothing || names.is_empty() {
            continue;
        }
        let Some(payload) = archive.read(&path(&image.digest), MANIFEST)? else {
            continue;
        };
        let manifest: serde_json::Value = serde_json::from_slice(&payload).unwrap_or_default();
        let config = manifest["config"]["digest"].as_str().unwrap_or_default();
        let mut found = names.get(config).into_iter().flatten().cloned();
        if let Some(first) = found.next() {
            image.called = first;
        }
        more.extend(found.map(|called| Listed {
            called,
            ..image.clone()
        }));
    }
    listed.extend(more);
    Ok(())
}
