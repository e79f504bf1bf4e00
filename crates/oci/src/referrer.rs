//! Manifests that are about another one: how they are listed, and the tag that older clients list them under.

use std::fmt;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::manifest::Object;
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

    let index: Option<Object<Index>> = serde_json::from_slice(payload).ok();
    index
        .and_then(|Object(index)| index.manifests)
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
            let descriptor = serde_json::from_str(raw.get());
            descriptors.extend(descriptor.map(|Object(descriptor)| descriptor));
        }
        Ok(Descriptors(descriptors))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::Algorithm;

    #[test]
    fn the_fallback_tag_is_the_digest_cut_to_fit() {
        let sha256 = Algorithm::Sha256.digest(b"");
        let sha512 = Algorithm::Sha512.digest(b"");

        assert_eq!(
            fallback_tag(&sha256).to_string(),
            sha256.to_string().replace(':', "-")
        );
        assert_eq!(
            fallback_tag(&sha512).to_string(),
            format!("sha512-{}", &sha512.hex()[..64])
        );
    }

    #[test]
    fn a_manifest_is_described_with_its_annotations() {
        let config = Algorithm::Sha256.digest(b"{}");
        let payload = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
            "config":{{"mediaType":"a/config","digest":"{config}","size":2}},"layers":[],
            "annotations":{{"b":"2", "a":"1"}}}}"#
        );
        let manifest = Manifest::parse(Bytes::from(payload), None, Algorithm::Sha256).unwrap();

        let json = serde_json::to_string(&ReferrerDescriptor::from(&manifest)).unwrap();

        let expected = format!(
            r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{}","size":{},"artifactType":"a/config","annotations":{{"b":"2", "a":"1"}}}}"#,
            manifest.digest(),
            manifest.size()
        );
        assert_eq!(json, expected);
        let annotations = manifest.annotations().unwrap().to_map();
        assert_eq!(
            Vec::from_iter(annotations),
            [("a".into(), "1".into()), ("b".into(), "2".into())]
        );
    }

    #[test]
    fn a_fallback_index_is_read_as_far_as_it_makes_sense() {
        let digest = Algorithm::Sha256.digest(b"");
        let good = format!(
            r#"{{"mediaType":"a/b","digest":"{digest}","size":7,"data":"AA==","other":[1]}}"#
        );
        let rows = [
            (String::new(), 0),
            ("[]".into(), 0),
            (format!("[[{good}]]"), 0),
            (
                format!(r#"{{"manifests":[["a/b","{digest}",7,null,null]]}}"#),
                0,
            ),
            ("{}".into(), 0),
            (r#"{"manifests":null}"#.into(), 0),
            (r#"{"manifests":7}"#.into(), 0),
            (r#"{"manifests":[]}"#.into(), 0),
            (format!(r#"{{"manifests":[{good},{good}]}}"#), 2),
            (
                format!(r#"{{"manifests":[null,7,{{}},{{"digest":"sha256:0"}},{good}]}}"#),
                1,
            ),
            (
                format!(r#"{{"manifests":[{}]}}"#, good.replace('7', "-7")),
                0,
            ),
            (
                format!(
                    r#"{{"manifests":[{}]}}"#,
                    good.replace("[1]", "1,\"annotations\":{\"a\":1}")
                ),
                0,
            ),
            (format!(r#"{{"manifests":[{good}"#), 0),
        ];
        for (payload, count) in rows {
            assert_eq!(
                from_fallback_index(payload.as_bytes()).len(),
                count,
                "{payload}"
            );
        }
    }

    #[test]
    fn an_entry_of_a_fallback_index_keeps_what_a_listing_needs() {
        let digest = Algorithm::Sha256.digest(b"");
        let entry = format!(
            r#"{{"mediaType":"a/b","digest":"{digest}","size":7,"artifactType":"c/d","annotations":{{"e":"f"}}}}"#
        );

        let descriptors = from_fallback_index(format!(r#"{{"manifests":[{entry}]}}"#).as_bytes());

        assert_eq!(serde_json::to_string(&descriptors[0]).unwrap(), entry);
    }
}
