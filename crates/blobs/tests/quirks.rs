//! What other programs and other times leave in the tree.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::slice;
use std::time::{Duration, SystemTime};

use boxyard_blobs::{Link, LinkText, OddityKind, Sidecar, Tree, UploadId, Which};
use boxyard_oci::Algorithm;
use support::{Storage, begin, digest, noon, push, repo, tag};

const TREE: Tree = Tree::Distribution;
const SESSION: &str = "repositories/a/_uploads/0fbfbd56-4d39-4e57-9b39-3d0b4a3f5c11";

fn session() -> UploadId {
    SESSION.rsplit_once('/').unwrap().1.parse().unwrap()
}

/// A tree with a manifest, a layer, a tag and a blob, and with garbage in every folder.
fn cluttered() -> Storage {
    let (storage, hex) = (Storage::new(), digest(b"1").hex());
    storage.open();
    let alien = "00".repeat(31);
    for path in [
        format!("blobs/sha256/{}/{hex}/data", &hex[..2]),
        format!("blobs/sha256/{}/{hex}/data.1234.tmp", &hex[..2]),
        format!("blobs/sha256/{}/{alien}/data", &hex[..2]),
        "blobs/sha256/notes.txt".to_owned(),
        format!("repositories/a/_layers/sha256/{hex}/link"),
        format!("repositories/a/_layers/sha256/{alien}/link"),
        format!("repositories/a/_layers/md5/{hex}/link"),
        "repositories/a/_layers/sha256/link.1234.tmp".to_owned(),
        format!("repositories/a/_manifests/revisions/sha256/{hex}/link"),
        format!(
            "repositories/a/_manifests/revisions/sha256/{}/link",
            hex.to_uppercase()
        ),
        "repositories/a/_manifests/tags/latest/current/link".to_owned(),
        format!("repositories/a/_manifests/tags/latest/index/sha256/{hex}/link"),
        format!("repositories/a/_manifests/tags/latest/index/sha256/{alien}/link"),
        "repositories/a/_manifests/tags/-bad-/current/link".to_owned(),
        "repositories/a/_manifests/tags/README".to_owned(),
        format!("{SESSION}/data"),
        "repositories/a/_uploads/1234/data".to_owned(),
        "repositories/Upper/_manifests/tags/latest/current/link".to_owned(),
        "repositories/_trust/key".to_owned(),
        "repositories/README".to_owned(),
    ] {
        storage.plant(&path, digest(b"1").to_string().as_bytes());
    }
    storage
}

#[test]
fn garbage_in_the_tree_is_skipped() {
    let (storage, one, name) = (cluttered(), digest(b"1"), repo("a"));
    let folder = storage.open();

    assert_eq!(
        folder.repositories(TREE, None, 9).unwrap(),
        slice::from_ref(&name)
    );
    assert_eq!(folder.tags(TREE, &name).unwrap(), [tag("latest")]);
    assert_eq!(folder.revisions(TREE, &name).unwrap(), [one]);
    assert_eq!(folder.layers(&name).unwrap(), [one]);
    assert_eq!(folder.tag_index(&name, &tag("latest")).unwrap(), [one]);
    assert_eq!(folder.uploads(&name).unwrap(), [session()]);
    assert_eq!(folder.blobs(None, 9).unwrap().0, [one]);
}

#[test]
fn garbage_in_the_tree_is_reported() {
    let (storage, name) = (cluttered(), repo("a"));
    let folder = storage.open();

    let mut walk = folder.walk_repositories(TREE, Which::Any, None).unwrap();
    let walked = walk.by_ref().count();
    let odd = [
        folder.oddities(TREE, &name).unwrap(),
        folder.blobs(None, 9).unwrap().1,
        walk.oddities().clone(),
    ];
    let found: Vec<_> = odd.iter().flat_map(|odd| &odd.found).collect();
    let count = |kind| found.iter().filter(|odd| odd.kind == kind).count();

    assert_eq!(walked, 1);
    assert_eq!(count(OddityKind::Name), 9, "{found:#?}");
    assert_eq!(count(OddityKind::File), 2);
    assert_eq!(count(OddityKind::Unfinished), 1);
    assert!(found.iter().all(|odd| odd.path.starts_with(storage.v2())));
}

