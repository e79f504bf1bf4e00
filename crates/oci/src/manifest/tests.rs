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

#[test]
fn images_reference_their_config_layers_and_subject() {
    let rows = [
        (
            "'config':@config,'layers':[@one,@two]",
            vec!["Config config", "Layer one", "Layer two"],
        ),
        ("'config':@config,'layers':[]", vec!["Config config"]),
        ("'config':@config,'layers':null", vec!["Config config"]),
        ("'config':@config", vec!["Config config"]),
        (
            "'config':@config,'layers':[@one,@one]",
            vec!["Config config", "Layer one"],
        ),
        (
            "'config':@one,'layers':[@one]",
            vec!["Config one", "Layer one"],
        ),
        (
            "'subject':@subject,'layers':[@empty],'config':@empty,'artifactType':'c/d'",
            vec!["Config empty", "Layer empty", "Subject? subject"],
        ),
        (
            "'config':@config,'org.x':'y','fields':{'layers':[@one],'digest':'#two'}",
            vec!["Config config"],
        ),
        (
            "'config':{'digest':'#config'},'subject':null",
            vec!["Config config"],
        ),
        (
            "'config':{'digest':'#config','data':'e30=','size':2,'x':{}},'annotations':{'Digest':'a'}",
            vec!["Config config"],
        ),
    ];
    for (fields, expected) in rows {
        for own_type in [OCI_MANIFEST, DOCKER_MANIFEST] {
            let manifest = push(
                own_type,
                &format!("{{'schemaVersion':2,'mediaType':'{own_type}',{fields}}}"),
            );
            let manifest = manifest.expect(fields);

            assert_eq!(manifest.kind(), Kind::Image);
            assert_eq!(edges(&manifest, &NAMES), expected, "{fields}");
            assert_eq!(
                manifest.subject(),
                fields.contains("@subject").then(|| digest("subject"))
            );
            assert!(manifest.distribution_expresses() && manifest.payload_declares_media_type());
        }
    }
}

#[test]
fn layers_that_are_kept_elsewhere_are_optional() {
    let rows = [
        (
            "'mediaType':'application/vnd.oci.image.layer.v1.tar+gzip'",
            false,
        ),
        (
            "'mediaType':'application/vnd.oci.image.layer.nondistributable.v1.tar'",
            true,
        ),
        (
            "'mediaType':'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd'",
            true,
        ),
        (
            "'mediaType':'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'",
            true,
        ),
        (
            "'mediaType':'a/b','urls':['https://example.org/layer']",
            true,
        ),
        ("'mediaType':'a/b','urls':[]", false),
        ("'urls':null", false),
    ];
    for (fields, optional) in rows {
        let layer = format!("{{'digest':'#one','size':7,{fields}}}");
        let manifest = push(
            OCI_MANIFEST,
            &format!("{{'schemaVersion':2,'config':@config,'layers':[{layer}]}}"),
        );

        let expected = Edge {
            kind: EdgeKind::Layer,
            digest: digest("one"),
            size: Some(7),
            optional,
        };
        assert_eq!(manifest.expect(fields).edges()[1], expected, "{fields}");
    }
}

#[test]
fn a_layer_that_is_demanded_once_is_not_optional() {
    let elsewhere = "{'digest':'#one','urls':['a']}";
    for layers in [format!("{elsewhere},@one"), format!("@one,{elsewhere}")] {
        let manifest = push(
            OCI_MANIFEST,
            &format!("{{'schemaVersion':2,'config':@config,'layers':[{layers}]}}"),
        );

        let expected = Edge {
            kind: EdgeKind::Layer,
            digest: digest("one"),
            size: Some(7),
            optional: false,
        };
        assert_eq!(manifest.unwrap().edges()[1], expected);
    }
}

