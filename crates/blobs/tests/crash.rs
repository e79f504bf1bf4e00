//! Each operation of several steps, ended after each of them and then repeated.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod support;

use std::io;
use std::sync::Arc;

use boxyard_blobs::testing::CrashAt;
use boxyard_blobs::{Folder, Link, LinkText, Syncing, Tree, UploadId};
use boxyard_oci::{Digest, RepoName, Tag};
use support::{Storage, begin, content, crash_everywhere, digest, noon, push, remove, repo, tag};

const TREE: Tree = Tree::Distribution;

/// One that was cut short leads nowhere, like an absent one: who asks for it knows that it is still to be written.
fn leads(folder: &Folder, link: &Link<'_>) -> Option<Digest> {
    match folder.read_link(TREE, link).unwrap() {
        LinkText::Absent | LinkText::Garbled => None,
        LinkText::To(digest) => Some(digest),
    }
}

/// A manifest with one layer, and the tag that names it.
struct Image {
    repo: RepoName,
    tag: Tag,
    layer: Digest,
    manifest: Digest,
}

const MANIFEST: &[u8] = b"{\"manifest\":1}";

fn image(name: &str) -> Image {
    Image {
        repo: repo(name),
        tag: tag("latest"),
        layer: digest(b"layer"),
        manifest: digest(MANIFEST),
    }
}

impl Image {
    fn write(&self, folder: &Folder) -> io::Result<()> {
        let (repo, tag, digest) = (&self.repo, &self.tag, &self.manifest);
        let layer = &self.layer;
        let mut batch = folder.batch();
        batch.write_link(TREE, &Link::TagCurrent { repo, tag }, digest);
        batch.write_link(TREE, &Link::TagIndex { repo, tag, digest }, digest);
        batch.write_link(TREE, &Link::Revision { repo, digest }, digest);
        batch.write_link(
            TREE,
            &Link::Layer {
                repo,
                digest: layer,
            },
            layer,
        );
        batch.write_blob(digest, MANIFEST.into());
        batch.finish()
    }

    fn remove(&self, folder: &Folder) -> io::Result<()> {
        let mut batch = folder.batch();
        batch.remove_repository_if_empty(TREE, &self.repo);
        batch.remove_layer(TREE, &self.repo, &self.layer);
        batch.remove_revision(TREE, &self.repo, &self.manifest);
        batch.remove_tag(TREE, &self.repo, &self.tag);
        batch.finish()
    }

    /// Who finds a link finds what it leads to.
    fn assert_nothing_dangles(&self, folder: &Folder) {
        let (repo, tag, digest) = (&self.repo, &self.tag, &self.manifest);
        let layer = &self.layer;
        let current = leads(folder, &Link::TagCurrent { repo, tag }).is_some();
        let index = leads(folder, &Link::TagIndex { repo, tag, digest }).is_some();
        let revision = leads(folder, &Link::Revision { repo, digest }).is_some();
        let layer = leads(
            folder,
            &Link::Layer {
                repo,
                digest: layer,
            },
        )
        .is_some();
        let blob = content(folder, digest).is_some();
        assert!(
            !current || revision,
            "the tag names a manifest that is gone"
        );
        assert!(
            !index || revision,
            "the index names a manifest that is gone"
        );
        assert!(
            !revision || layer && blob,
            "the manifest names what is gone"
        );
    }

    fn assert_whole(&self, folder: &Folder) {
        let (repo, tag, digest) = (&self.repo, &self.tag, &self.manifest);
        self.assert_nothing_dangles(folder);
        assert_eq!(
            leads(folder, &Link::TagCurrent { repo, tag }),
            Some(*digest)
        );
        assert_eq!(folder.tag_index(repo, tag).unwrap(), [*digest]);
        assert!(folder.has_repository(TREE, repo).unwrap());
    }
}

#[test]
fn a_folder_is_made_whole_after_any_crash() {
    let is_usable = |folder: &Folder| push(folder, &repo("a"), b"blob").unwrap();

    crash_everywhere(|_| (), |_| Ok(()), is_usable, |_| ());
    for step in 0..40 {
        let storage = Storage::new();
        let _ = storage.open_with(Arc::new(CrashAt::new(step)));
        is_usable(&storage.open());
    }
}

#[test]
fn a_blob_is_written_whole_or_not_at_all() {
    let blob = digest(b"some bytes");

    crash_everywhere(
        |_| (),
        |folder| folder.write_blob(&blob, b"some bytes"),
        |folder| assert!(content(folder, &blob).is_none_or(|bytes| bytes == b"some bytes")),
        |folder| assert_eq!(content(folder, &blob).unwrap(), b"some bytes"),
    );
}