#[test]
fn a_report_of_garbage_is_bounded() {
    let storage = Storage::new();
    storage.plant("repositories/a/_manifests/tags/latest/current/link", b"");
    for number in 0..1010 {
        storage.plant(&format!("repositories/a/_manifests/tags/{number}.tmp"), b"");
    }

    let odd = storage.open().oddities(TREE, &repo("a")).unwrap();

    assert_eq!((odd.found.len(), odd.more), (1000, 10));
}

#[test]
fn a_link_is_a_digest_and_nothing_else() {
    let storage = Storage::new();
    let (folder, one) = (storage.open(), digest(b"1"));
    let name = repo("a");
    let link = Link::TagCurrent {
        repo: &name,
        tag: &tag("latest"),
    };
    let read = |text: &str| {
        storage.plant(
            "repositories/a/_manifests/tags/latest/current/link",
            text.as_bytes(),
        );
        folder.read_link(TREE, &link).unwrap()
    };

    assert_eq!(folder.read_link(TREE, &link).unwrap(), LinkText::Absent);
    assert_eq!(read(&one.to_string()), LinkText::To(one));
    assert_eq!(read(""), LinkText::Garbled);
    assert_eq!(read(&one.to_string()[..70]), LinkText::Garbled);
    assert_eq!(read(&format!("{one}\n")), LinkText::Garbled);
    assert_eq!(read(&"sha256:".repeat(10_000)), LinkText::Garbled);
    assert_eq!(
        folder.read_link(Tree::Own, &link).unwrap(),
        LinkText::Absent
    );
}

#[test]
fn a_link_may_lead_to_a_digest_of_another_algorithm() {
    let storage = Storage::new();
    let (canonical, alias) = (digest(b"1"), Algorithm::Sha512.digest(b"1"));
    let path = format!("repositories/a/_layers/sha512/{}/link", alias.hex());
    storage.plant(&path, canonical.to_string().as_bytes());
    let (folder, name) = (storage.open(), repo("a"));

    let link = Link::Layer {
        repo: &name,
        digest: &alias,
    };

    assert_eq!(folder.layers(&name).unwrap(), [alias]);
    assert_eq!(
        folder.read_link(TREE, &link).unwrap(),
        LinkText::To(canonical)
    );
}

#[test]
fn links_are_written_as_distribution_writes_them() {
    let storage = Storage::new();
    let (repo, digest, tag) = (&repo("library/app"), &digest(b"1"), &tag("v1"));

    let mut batch = storage.open().batch();
    batch.write_link(TREE, &Link::Layer { repo, digest }, digest);
    batch.write_link(TREE, &Link::Revision { repo, digest }, digest);
    batch.write_link(TREE, &Link::TagIndex { repo, tag, digest }, digest);
    batch.write_link(TREE, &Link::TagCurrent { repo, tag }, digest);
    batch.finish().unwrap();

    let (hex, text) = (digest.hex(), digest.to_string().into_bytes());
    let expected = [
        format!("_layers/sha256/{hex}/link"),
        format!("_manifests/revisions/sha256/{hex}/link"),
        "_manifests/tags/v1/current/link".to_owned(),
        format!("_manifests/tags/v1/index/sha256/{hex}/link"),
    ];
    let below = "docker/registry/v2/repositories/library/app";
    let expected = expected.map(|path| (format!("{below}/{path}"), text.clone()));
    assert_eq!(storage.files(), expected);
}