#[test]
fn indexes_reference_manifests_and_the_blobs_of_build_caches() {
    let rows = [
        (OCI_MANIFEST, EdgeKind::Child),
        (OCI_INDEX, EdgeKind::Child),
        (DOCKER_MANIFEST, EdgeKind::Child),
        (DOCKER_LIST, EdgeKind::Child),
        ("", EdgeKind::Child),
        (
            "application/vnd.oci.image.layer.v1.tar+gzip",
            EdgeKind::Layer,
        ),
        (
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
            EdgeKind::Layer,
        ),
        (OCI_EMPTY, EdgeKind::Config),
        ("application/vnd.buildkit.cacheconfig.v0", EdgeKind::Unknown),
    ];
    for (entry, kind) in rows {
        for own_type in [OCI_INDEX, DOCKER_LIST] {
            let entry = format!(
                "{{'mediaType':'{entry}','digest':'#one','size':7,'platform':{{'os':'linux'}}}}"
            );
            let template = format!(
                "{{'schemaVersion':2,'mediaType':'{own_type}','manifests':[{entry}],'subject':@subject}}"
            );
            let manifest = push(own_type, &template).unwrap();

            let child = Edge {
                kind,
                digest: digest("one"),
                size: Some(7),
                optional: false,
            };
            assert_eq!(manifest.kind(), Kind::Index);
            assert_eq!(manifest.edges()[0], child, "{entry}");
            assert_eq!(manifest.subject(), Some(digest("subject")));
            assert!(manifest.distribution_expresses());
        }
    }
}

#[test]
fn other_types_reference_every_digest_in_them() {
    let rows = [
        ("{}", vec![]),
        (
            "{'blobs':[@one,{'x':[[{'digest':'#two'}]]}]}",
            vec!["Unknown? one", "Unknown? two"],
        ),
        (
            "{'fsLayers':[{'blobSum':'#one'},{'blobSum':'#one'}]}",
            vec!["Unknown? one"],
        ),
        (
            "{'Digest':'#one','note':'#two','digest':['#two']}",
            vec!["Unknown? one"],
        ),
        ("{'d\\u0069gest':'#one'}", vec!["Unknown? one"]),
        (
            "{'subject':@subject,'blobs':[@one]}",
            vec!["Unknown? one", "Subject? subject"],
        ),
        ("{'subject':['#subject',@one]}", vec!["Unknown? one"]),
        ("{'digest':'sha256:0','config':7,'layers':'x'}", vec![]),
        (
            "{'schemaVersion':1,'config':@config,'manifests':[@one]}",
            vec!["Unknown? config", "Unknown? one"],
        ),
    ];
    for (template, expected) in rows {
        let manifest = push("application/vnd.example.thing+json", template).expect(template);

        assert_eq!(manifest.kind(), Kind::Other);
        assert_eq!(edges(&manifest, &NAMES), expected, "{template}");
        assert_eq!(manifest.media_type(), &"application/vnd.example.thing+json");
        assert!(!manifest.distribution_expresses() && !manifest.payload_declares_media_type());
    }
}

#[test]
fn the_bytes_are_kept_and_addressed_by_the_algorithm() {
    let payload = json(" {'a' : 1,\n'a':2}\n");
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let manifest =
            Manifest::parse(payload.clone(), Some(&media_type("a/b")), algorithm).unwrap();

        assert_eq!(manifest.payload(), &payload);
        assert_eq!(manifest.size(), payload.len() as u64);
        assert_eq!(manifest.digest(), algorithm.digest(&payload));
    }
}

#[test]
fn the_type_is_what_request_and_payload_agree_upon() {
    let image = "'config':@config";
    let index = "'manifests':[]";
    let rows = [
        (
            Some(OCI_MANIFEST),
            format!("'mediaType':'{OCI_MANIFEST}',{image}"),
            OCI_MANIFEST,
            true,
        ),
        (Some(OCI_MANIFEST), image.to_owned(), OCI_MANIFEST, false),
        (
            Some(OCI_MANIFEST),
            format!("'mediaType':'',{image}"),
            OCI_MANIFEST,
            false,
        ),
        (
            Some(OCI_MANIFEST),
            format!("'mediaType':null,{image}"),
            OCI_MANIFEST,
            false,
        ),
        (Some(OCI_INDEX), index.to_owned(), OCI_INDEX, false),
        (Some("a/b"), index.to_owned(), "a/b", false),
        (
            Some("a/b"),
            format!("'mediaType':'a/b',{index}"),
            "a/b",
            true,
        ),
        (
            Some(JSON),
            format!("'mediaType':'{DOCKER_MANIFEST}',{image}"),
            DOCKER_MANIFEST,
            true,
        ),
        (Some(JSON), index.to_owned(), OCI_INDEX, false),
        (Some(JSON), "'a':1".to_owned(), JSON, false),
        (
            None,
            format!("'mediaType':'{DOCKER_LIST}',{index}"),
            DOCKER_LIST,
            true,
        ),
        (None, "'mediaType':'x/y'".to_owned(), "x/y", true),
        (None, image.to_owned(), OCI_MANIFEST, false),
        (None, index.to_owned(), OCI_INDEX, false),
    ];
    for (content_type, fields, expected, declares) in rows {
        let payload = json(&format!("{{'schemaVersion':2,{fields}}}"));
        let content_type = content_type.map(media_type);
        let manifest =
            Manifest::parse(payload, content_type.as_ref(), Algorithm::Sha256).expect(&fields);

        assert_eq!(manifest.media_type(), &expected, "{fields}");
        assert_eq!(manifest.payload_declares_media_type(), declares, "{fields}");
    }
}

