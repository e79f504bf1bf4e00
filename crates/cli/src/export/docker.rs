//! What `docker load` reads that knows no layouts: `manifest.json` and `repositories`.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use boxyard_client::{Client, ManifestContent};
use boxyard_oci::Digest;
use serde::Deserialize;
use serde_json::{Value, json};

use super::plan::Plan;
use super::select::Image;
use super::{Names, manifest};
use crate::platform::{self, Platform};

/// Configurations of images that run.
const CONFIGS: [&str; 2] = [
    "application/vnd.docker.container.image.v1+json",
    "application/vnd.oci.image.config.v1+json",
];

/// Two files of an archive.
pub(super) struct Legacy {
    pub(super) manifest: Vec<u8>,
    pub(super) repositories: Vec<u8>,
}

#[derive(Deserialize)]
struct Document {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    #[serde(rename = "mediaType")]
    media_type: String,
    digest: Digest,
}

/// Describes the images as `docker save` does.
pub(super) async fn files(client: &Client, plan: &Plan, names: &Names) -> anyhow::Result<Legacy> {
    let mut entries: Vec<(Digest, Value)> = Vec::new();
    let mut repositories: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for image in &plan.images {
        let content = runnable(client, image).await?;
        let document = document(image, &content)?;
        let name = image
            .tag
            .as_ref()
            .map(|tag| names.familiar(&image.repo, tag));
        if let (Some(name), Some(top)) = (&name, document.layers.last())
            && let Some((repo, tag)) = name.rsplit_once(':')
        {
            let tags = repositories.entry(repo.to_owned()).or_default();
            tags.insert(tag.to_owned(), top.digest.hex());
        }
        let known = entries
            .iter_mut()
            .find(|(digest, _)| *digest == content.digest);
        let entry = if let Some((_, entry)) = known {
            entry
        } else {
            entries.push((content.digest, entry(&document)));
            let (_, entry) = entries.last_mut().context("it was just added")?;
            entry
        };
        if let (Some(name), Some(tags)) = (name, entry["RepoTags"].as_array_mut()) {
            tags.push(name.into());
        }
    }
    let entries: Vec<Value> = entries.into_iter().map(|(_, entry)| entry).collect();
    Ok(Legacy {
        manifest: json!(entries).to_string().into_bytes(),
        repositories: json!(repositories).to_string().into_bytes(),
    })
}

/// The image itself, or of an index the one for this machine.
async fn runnable(client: &Client, image: &Image) -> anyhow::Result<ManifestContent> {
    let images = platform::images(&image.manifest.payload);
    if images.is_empty() {
        return Ok(image.manifest.clone());
    }
    let here = Platform::here();
    let chosen = match (platform::choose(&images, &here), images.as_slice()) {
        (Some(digest), _) => digest,
        (None, [only]) => only.digest,
        (None, _) => bail!(
            "`{}` has no image for {here}: choose by --platform from {}",
            described(image),
            platform::names(&images)
        ),
    };
    manifest(client, &image.repo, &chosen.into()).await
}

fn document(image: &Image, content: &ManifestContent) -> anyhow::Result<Document> {
    let parsed = serde_json::from_slice::<Document>(&content.payload).ok();
    let parsed = parsed.filter(|parsed| CONFIGS.contains(&parsed.config.media_type.as_str()));
    let document = parsed.with_context(|| {
        format!(
            "`{}` is no image that runs, which is all that `docker load` takes: \
             use the format `oci`",
            described(image)
        )
    })?;
    let layers = document.layers.iter();
    let is_elsewhere = |layer: &Descriptor| layer.media_type.contains("foreign");
    ensure!(
        !layers.clone().any(is_elsewhere),
        "`{}` has layers that are fetched from elsewhere, which `docker load` does not do: \
         use the format `oci`",
        described(image)
    );
    Ok(document)
}

fn described(image: &Image) -> String {
    match &image.tag {
        Some(tag) => format!("{}:{tag}", image.repo),
        None => format!("{}@{}", image.repo, image.manifest.digest),
    }
}

fn entry(document: &Document) -> Value {
    let layers = document.layers.iter();
    let layers: Vec<String> = layers.map(|layer| path(&layer.digest)).collect();
    json!({"Config": path(&document.config.digest), "RepoTags": [], "Layers": layers})
}

/// Where a layout has what has this digest.
pub(super) fn path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}