#[test]
fn what_distribution_cannot_express_is_written_beside_its_tree() {
    let storage = Storage::new();
    let (folder, repo, digest) = (storage.open(), &repo("library/app"), &digest(b"1"));

    let mut batch = folder.batch();
    batch.write_link(Tree::Own, &Link::Revision { repo, digest }, digest);
    batch.write_media_type(repo, digest, "application/x+json");
    batch.finish().unwrap();

    let below = "boxyard/repositories/library/app/_manifests/revisions/sha256";
    let (hex, text) = (digest.hex(), digest.to_string().into_bytes());
    let media_type = "application/x+json";
    let expected = [
        (format!("{below}/{hex}/link"), text),
        (format!("{below}/{hex}/mediatype"), media_type.into()),
    ];
    assert_eq!(storage.files(), expected);
    let read = folder.read_media_type(repo, digest).unwrap();
    assert_eq!(read.as_deref(), Some(media_type));
    assert!(folder.has_repository(Tree::Own, repo).unwrap());
}

#[test]
fn an_upload_is_written_as_distribution_writes_it() {
    let storage = Storage::new();
    let (folder, name) = (storage.open(), repo("a"));
    let owner = Some("alice".to_owned());
    let sidecar = Sidecar {
        owner,
        algorithm: Some(Algorithm::Sha512),
    };
    let mut upload = folder
        .begin_upload(&name, &session(), &sidecar, noon())
        .unwrap();
    upload.append(b"bytes").unwrap();

    let json = br#"{"owner":"alice","algorithm":"sha512"}"#;
    let session = format!("docker/registry/v2/{SESSION}");
    assert_eq!(
        storage.files(),
        [
            (format!("{session}/boxyard"), json.to_vec()),
            (format!("{session}/data"), b"bytes".to_vec()),
            (
                format!("{session}/startedat"),
                b"2023-11-14T22:13:20Z".to_vec()
            ),
        ]
    );
}

#[test]
fn a_session_that_distribution_began_goes_on_and_leaves_nothing() {
    let storage = Storage::new();
    storage.plant(
        &format!("{SESSION}/startedat"),
        b"2023-11-14T23:13:20+01:00",
    );
    storage.plant(&format!("{SESSION}/data"), b"some ");
    storage.plant(&format!("{SESSION}/hashstates/sha256/5"), b"\x00\x01");
    let (folder, name) = (storage.open(), repo("a"));

    assert_eq!(folder.upload_size(&name, &session()).unwrap(), Some(5));
    assert_eq!(
        folder.upload_started(&name, &session()).unwrap(),
        Some(noon())
    );
    let mut upload = folder.resume_upload(&name, &session()).unwrap().unwrap();
    assert_eq!(upload.algorithm(), Algorithm::Sha256);
    upload.append(b"bytes").unwrap();
    folder
        .promote(upload, &name, &digest(b"some bytes"))
        .unwrap();

    assert_eq!(
        folder.hash_blob(&digest(b"some bytes")).unwrap(),
        Some(digest(b"some bytes"))
    );
    assert_eq!(folder.uploads(&name).unwrap(), []);
}

#[test]
fn a_session_without_its_start_or_its_bytes_is_unknown_but_found_by_its_age() {
    for file in ["startedat", "data"] {
        let storage = Storage::new();
        storage.plant(&format!("{SESSION}/{file}"), b"garbage");
        let (folder, name, id) = (storage.open(), repo("a"), session());

        assert_eq!(folder.upload_size(&name, &id).unwrap(), None);
        assert!(folder.resume_upload(&name, &id).unwrap().is_none());
        assert_eq!(folder.uploads(&name).unwrap(), slice::from_ref(&id));
        let started = folder.upload_started(&name, &id).unwrap().unwrap();
        let age = SystemTime::now()
            .duration_since(started)
            .unwrap_or_default();
        assert!(age < Duration::from_mins(10));
        assert!(folder.cancel_upload(&name, &id).unwrap());
        assert!(!folder.cancel_upload(&name, &id).unwrap());
    }
}