#[test]
fn distribution_expresses_what_it_can_tell_from_the_payload() {
    let rows = [
        (OCI_MANIFEST, "{'schemaVersion':2,'config':@config}", true),
        (OCI_INDEX, "{'schemaVersion':2,'manifests':[]}", true),
        // Without a list it would be taken for an image.
        (OCI_INDEX, "{'schemaVersion':2,'manifests':null}", false),
        (OCI_INDEX, "{'schemaVersion':2}", false),
        ("a/b", "{'schemaVersion':2,'config':@config}", false),
        (
            "a/b",
            "{'schemaVersion':2,'mediaType':'a/b','config':@config}",
            false,
        ),
    ];
    for (content_type, template, expected) in rows {
        let manifest = push(content_type, template).expect(template);

        assert_eq!(
            manifest.distribution_expresses(),
            expected,
            "{content_type} {template}"
        );
        assert_eq!(
            adopt(Some(content_type), template).distribution_expresses(),
            expected,
            "{template}"
        );
    }
}

#[test]
fn the_artifact_type_is_its_own_or_that_of_the_config() {
    let rows = [
        (OCI_MANIFEST, "'config':@config", Some("a/b")),
        (
            OCI_MANIFEST,
            "'config':@config,'artifactType':''",
            Some("a/b"),
        ),
        (
            OCI_MANIFEST,
            "'config':@config,'artifactType':'c/d'",
            Some("c/d"),
        ),
        (OCI_MANIFEST, "'config':{'digest':'#config'}", None),
        (
            OCI_INDEX,
            "'manifests':[],'artifactType':'c/d'",
            Some("c/d"),
        ),
        (OCI_INDEX, "'manifests':[]", None),
        (
            "x/y",
            "'config':@config,'artifactType':'c\\/d'",
            Some("c/d"),
        ),
        ("x/y", "'config':@config,'artifactType':7", None),
    ];
    for (content_type, fields, expected) in rows {
        let manifest =
            push(content_type, &format!("{{'schemaVersion':2,{fields}}}")).expect(fields);

        assert_eq!(manifest.artifact_type(), expected, "{fields}");
    }
}

#[test]
fn annotations_are_strings_by_name() {
    let rows = [
        (
            OCI_MANIFEST,
            "{'a':'1','b':null}",
            Some("{\"a\":\"1\",\"b\":null}"),
        ),
        (OCI_MANIFEST, "null", None),
        ("x/y", "{ 'a' : '1' }", Some("{ \"a\" : \"1\" }")),
        ("x/y", "{'a':1}", None),
        ("x/y", "[]", None),
    ];
    for (content_type, annotations, expected) in rows {
        let template =
            format!("{{'schemaVersion':2,'config':@config,'annotations':{annotations}}}");
        let manifest = push(content_type, &template).expect(annotations);

        assert_eq!(
            manifest.annotations().map(Annotations::as_json),
            expected,
            "{annotations}"
        );
    }
}

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

