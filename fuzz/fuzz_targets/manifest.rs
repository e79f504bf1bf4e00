//! A manifest keeps its bytes, references only what its text names, and is adopted as it was pushed.
//!
//! The first byte of the input chooses the media type that the rest is handed in as.

#![no_main]

use std::collections::HashSet;

use boxyard_oci::media_type::{
    DOCKER_LIST, DOCKER_MANIFEST, DOCKER_SCHEMA1_SIGNED, JSON, OCI_INDEX, OCI_MANIFEST,
};
use boxyard_oci::referrer::from_fallback_index;
use boxyard_oci::{
    Algorithm, Annotations, Digest, EdgeKind, Kind, Manifest, MediaType, ReferrerDescriptor,
};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const TYPES: [Option<&str>; 8] = [
    None,
    Some(OCI_MANIFEST),
    Some(OCI_INDEX),
    Some(DOCKER_MANIFEST),
    Some(DOCKER_LIST),
    Some(DOCKER_SCHEMA1_SIGNED),
    Some(JSON),
    Some("application/vnd.example.thing.v1+json"),
];

fuzz_target!(|input: &[u8]| {
    let Some((choice, payload)) = input.split_first() else {
        return;
    };
    let given =
        TYPES[usize::from(*choice) % TYPES.len()].map(|text| text.parse().expect("a media type"));
    let payload = Bytes::copy_from_slice(payload);

    if let Ok(manifest) = Manifest::parse(payload.clone(), given.as_ref(), Algorithm::Sha256) {
        holds(&manifest, &payload);
        is_adopted_alike(&manifest);
        assert!(manifest.kind() != Kind::Schema1 && manifest.edges().len() <= 10_000);
    }
    let digest = Algorithm::Sha512.digest(&payload);
    if let Ok(manifest) = Manifest::adopt(payload.clone(), given.as_ref(), digest) {
        holds(&manifest, &payload);
        let pushed = Manifest::parse(
            payload.clone(),
            Some(manifest.media_type()),
            Algorithm::Sha512,
        );
        if pushed.is_err() || manifest.kind() == Kind::Other {
            misses_no_digest(&manifest);
        }
    }
    for descriptor in from_fallback_index(&payload) {
        survives_json(&descriptor);
    }
});

fn holds(manifest: &Manifest, payload: &Bytes) {
    assert_eq!(manifest.payload(), payload);
    assert_eq!(
        manifest.digest(),
        manifest.digest().algorithm().digest(payload)
    );

    let texts = texts(payload);
    let mut seen = HashSet::new();
    for edge in manifest.edges() {
        assert!(
            texts.contains(&edge.digest.to_string()),
            "{edge:?} is not in the text"
        );
        assert!(
            seen.insert((edge.kind, edge.digest)),
            "{edge:?} is there twice"
        );
    }
    assert_eq!(
        manifest.subject().is_some(),
        seen.iter().any(|(kind, _)| *kind == EdgeKind::Subject)
    );
    assert!(
        manifest
            .artifact_type()
            .is_none_or(|artifact_type| texts.contains(artifact_type))
    );
    assert!(
        !manifest.payload_declares_media_type() || texts.contains(manifest.media_type().as_str())
    );
    survives_json(&ReferrerDescriptor::from(manifest));

    if manifest.distribution_expresses() {
        let alone = Manifest::parse(payload.clone(), None, Algorithm::Sha256)
            .expect("the payload is enough");
        assert_eq!(alone.media_type(), manifest.media_type());
        assert_eq!(alone.edges(), manifest.edges());
    }
}

fn is_adopted_alike(pushed: &Manifest) {
    let media_type: &MediaType = pushed.media_type();
    let adopted = Manifest::adopt(pushed.payload().clone(), Some(media_type), pushed.digest());
    let adopted = adopted.expect("what was pushed is adopted");
    assert_eq!(format!("{adopted:?}"), format!("{pushed:?}"));
}

/// Looks for digests in its own way: in what is left of the document when names are there once.
fn misses_no_digest(manifest: &Manifest) {
    let document: Value = serde_json::from_slice(manifest.payload()).expect("a manifest is JSON");
    let mut values = vec![&document];
    while let Some(value) = values.pop() {
        let Value::Object(fields) = value else {
            values.extend(value.as_array().into_iter().flatten());
            continue;
        };
        values.extend(fields.values());
        for name in ["digest", "blobSum"] {
            let digest = fields
                .get(name)
                .and_then(Value::as_str)
                .and_then(|text| text.parse::<Digest>().ok());
            if let Some(digest) = digest {
                assert!(
                    manifest.edges().iter().any(|edge| edge.digest == digest),
                    "{digest} is missed"
                );
            }
        }
    }
}

fn survives_json(descriptor: &ReferrerDescriptor) {
    let json = serde_json::to_string(descriptor).expect("a descriptor is JSON");
    assert_eq!(
        serde_json::from_str::<ReferrerDescriptor>(&json).expect("and read again"),
        *descriptor
    );
    let _ = descriptor.annotations.as_ref().map(Annotations::to_map);
}

/// Every string of the document, names included, found by its quotes alone.
fn texts(json: &[u8]) -> HashSet<String> {
    let mut texts = HashSet::new();
    let mut rest = json;
    while let Some(start) = rest.iter().position(|byte| *byte == b'"') {
        let mut end = start + 1;
        while rest[end] != b'"' {
            end += if rest[end] == b'\\' { 2 } else { 1 };
        }
        texts.insert(serde_json::from_slice(&rest[start..=end]).expect("a string between quotes"));
        rest = &rest[end + 1..];
    }
    texts
}