#[test]
fn a_damaged_blob_is_healed_or_stays_as_it_was() {
    let blob = digest(b"some bytes");

    crash_everywhere(
        |folder| folder.write_blob(&blob, b"some by").unwrap(),
        |folder| folder.write_blob(&blob, b"some bytes"),
        |folder| assert!(content(folder, &blob).is_some()),
        |folder| assert_eq!(content(folder, &blob).unwrap(), b"some bytes"),
    );
}

#[test]
fn the_folders_of_a_repository_are_made_without_anything_in_them() {
    let name = repo("library/app");

    crash_everywhere(
        |_| (),
        |folder| {
            let mut batch = folder.batch();
            batch.make_repository(Tree::Distribution, &name);
            batch.finish()
        },
        |folder| assert!(!folder.has_repository(Tree::Distribution, &name).unwrap()),
        |folder| {
            let path = folder
                .root()
                .join("docker/registry/v2/repositories/library/app");
            assert!(path.join("_layers").is_dir());
            assert!(path.join("_manifests/tags").is_dir());
        },
    );
}

#[test]
fn removed_blobs_leave_nothing_behind() {
    let contents = [b"some bytes".as_slice(), b"other bytes"];
    let blobs = contents.map(digest);

    crash_everywhere(
        |folder| {
            for (blob, bytes) in blobs.iter().zip(contents) {
                folder.write_blob(blob, bytes).unwrap();
            }
        },
        |folder| remove(folder, &blobs),
        |folder| {
            for (blob, bytes) in blobs.iter().zip(contents) {
                assert!(content(folder, blob).is_none_or(|read| read == bytes));
            }
        },
        |folder| assert_eq!(folder.blobs(None, 10).unwrap().0, []),
    );
}

#[test]
fn a_promoted_blob_is_whole_and_announced_from_before_its_name() {
    let (name, blob) = (repo("library/app"), digest(b"some bytes"));

    crash_everywhere(
        |_| (),
        |folder| push(folder, &name, b"some bytes"),
        |folder| {
            if let Some(bytes) = content(folder, &blob) {
                assert_eq!(bytes, b"some bytes");
                assert_eq!(folder.intents().unwrap(), [blob]);
            }
        },
        |folder| assert_eq!(content(folder, &blob).unwrap(), b"some bytes"),
    );
}

#[test]
fn a_session_exists_whole_or_is_cleared_like_an_old_one() {
    let name = repo("a");
    let check = |folder: &Folder| {
        for id in folder.uploads(&name).unwrap() {
            let size = folder.upload_size(&name, &id).unwrap();
            let resumed = folder.resume_upload(&name, &id).unwrap();
            assert_eq!(size, resumed.map(|upload| upload.size()));
            assert!(folder.upload_started(&name, &id).unwrap().is_some());
            assert!(folder.cancel_upload(&name, &id).unwrap());
        }
        assert_eq!(folder.uploads(&name).unwrap(), []);
    };

    crash_everywhere(
        |_| (),
        |folder| begin(folder, &name).and_then(|mut upload| upload.append(b"bytes")),
        check,
        |_| (),
    );
}

#[test]
fn a_cancelled_upload_is_gone_at_the_latest_when_it_is_cancelled_again() {
    let name = repo("a");
    let id: UploadId = "0fbfbd56-4d39-4e57-9b39-3d0b4a3f5c11".parse().unwrap();

    crash_everywhere(
        |folder| {
            let sidecar = boxyard_blobs::Sidecar::default();
            let begun = folder.begin_upload(&name, &id, &sidecar, noon());
            begun.unwrap().append(b"bytes").unwrap();
        },
        |folder| folder.cancel_upload(&name, &id).map(|_| ()),
        |folder| {
            let resumed = folder.resume_upload(&name, &id).unwrap();
            assert!(resumed.is_none_or(|upload| upload.size() == 5));
        },
        |folder| assert_eq!(folder.uploads(&name).unwrap(), []),
    );
}

#[test]
fn links_are_written_so_that_none_dangles() {
    let image = image("library/app");

    crash_everywhere(
        |folder| folder.write_blob(&image.layer, b"layer").unwrap(),
        |folder| image.write(folder),
        |folder| image.assert_nothing_dangles(folder),
        |folder| image.assert_whole(folder),
    );
}

#[test]
fn many_links_at_once_are_written_whole() {
    let name = repo("library/app");
    let layers: Vec<Digest> = (0..12_u8).map(|number| digest(&[number])).collect();
    let link = |digest| Link::Layer {
        repo: &name,
        digest,
    };

    crash_everywhere(
        |_| (),
        |folder| {
            let mut batch = folder.batch();
            for layer in &layers {
                batch.write_link(TREE, &link(layer), layer);
            }
            batch.finish()
        },
        |folder| {
            for layer in &layers {
                assert!(leads(folder, &link(layer)).is_none_or(|target| target == *layer));
            }
        },
        |folder| {
            let whole = |layer| leads(folder, &link(layer)) == Some(*layer);
            assert!(layers.iter().all(whole));
        },
    );
}

