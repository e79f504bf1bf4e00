//! What is no manifest, and why.

use super::*;

/// The error and what caused it.
fn chain(error: &ManifestError) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}

#[test]
fn what_is_no_json_object_is_refused_whatever_its_type() {
    let rows = [
        ("", "manifest is not valid JSON: EOF"),
        ("{", "manifest is not valid JSON: EOF"),
        ("{}{}", "manifest is not valid JSON: trailing"),
        ("{'a':1,}", "manifest is not valid JSON: trailing comma"),
        (
            "{'a':1e400}",
            "manifest is not valid JSON: number out of range",
        ),
        ("{'a':'\\ud800'}", "manifest is not valid JSON: "),
        ("\u{feff}{}", "manifest is not valid JSON: expected value"),
        ("[]", "manifest is not a JSON object"),
        ("'{}'", "manifest is not a JSON object"),
        ("null", "manifest is not a JSON object"),
        ("[{}]", "manifest is not a JSON object"),
    ];
    for content_type in [OCI_MANIFEST, OCI_INDEX, DOCKER_SCHEMA1, "a/b", OCTET_STREAM] {
        for (payload, expected) in rows {
            let error = push(content_type, payload).expect_err(payload);

            assert!(
                chain(&error).starts_with(expected),
                "{payload}: {}",
                chain(&error)
            );
        }
    }
    let not_utf8 = Bytes::from_static(b"{\"a\":\"\xff\"}");
    assert!(matches!(
        Manifest::parse(not_utf8, None, Algorithm::Sha256),
        Err(ManifestError::Json(_))
    ));
}

/// Fields of images that are none, and what the error says.
const NO_IMAGES: &[(&str, &str)] = &[
    ("'layers':[]", "has no field `config`"),
    ("'config':null", "has no field `config`"),
    ("'config':7", "invalid field `config`: invalid type"),
    (
        "'config':{}",
        "invalid field `config`: missing field `digest`",
    ),
    (
        "'config':{'digest':'sha256:0'}",
        "invalid field `config`: `sha256:0` is not a digest",
    ),
    (
        "'config':{'digest':'md5:00'}",
        "digest algorithm `md5` is not supported",
    ),
    (
        "'config':{'digest':'#one','digest':'#two'}",
        "duplicate field `digest`",
    ),
    (
        "'config':{'digest':'#one','size':-1}",
        "a size is not negative",
    ),
    (
        "'config':{'digest':'#one','size':1.5}",
        "invalid type: floating point",
    ),
    (
        "'config':{'digest':'#one','size':9223372036854775808}",
        "invalid value",
    ),
    ("'config':{'digest':'#one','data':'e30'}", "invalid base64"),
    (
        "'config':{'digest':'#one','platform':{'os':7}}",
        "invalid type",
    ),
    (
        "'config':{'digest':'#one','annotations':{'a':7}}",
        "invalid type",
    ),
    (
        "'config':@config,'layers':{}",
        "invalid field `layers`: invalid type: map",
    ),
    ("'config':@config,'layers':[null]", "invalid field `layers`"),
    (
        "'config':@config,'layers':[@one,{'size':7}]",
        "missing field `digest`",
    ),
    (
        "'config':@config,'subject':'#subject'",
        "invalid field `subject`",
    ),
    (
        "'config':@config,'annotations':{'a':7}",
        "invalid field `annotations`",
    ),
    (
        "'config':@config,'artifactType':7",
        "invalid field `artifactType`",
    ),
    (
        "'config':@config,'manifests':[]",
        "has the field `manifests` of another type",
    ),
    (
        "'config':@config,'fsLayers':[]",
        "has the field `fsLayers` of another type",
    ),
    (
        "'config':@config,'config':@one",
        "has the field `config` twice",
    ),
    (
        "'config':@config,'config':null",
        "has the field `config` twice",
    ),
    (
        "'config':@config,'schemaVersion':2",
        "has the field `schemaVersion` twice",
    ),
    (
        "'config':@config,'Layers':[]",
        "has the field `Layers`: expected `layers`",
    ),
    (
        "'config':@config,'layerſ':[]",
        "has the field `layerſ`: expected `layers`",
    ),
    (
        "'config':{'digest':'#one','DIGEST':'#two'}",
        "has the field `DIGEST`: expected `digest`",
    ),
    (
        "'config':@config,'mediaType':7",
        "invalid field `mediaType`",
    ),
    (
        "'config':@config,'mediaType':'a/b'",
        "has the `mediaType` `a/b`: expected",
    ),
    (
        "'config':@config,'mediaType':'Application/vnd.oci.image.manifest.v1+json'",
        "expected",
    ),
];

