mod adopted;
mod edges;
mod kept;
mod refused;

use std::fmt::Write as _;

use super::*;
use crate::media_type::{OCI_EMPTY, OCTET_STREAM};

/// A digest to refer to: of the text `name`.
fn digest(name: &str) -> Digest {
    Algorithm::Sha256.digest(name.as_bytes())
}

fn media_type(text: &str) -> MediaType {
    MediaType::parse(text).unwrap()
}

/// Replaces each `@name` by a descriptor, `#name` by a digest, and `'` by `"`.
fn json(template: &str) -> Bytes {
    let mut json = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['@', '#']) {
        let end = rest[at + 1..]
            .find(|c: char| !c.is_alphanumeric())
            .map_or(rest.len(), |end| at + 1 + end);
        let digest = digest(&rest[at + 1..end]);
        json.push_str(&rest[..at]);
        if rest[at..].starts_with('@') {
            write!(json, "{{'mediaType':'a/b','digest':'{digest}','size':7}}").unwrap();
        } else {
            json.push_str(&digest.to_string());
        }
        rest = &rest[end..];
    }
    json.push_str(rest);
    Bytes::from(json.replace('\'', "\""))
}

fn push(content_type: &str, template: &str) -> Result<Manifest, ManifestError> {
    Manifest::parse(
        json(template),
        Some(&media_type(content_type)),
        Algorithm::Sha256,
    )
}

fn adopt(stored_as: Option<&str>, template: &str) -> Manifest {
    let payload = json(template);
    let digest = Algorithm::Sha256.digest(&payload);
    Manifest::adopt(payload, stored_as.map(media_type).as_ref(), digest).expect(template)
}

/// The edges in short: kind, `?` if optional, and whose digest it is among `names`.
fn edges(manifest: &Manifest, names: &[&'static str]) -> Vec<String> {
    let short = |edge: &Edge| {
        let name = names
            .iter()
            .find(|name| digest(name) == edge.digest)
            .expect("a known digest");
        format!(
            "{:?}{} {name}",
            edge.kind,
            if edge.optional { "?" } else { "" }
        )
    };
    manifest.edges().iter().map(short).collect()
}

const NAMES: [&str; 5] = ["config", "one", "two", "subject", "empty"];
