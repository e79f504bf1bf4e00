//! The other registry works on the folder between two runs of this one.

use boxyard_testkit::{Client, Index};
use tempfile::TempDir;

use crate::content::{image, push_everything};
use crate::peer::{PEERS, Peer, after, visit};
use crate::served::{Served, assert_alike, served};

/// Pushes, moves and deletes, as clients of the other registry do.
fn work(peer: Peer, client: &Client) {
    client.push_image("app", "new", &image(400)).expect(201);
    client
        .push_image("new/app", "latest", &image(401))
        .expect(201);
    client.push_image("app", "oci", &image(402)).expect(201);
    client.tag("app", "docker", "index").expect(201);
    let index = Index::with_platforms(403, &["amd64", "arm64"]);
    client.push_index("app/part", "index", &index).expect(201);
    let digest = image(20).manifest.digest;
    client.delete_manifest("app-b", &digest).expect(202);
    if peer.deletes_tags {
        client.delete_tag("app/part", "silent").expect(202);
        client.delete_tag("mounted", "latest").expect(202);
    }
    client
        .mount("team/new", &image(0).config.digest, Some("app"))
        .expect(201);
}

/// Compares what is served at once with what the other registry served last, and what the tree says later.
#[track_caller]
fn assert_same(peer: Peer, folder: &TempDir, seen: &Served) {
    for _ in 0..2 {
        let ours = visit(folder.path(), |client| served(client, folder.path()));
        assert_alike(&ours, seen, peer.version);
    }
}

#[test]
fn what_the_other_registry_did_in_between_is_what_is_served() {
    for peer in PEERS {
        let folder = TempDir::new().expect("make a folder");
        visit(folder.path(), push_everything);

        let seen = peer.visit(folder.path(), |client| {
            work(peer, client);
            served(client, folder.path())
        });

        assert_same(peer, &folder, &seen);
    }
}

#[test]
fn what_the_other_registry_collected_in_between_is_gone() {
    for peer in PEERS {
        let folder = TempDir::new().expect("make a folder");
        visit(folder.path(), push_everything);
        peer.visit(folder.path(), |client| work(peer, client));

        peer.collect(folder.path());

        let seen = peer.visit(folder.path(), |client| served(client, folder.path()));
        assert_same(peer, &folder, &seen);
    }
}

#[test]
fn both_take_turns_for_many_runs() {
    let folder = TempDir::new().expect("make a folder");
    for round in 0..3 {
        for (number, peer) in (0..).zip(PEERS) {
            let seed = 500 + round * 10 + number * 2;
            let ours = after(folder.path(), |client| {
                client.push_image("app", "ours", &image(seed)).expect(201);
                let tag = format!("ours-{seed}");
                client.tag("app", "ours", &tag).expect(201);
            });
            let theirs = peer.visit(folder.path(), |client| {
                assert_alike(&served(client, folder.path()), &ours, peer.version);
                client
                    .push_image("app", "theirs", &image(seed + 1))
                    .expect(201);
                let deleted = image(seed).manifest.digest;
                client.delete_manifest("app", &deleted).expect(202);
                served(client, folder.path())
            });
            if round == 1 {
                peer.collect(folder.path());
            }
            let there = peer.visit(folder.path(), |client| served(client, folder.path()));
            assert!(round == 1 || there == theirs);
            assert_same(peer, &folder, &there);
        }
    }
}
