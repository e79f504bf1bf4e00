//! What is taken from a folder, whoever has written it.

use super::*;

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
