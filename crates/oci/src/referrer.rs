//! Manifests that are about another one: how they are listed, and the tag that older clients list them under.

use std::fmt;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Annotations, Digest, Manifest, MediaType, Tag};

/// How a list of referrers describes one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReferrerDescriptor {
    /// The manifest's type.
    pub media_type: MediaType,
    /// The manifest's address.
    pub digest: Digest,
    /// How many bytes the manifest has.
    pub size: u64,
    /// What the manifest is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The manifest's annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
}

impl From<&Manifest> for ReferrerDescriptor {
    fn from(manifest: &Manifest) -> Self {
        Self {
            media_type: manifest.media_type().clone(),
            digest: manifest.digest(),
            size: manifest.size(),
            artifact_type: manifest.artifact_type().map(str::to_owned),
            annotations: manifest.annotations().cloned(),
        }
    }
}

/// The tag under which clients keep the referrers of `subject` where a registry does not list them.
#[expect(clippy::missing_panics_doc, reason = "it cannot")]
pub fn fallback_tag(subject: &Digest) -> Tag {
    /// What the specification leaves of the encoded part.
    const ENCODED: usize = 64;

    let algorithm = subject.algorithm();
    let mut hex = subject.hex();
    hex.truncate(ENCODED);
    format!("{algorithm}-{hex}")
        .parse()
        .expect("hexadecimal digits after an algorithm are a tag")
}

/// The descriptors in what a client pushed under a [`fallback_tag`].
///
/// Clients wrote it, so there is no error: an entry that is not a descriptor is left out,
/// and what is not an index has none.
pub fn from_fallback_index(payload: &[u8]) -> Vec<ReferrerDescriptor> {
    #[derive(Deserialize)]
    struct Index {
        manifests: Option<Descriptors>,
    }

    let index: Option<Index> = serde_json::from_slice(payload).ok();
    index
        .and_then(|index| index.manifests)
        .map(|Descriptors(descriptors)| descriptors)
        .unwrap_or_default()
}

struct Descriptors(Vec<ReferrerDescriptor>);

impl<'de> Deserialize<'de> for Descriptors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(DescriptorsVisitor)
    }
}

struct DescriptorsVisitor;

impl<'de> Visitor<'de> for DescriptorsVisitor {
    type Value = Descriptors;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of descriptors")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Descriptors, A::Error> {
        let mut descriptors = Vec::new();
        while let Some(raw) = list.next_element::<&RawValue>()? {
            descriptors.extend(serde_json::from_str::<ReferrerDescriptor>(raw.get()));
        }
        Ok(Descriptors(descriptors))
    }
}
