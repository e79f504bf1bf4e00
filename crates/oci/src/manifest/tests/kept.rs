//! What a manifest says of itself.

use super::*;

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
