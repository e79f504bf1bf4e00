//! What a manifest refers to.

use super::*;

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
fn edge_kinds_are_stored_as_numbers() {
    for stored in 1..=5 {
        assert_eq!(EdgeKind::from_u8(stored).unwrap().as_u8(), stored);
    }
    assert_eq!(EdgeKind::from_u8(0), None);
    assert_eq!(EdgeKind::from_u8(6), None);
}
