//! People go back: what was pushed here is served by the registries that they came from.

use std::path::Path;

use boxyard_testkit::{Blob, Client, media_type};
use serde_json::json;
use tempfile::TempDir;

use crate::content::{image, push_everything, push_inexpressible, push_sha512_image};
use crate::peer::{PEERS, after, visit};
use crate::served::{Served, assert_alike, served};

/// A folder that was filled here, and what was served of it.
fn filled() -> (TempDir, Served) {
    let folder = TempDir::new().expect("make a folder");
    let seen = after(folder.path(), push_everything);
    assert!(seen.len() > 100);
    (folder, seen)
}

#[test]
fn everything_that_was_pushed_here_is_served_by_the_others_after_an_orderly_stop() {
    let (folder, before) = filled();

    for peer in PEERS {
        let seen = peer.visit(folder.path(), |client| served(client, folder.path()));

        assert_alike(&seen, &before, peer.version);
    }
    let back = visit(folder.path(), |client| served(client, folder.path()));
    assert_alike(&back, &before, "back here");
}

#[test]
fn what_was_deleted_here_stays_deleted_everywhere() {
    let (folder, _) = filled();
    let before = after(folder.path(), |client| {
        client.delete_tag("app", "oci").expect(202);
        client
            .delete_manifest("app/part", &image(10).manifest.digest)
            .expect(202);
        let gone = image(21).to_docker();
        client
            .delete_manifest("app-b", &gone.manifest.digest)
            .expect(202);
        for blob in gone.blobs() {
            client.delete_blob("app-b", &blob.digest).expect(202);
        }
    });

    for peer in PEERS {
        let seen = peer.visit(folder.path(), |client| {
            client.get_manifest("app", "oci").expect(404);
            client.get_manifest("app", "oci-again").expect(200);
            client.get_manifest("app/part", "oci").expect(404);
            client.get_manifest("app-b", "docker").expect(404);
            served(client, folder.path())
        });
        assert_alike(&seen, &before, peer.version);
    }
}

#[test]
fn what_the_others_cannot_parse_does_not_disturb_them() {
    let (folder, _) = filled();
    let ours = after(folder.path(), push_inexpressible);

    for peer in PEERS {
        peer.visit(folder.path(), |client| {
            assert_eq!(client.tags("things"), ["image"], "{}", peer.version);
            client.pull_image("things", "image");
            client.get_manifest("things", "thing").expect(404);
        });
    }
    let back = visit(folder.path(), |client| served(client, folder.path()));
    assert_alike(&back, &ours, "back here");
}

/// A repository whose only manifest names nothing at all.
fn push_empty_index(client: &Client) {
    let empty = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [] });
    let empty = Blob::json(media_type::OCI_INDEX, &empty);
    client.put_manifest("empty", "latest", &empty).expect(201);
    client
        .put_manifest("alone", &empty.digest, &empty)
        .expect(201);
}

/// What remains must be whole: every tag leads to an image that can be pulled.
#[track_caller]
fn pull_every_tag(client: &Client) -> usize {
    let mut pulled = 0;
    for repo in client.catalog() {
        for tag in client.tags(&repo) {
            client.pull_image(&repo, &tag);
            pulled += 1;
        }
    }
    pulled
}

#[track_caller]
fn collected(root: &Path, before: &Served, seen: &Served) {
    assert!(seen.len() < before.len(), "something was collected");
    let ours = visit(root, |client| served(client, root));
    assert_alike(&ours, seen, "here");
}

#[test]
fn the_collectors_of_the_others_complete_and_afterwards_exactly_what_they_left_is_served() {
    for peer in PEERS {
        let (folder, _) = filled();
        let before = after(folder.path(), |client| {
            push_inexpressible(client);
            push_empty_index(client);
            push_sha512_image(client, "app", "long");
            client.delete_tag("app", "docker").expect(202);
            client
                .delete_manifest("app-b", &image(20).manifest.digest)
                .expect(202);
        });

        let said = peer.collect(folder.path());

        assert!(said.contains("eligible for deletion"), "{said}");
        let seen = peer.visit(folder.path(), |client| served(client, folder.path()));
        let ours = visit(folder.path(), |client| {
            // Nobody else knows of these: they went with their files.
            for tag in ["thing", "silent"] {
                client.get_manifest("things", tag).expect(404);
            }
            let mut ours = served(client, folder.path());
            ours.retain(|name, content| !(name.starts_with("things") && content == "unknown"));
            ours
        });
        assert!(
            seen.len() < before.len(),
            "{} collected nothing",
            peer.version
        );
        let mut expected = seen.clone();
        expected.insert("things tags".to_owned(), "image silent thing".to_owned());
        assert_alike(&ours, &expected, peer.version);
    }
}

#[test]
fn the_collector_of_3_1_1_leaves_every_tag_whole() {
    let peer = PEERS[1];
    let (folder, before) = filled();

    peer.collect(folder.path());

    let seen = peer.visit(folder.path(), |client| {
        assert!(pull_every_tag(client) > 20);
        served(client, folder.path())
    });
    collected(folder.path(), &before, &seen);
    visit(folder.path(), |client| assert!(pull_every_tag(client) > 20));
}

#[test]
fn collecting_here_what_was_collected_there_and_pushed_again_is_whole() {
    for peer in PEERS {
        let (folder, before) = filled();
        peer.collect(folder.path());

        let again = after(folder.path(), push_everything);

        assert_alike(&again, &before, peer.version);
        let there = peer.visit(folder.path(), |client| served(client, folder.path()));
        assert_alike(&there, &before, peer.version);
    }
}
