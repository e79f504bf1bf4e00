//! `index.json`, which lists what a layout has.

use std::collections::HashSet;

use anyhow::Context;
use serde_json::{Value, json};

use super::Names;
use super::plan::{Listed, Plan};
use super::select::Image;

/// What makes a folder an OCI layout.
pub(super) const LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

const REF_NAME: &str = "org.opencontainers.image.ref.name";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What the layout lists.
pub(super) fn entries(plan: &Plan, names: &Names) -> Vec<Value> {
    let repositories: HashSet<&str> = plan
        .images
        .iter()
        .map(|image| image.repo.as_str())
        .collect();
    let is_one = repositories.len() == 1;
    let images = plan.images.iter();
    let images = images.map(|image| entry(image, names, is_one));
    let referrers = plan.referrers.iter().map(referrer);
    images.chain(referrers).collect()
}

/// A tag is the name that the specification has in mind; with several repositories it would say too little.
fn entry(image: &Image, names: &Names, is_one: bool) -> Value {
    let mut entry = referrer(&Listed {
        digest: image.manifest.digest,
        media_type: image.manifest.media_type.clone(),
        size: image.manifest.payload.len() as u64,
    });
    if let Some(tag) = &image.tag {
        let whole = names.whole(&image.repo, tag);
        let name = if is_one {
            tag.to_string()
        } else {
            whole.clone()
        };
        entry["annotations"] = json!({"io.containerd.image.name": whole, REF_NAME: name});
    }
    entry
}

fn referrer(listed: &Listed) -> Value {
    json!({"mediaType": listed.media_type, "digest": listed.digest, "size": listed.size})
}

/// The document.
pub(super) fn document(entries: &[Value]) -> Vec<u8> {
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
    index.to_string().into_bytes()
}

/// The new entries behind those of a layout that are none of them under the same name.
pub(super) fn merge(before: &[u8], new: Vec<Value>) -> anyhow::Result<Vec<Value>> {
    let before: Value = serde_json::from_slice(before).context("read its `index.json`")?;
    let entries = before["manifests"].as_array().cloned().unwrap_or_default();
    let is_replaced = |old: &Value| {
        new.iter().any(|new| {
            let name = &new["annotations"];
            if name.is_null() {
                old["digest"] == new["digest"]
            } else {
                old["annotations"][REF_NAME] == name[REF_NAME]
            }
        })
    };
    let mut merged: Vec<Value> = entries
        .into_iter()
        .filter(|old| !is_replaced(old))
        .collect();
    merged.extend(new);
    Ok(merged)
}