#[test]
fn a_manifest_folder_that_lost_its_link_is_no_repository() {
    let storage = Storage::new();
    let hex = digest(b"1").hex();
    let link = storage.plant(
        &format!("repositories/a/_manifests/revisions/sha256/{hex}/link"),
        digest(b"1").to_string().as_bytes(),
    );
    let folder = storage.open();
    assert_eq!(folder.repositories(TREE, None, 9).unwrap(), [repo("a")]);

    fs::remove_file(link).unwrap();

    assert_eq!(folder.repositories(TREE, None, 9).unwrap(), []);
    assert_eq!(
        folder.repository_folders(TREE, None, 9).unwrap(),
        [repo("a")]
    );
    let name = repo("a");
    let link = Link::Revision {
        repo: &name,
        digest: &digest(b"1"),
    };
    assert_eq!(folder.read_link(TREE, &link).unwrap(), LinkText::Absent);
}

#[test]
fn a_blob_that_is_a_link_out_of_the_tree_is_absent_until_it_is_written() {
    let storage = Storage::new();
    let (folder, outside, one) = (storage.open(), storage.beside(), digest(b"1"));
    let (hex, target) = (one.hex(), outside.path().join("data"));
    folder.write_blob(&one, b"1").unwrap();
    let data = storage
        .v2()
        .join(format!("blobs/sha256/{}/{hex}/data", &hex[..2]));
    fs::rename(&data, &target).unwrap();
    symlink(&target, &data).unwrap();

    assert_eq!(folder.blob_size(&one).unwrap(), None);
    assert!(folder.open_blob(&one).unwrap().is_none());
    folder.write_blob(&one, b"1").unwrap();
    assert_eq!(folder.blob_size(&one).unwrap(), Some(1));
    assert!(data.symlink_metadata().unwrap().is_file());
    assert_eq!(fs::read(target).unwrap(), b"1");
}

#[test]
fn a_repository_that_is_a_link_out_of_the_tree_is_absent_and_never_changed() {
    let storage = Storage::new();
    let (folder, outside, name) = (storage.open(), storage.beside(), repo("a"));
    symlink(outside.path(), storage.v2().join("repositories/a")).unwrap();
    storage.plant("repositories/a/_manifests/tags/latest/current/link", b"1");
    storage.plant(&format!("{SESSION}/startedat"), b"1");
    storage.plant(&format!("{SESSION}/data"), b"1");

    assert_eq!(folder.tags(TREE, &name).unwrap(), []);
    assert_eq!(folder.repositories(TREE, None, 9).unwrap(), []);
    assert!(folder.resume_upload(&name, &session()).unwrap().is_none());
    begin(&folder, &name).unwrap_err();
    assert!(!folder.cancel_upload(&name, &session()).unwrap());
    let mut batch = folder.batch();
    batch.remove_tag(TREE, &name, &tag("latest"));
    batch.remove_repository_if_empty(TREE, &name);
    batch.finish().unwrap();
    assert!(
        outside
            .path()
            .join("_manifests/tags/latest/current/link")
            .is_file()
    );
    let uploads = outside.path().join("_uploads");
    assert_eq!(uploads.read_dir().unwrap().count(), 1);
}

#[test]
fn links_above_the_trees_are_the_administrators_and_followed() {
    let storage = Storage::new();
    let elsewhere = storage.beside();
    symlink(elsewhere.path(), storage.root().join("docker")).unwrap();
    let folder = storage.open();

    push(&folder, &repo("a"), b"bytes").unwrap();

    assert!(elsewhere.path().join("registry/v2/blobs/sha256").is_dir());
    assert_eq!(folder.blob_size(&digest(b"bytes")).unwrap(), Some(5));
}

#[test]
fn what_is_no_plain_file_is_no_blob() {
    let storage = Storage::new();
    let folder = storage.open();
    for (bytes, program) in [(b"1", "mkfifo"), (b"2", "mkdir")] {
        let hex = digest(bytes).hex();
        let data = storage.plant(&format!("blobs/sha256/{}/{hex}/data", &hex[..2]), b"");
        fs::remove_file(&data).unwrap();
        assert!(Command::new(program).arg(&data).status().unwrap().success());

        assert_eq!(folder.blob_size(&digest(bytes)).unwrap(), None);
        assert!(folder.open_blob(&digest(bytes)).unwrap().is_none());
    }
}