#[test]
fn a_stored_manifest_is_adopted_under_its_own_digest_only() {
    let payload = json("{'schemaVersion':2,'config':@config}");
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let digest = algorithm.digest(&payload);
        let other = algorithm.digest(b"other");

        assert_eq!(
            Manifest::adopt(payload.clone(), None, digest)
                .unwrap()
                .digest(),
            digest
        );
        let error = Manifest::adopt(payload.clone(), None, other).unwrap_err();
        assert!(
            matches!(error, ManifestError::DigestMismatch { expected, actual } if expected == other && actual == digest)
        );
    }
}

#[test]
fn what_is_pushed_is_adopted_alike() {
    let templates = [
        (
            OCI_MANIFEST,
            "{'schemaVersion':2,'config':@config,'layers':[@one],'subject':@subject}",
        ),
        (
            OCI_INDEX,
            "{'schemaVersion':2,'manifests':[@one],'annotations':{'a':'b'}}",
        ),
        (
            "x/y",
            "{'schemaVersion':2,'digest':'#one','annotations':{'a':'b'}}",
        ),
    ];
    for (content_type, template) in templates {
        let pushed = push(content_type, template).unwrap();
        let adopted = adopt(Some(content_type), template);

        assert_eq!(format!("{pushed:?}"), format!("{adopted:?}"));
    }
}

#[test]
fn schema_1_is_adopted_with_its_layers() {
    let template = "{'schemaVersion':1,'fsLayers':[{'blobSum':'#one'},{'blobSum':'#two'}]";
    let rows = [
        (None, format!("{template}}}"), DOCKER_SCHEMA1),
        (
            None,
            format!("{template},'signatures':[{{}}]}}"),
            DOCKER_SCHEMA1_SIGNED,
        ),
        (
            Some(DOCKER_SCHEMA1_SIGNED),
            format!("{template}}}"),
            DOCKER_SCHEMA1_SIGNED,
        ),
    ];
    for (stored_as, template, expected) in rows {
        let manifest = adopt(stored_as, &template);

        assert_eq!(manifest.kind(), Kind::Schema1);
        assert_eq!(manifest.media_type(), &expected);
        assert_eq!(edges(&manifest, &NAMES), ["Unknown? one", "Unknown? two"]);
        assert!(!manifest.distribution_expresses());
    }
}

#[test]
fn what_could_not_be_pushed_is_adopted_with_every_digest_in_it() {
    let rows = [
        (
            "{'schemaVersion':2,'config':{},'layers':[@one]}",
            OCI_MANIFEST,
            vec!["Unknown? one"],
        ),
        (
            "{'schemaVersion':2,'config':@config,'Layers':[@one]}",
            OCI_MANIFEST,
            vec!["Unknown? config", "Unknown? one"],
        ),
        (
            "{'schemaVersion':2,'config':@config,'config':@one}",
            OCI_MANIFEST,
            vec!["Unknown? config", "Unknown? one"],
        ),
        (
            "{'schemaVersion':2,'manifests':[{'x':@one}],'subject':@subject}",
            OCI_INDEX,
            vec!["Unknown? one", "Subject? subject"],
        ),
        (
            "{'schemaVersion':2,'manifests':[],'layers':[@one]}",
            OCI_INDEX,
            vec!["Unknown? one"],
        ),
        (
            "{'mediaType':'nonsense','digest':'#one'}",
            JSON,
            vec!["Unknown? one"],
        ),
        (
            "{'mediaType':7,'digest':'#one'}",
            JSON,
            vec!["Unknown? one"],
        ),
        ("{'digest':'#one'}", JSON, vec!["Unknown? one"]),
        (
            "{'schemaVersion':2,'mediaType':[@one],'manifests':[]}",
            OCI_INDEX,
            vec!["Unknown? one"],
        ),
    ];
    for (template, expected_type, expected) in rows {
        let manifest = adopt(None, template);

        assert_eq!(manifest.media_type(), &expected_type, "{template}");
        assert_eq!(edges(&manifest, &NAMES), expected, "{template}");
        assert!(!manifest.distribution_expresses(), "{template}");
    }
}

#[test]
fn edge_kinds_are_stored_as_numbers() {
    for stored in 1..=5 {
        assert_eq!(EdgeKind::from_u8(stored).unwrap().as_u8(), stored);
    }
    assert_eq!(EdgeKind::from_u8(0), None);
    assert_eq!(EdgeKind::from_u8(6), None);
}