#[test]
fn what_is_written_side_by_side_leads_to_nothing_that_is_not_there() {
    let name = repo("library/app");
    let blobs: Vec<Vec<u8>> = (0..300_u32).map(|one| one.to_le_bytes().into()).collect();
    let write = |folder: &Folder| {
        folder.sync_by(Syncing::Whole);
        let mut batch = folder.batch();
        for bytes in &blobs {
            let (repo, digest) = (&name, &digest(bytes));
            batch.write_blob(digest, bytes.clone().into());
            batch.write_link(TREE, &Link::Layer { repo, digest }, digest);
        }
        batch.finish()
    };

    // Threads take their steps in another order each time, so some of the many places must do.
    for step in (0..).step_by(173) {
        let storage = Storage::new();
        let crash = Arc::new(CrashAt::new(step));
        let _ = storage
            .open_with(crash.clone())
            .and_then(|folder| write(&folder));
        let folder = storage.open();
        let has = |bytes: &Vec<u8>| {
            let (repo, digest) = (&name, &digest(bytes));
            let (blob, link) = (content(&folder, digest), Link::Layer { repo, digest });
            assert!(blob.as_ref().is_none_or(|blob| blob == bytes));
            let link = leads(&folder, &link);
            assert!(link.is_none() || blob.is_some(), "a link before its blob");
            link.is_some()
        };
        for bytes in &blobs {
            has(bytes);
        }

        write(&folder).unwrap();

        assert!(blobs.iter().all(has));
        storage.assert_nothing_unfinished();
        if !crash.has_crashed() {
            break;
        }
    }
}

#[test]
fn links_are_removed_so_that_none_dangles_and_no_repository_below_is_touched() {
    let (image, below) = (image("library/app"), image("library/app/below"));

    crash_everywhere(
        |folder| {
            image.write(folder).unwrap();
            below.write(folder).unwrap();
        },
        |folder| image.remove(folder),
        |folder| {
            image.assert_nothing_dangles(folder);
            below.assert_whole(folder);
        },
        |folder| {
            let names = folder.repository_folders(TREE, None, 10).unwrap();
            assert_eq!(names, std::slice::from_ref(&below.repo));
            below.assert_whole(folder);
        },
    );
}

#[test]
fn the_last_repository_takes_the_empty_folders_above_it_along() {
    let image = image("one/two/three");

    crash_everywhere(
        |folder| image.write(folder).unwrap(),
        |folder| image.remove(folder),
        |folder| image.assert_nothing_dangles(folder),
        |folder| {
            let repositories = folder.root().join("docker/registry/v2/repositories");
            assert_eq!(repositories.read_dir().unwrap().count(), 0);
        },
    );
}

#[test]
fn a_blob_in_a_batch_is_written_whole_or_not_at_all() {
    let blob = digest(b"some bytes");

    crash_everywhere(
        |_| (),
        |folder| {
            let mut batch = folder.batch();
            batch.write_blob(&blob, b"some bytes".as_slice().into());
            batch.finish()
        },
        |folder| assert!(content(folder, &blob).is_none_or(|bytes| bytes == b"some bytes")),
        |folder| assert_eq!(content(folder, &blob).unwrap(), b"some bytes"),
    );
}

#[test]
fn a_tag_moves_from_one_manifest_to_the_other() {
    let image = image("a");
    let second = digest(b"second");
    let (repo, tag) = (&image.repo, &image.tag);

    crash_everywhere(
        |folder| image.write(folder).unwrap(),
        |folder| {
            let mut batch = folder.batch();
            batch.write_link(TREE, &Link::TagCurrent { repo, tag }, &second);
            batch.finish()
        },
        |folder| {
            let named = leads(folder, &Link::TagCurrent { repo, tag }).unwrap();
            assert!([image.manifest, second].contains(&named));
        },
        |folder| assert_eq!(leads(folder, &Link::TagCurrent { repo, tag }), Some(second)),
    );
}

#[test]
fn a_generation_is_the_old_one_or_the_new_one() {
    crash_everywhere(
        |folder| folder.set_generation(7).unwrap(),
        |folder| folder.set_generation(8),
        |folder| assert!([Some(7), Some(8)].contains(&folder.generation().unwrap())),
        |folder| assert_eq!(folder.generation().unwrap(), Some(8)),
    );
}

#[test]
fn an_intent_ends_once() {
    let blob = digest(b"some bytes");

    crash_everywhere(
        |folder| push(folder, &repo("a"), b"some bytes").unwrap(),
        |folder| folder.end_intent(&blob),
        |folder| assert_eq!(content(folder, &blob).unwrap(), b"some bytes"),
        |folder| assert_eq!(folder.intents().unwrap(), []),
    );
}