#[test]
fn an_image_that_is_none_is_refused_and_told_why() {
    for (fields, expected) in NO_IMAGES {
        let error =
            push(OCI_MANIFEST, &format!("{{'schemaVersion':2,{fields}}}")).expect_err(fields);

        assert!(
            chain(&error).contains(expected),
            "{fields}: {}",
            chain(&error)
        );
    }
}

/// Types or none, manifests that are not of them, and what the error says.
const OTHER_TYPES: &[(&str, &str, &str)] = &[
    (
        OCI_MANIFEST,
        "{'config':@config}",
        "has no field `schemaVersion`",
    ),
    (
        OCI_MANIFEST,
        "{'schemaVersion':1,'config':@config}",
        "has the `schemaVersion` 1: expected 2",
    ),
    (
        OCI_MANIFEST,
        "{'schemaVersion':'2','config':@config}",
        "invalid field `schemaVersion`",
    ),
    (
        DOCKER_MANIFEST,
        "{'schemaVersion':2,'config':@config}",
        "has no field `mediaType`",
    ),
    (
        OCI_MANIFEST,
        "{'mediaType':'application/vnd.docker.distribution.manifest.v2+json','config':@config}",
        "has the `mediaType`",
    ),
    (
        OCI_INDEX,
        "{'schemaVersion':2,'manifests':[],'config':@config}",
        "`config` of another type",
    ),
    (
        OCI_INDEX,
        "{'schemaVersion':2,'manifests':[],'layers':[]}",
        "`layers` of another type",
    ),
    (
        OCI_INDEX,
        "{'schemaVersion':2,'manifests':[7]}",
        "invalid field `manifests`",
    ),
    (
        JSON,
        "{'schemaVersion':2,'manifests':[],'layers':[]}",
        "`layers` of another type",
    ),
    (
        DOCKER_SCHEMA1,
        "{'schemaVersion':1,'fsLayers':[]}",
        "schema 1",
    ),
    (DOCKER_SCHEMA1_SIGNED, "{}", "schema 1"),
    (JSON, "{'schemaVersion':1,'fsLayers':[]}", "schema 1"),
    ("", "{'schemaVersion':1,'fsLayers':[]}", "schema 1"),
    (
        "",
        "{'mediaType':'application/vnd.docker.distribution.manifest.v1+prettyjws'}",
        "schema 1",
    ),
    ("", "{}", "has no media type"),
    ("", "{'schemaVersion':2}", "has no media type"),
    (
        "",
        "{'mediaType':'nonsense'}",
        "has an invalid `mediaType`: `nonsense` is not a media type",
    ),
];

#[test]
fn a_manifest_of_the_wrong_schema_or_type_is_refused_and_told_why() {
    for (content_type, template, expected) in OTHER_TYPES {
        let content_type = MediaType::parse(content_type).ok();
        let error = Manifest::parse(json(template), content_type.as_ref(), Algorithm::Sha256)
            .expect_err(template);

        assert!(
            chain(&error).contains(expected),
            "{template}: {}",
            chain(&error)
        );
    }
}

#[test]
fn what_nests_too_deep_is_refused_without_a_stack_overflow() {
    let nested = |levels: usize| {
        format!(
            "{{'a':{}{}}}",
            "[".repeat(levels - 1),
            "]".repeat(levels - 1)
        )
    };

    assert!(push("a/b", &nested(MAX_DEPTH)).is_ok());
    for too_deep in [
        nested(MAX_DEPTH + 1),
        nested(128),
        nested(1 << 20),
        "{'a':".repeat(1 << 18),
    ] {
        for content_type in ["a/b", OCI_MANIFEST, OCI_INDEX] {
            assert!(matches!(
                push(content_type, &too_deep),
                Err(ManifestError::TooDeep)
            ));
        }
    }
}

#[test]
fn only_so_many_references_can_be_pushed_but_all_are_adopted() {
    let manifest = |count: u32| {
        let layer = |n| format!("{{\"digest\":\"{}\"}}", digest(&format!("{n}")));
        let layers: Vec<_> = (1..count).map(layer).collect();
        json(&format!(
            "{{'schemaVersion':2,'config':@config,'layers':[{}]}}",
            layers.join(",")
        ))
    };
    let most = manifest(10_000);
    let more = manifest(10_001);

    assert_eq!(
        Manifest::parse(most, None, Algorithm::Sha256)
            .unwrap()
            .edges()
            .len(),
        MAX_EDGES
    );
    let refused = Manifest::parse(more.clone(), None, Algorithm::Sha256);
    assert!(matches!(
        refused,
        Err(ManifestError::TooManyEdges { count: 10_001 })
    ));
    let digest = Algorithm::Sha256.digest(&more);
    assert_eq!(
        Manifest::adopt(more, None, digest).unwrap().edges().len(),
        10_001
    );
}
