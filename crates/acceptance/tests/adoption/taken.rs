//! A folder that another registry has filled is taken as it is.

use boxyard_testkit::{Blob, Client, Noise, Setup, TestServer, eventually};
use tempfile::TempDir;

use crate::content::{REPOSITORIES, image, push_everything, push_sha512, push_sha512_image};
use crate::peer::{PEERS, Peer, after, command, visit};
use crate::served::{Served, assert_alike, served};

/// A folder that the other registry has filled, and what that served of it.
fn filled(peer: Peer) -> (TempDir, Served) {
    let folder = TempDir::new().expect("make a folder");
    let seen = peer.visit(folder.path(), |client| {
        push_everything(client);
        served(client, folder.path())
    });
    assert!(seen.len() > 100, "{} served too little", peer.version);
    (folder, seen)
}

/// Waits until the whole folder has been compared.
fn wait_for_the_comparison(server: &TestServer) {
    eventually("the folder to be compared", || {
        let done = "the database and the folder agree";
        server.log().contains(done).then_some(())
    });
}

#[test]
fn a_folder_of_another_registry_is_served_in_place_at_once() {
    for peer in PEERS {
        let (folder, before) = filled(peer);
        let mut server = Setup::new().root(folder.path()).start();
        let client = Client::of(&server);

        assert_alike(&served(&client, folder.path()), &before, peer.version);

        wait_for_the_comparison(&server);
        assert_alike(&served(&client, folder.path()), &before, peer.version);
        server.restart();
        assert_alike(&served(&client, folder.path()), &before, peer.version);
        server.stop();
        let back = peer.visit(folder.path(), |client| served(client, folder.path()));
        assert_alike(&back, &before, peer.version);
    }
}

#[test]
fn the_catalog_of_a_folder_of_another_registry_is_in_bytewise_order_from_the_first_request() {
    for peer in PEERS {
        let (folder, _) = filled(peer);
        let mut names = REPOSITORIES.to_vec();
        names.extend(["mounted", "untagged"]);
        names.sort_unstable();

        visit(folder.path(), |client| {
            assert_eq!(client.catalog(), names, "{}", peer.version);
            let page = client.get("/v2/_catalog?n=2&last=app").expect(200);
            assert_eq!(
                page.json()["repositories"],
                serde_json::json!(["app-b", "app/part"])
            );
            assert!(page.next_page().is_some());
        });
    }
}

#[test]
fn many_tags_of_another_registry_are_listed_in_pages() {
    for peer in PEERS {
        let folder = TempDir::new().expect("make a folder");
        let mut tags: Vec<String> = (0..120).map(|number| format!("v{number}")).collect();
        peer.visit(folder.path(), |client| {
            client.push_image("app", "v0", &image(1)).expect(201);
            for tag in &tags[1..] {
                let tagged = client.put_manifest("app", tag, &image(1).manifest);
                tagged.expect(201);
            }
        });
        tags.sort();

        visit(folder.path(), |client| {
            assert_eq!(client.tags("app"), tags);
            let page = client.get("/v2/app/tags/list?n=50&last=v1").expect(200);
            assert_eq!(page.json()["tags"], serde_json::json!(tags[2..52]));
            assert!(page.next_page().is_some());
        });
    }
}

#[test]
fn referrers_and_deletes_work_on_a_folder_that_was_not_compared() {
    for peer in PEERS {
        let (folder, _) = filled(peer);
        let subject = image(0).manifest.digest;

        visit(folder.path(), |client| {
            assert_eq!(client.referrers("app", &subject).len(), 1);
            client.delete_tag("app", "oci-again").expect(202);
            client
                .delete_manifest("app-b", &image(20).manifest.digest)
                .expect(202);
        });

        visit(folder.path(), |client| {
            assert_eq!(
                client.tags("app"),
                ["docker", "index", "list", "oci", "silent", "silent-index"]
            );
            assert_eq!(
                client.tags("app-b"),
                ["docker", "index", "list", "silent", "silent-index"]
            );
        });
        peer.visit(folder.path(), |client| {
            let mut tags = client.tags("app-b");
            tags.sort();
            assert_eq!(
                tags,
                ["docker", "index", "list", "silent", "silent-index"],
                "{}",
                peer.version
            );
            client.get_manifest("app", "oci-again").expect(404);
            client.get_manifest("app", "oci").expect(200);
        });
    }
}

#[test]
fn blobs_that_another_registry_took_by_sha512_are_served_by_both_names() {
    for peer in PEERS {
        let folder = TempDir::new().expect("make a folder");
        let blob = Blob::new("application/octet-stream", Noise::new(7).draw(5000));
        let alias = peer.visit(folder.path(), |client| push_sha512(client, "app", &blob));

        for _ in 0..2 {
            visit(folder.path(), |client| {
                for name in [&alias, &blob.digest] {
                    let found = client.get_blob("app", name).expect(200);
                    assert_eq!(found.body, blob.bytes, "{name} of {}", peer.version);
                    assert_eq!(found.required("docker-content-digest"), name);
                }
                client.mount("other", &alias, Some("app")).expect(201);
                client.get_blob("other", &alias).expect(200);
            });
        }
        peer.visit(folder.path(), |client| {
            assert_eq!(
                client.get_blob("other", &alias).expect(200).body,
                blob.bytes
            );
        });
    }
}

#[test]
fn an_image_with_digests_by_sha512_is_taken_from_where_it_can_be_pushed() {
    let folder = TempDir::new().expect("make a folder");
    let digest = visit(folder.path(), |client| {
        push_sha512_image(client, "app", "long")
    });

    for peer in PEERS {
        peer.visit(folder.path(), |client| {
            let found = client.get_manifest("app", "long").expect(200);
            assert_eq!(
                found.required("docker-content-digest"),
                digest,
                "{}",
                peer.version
            );
            client.pull_image("app", &digest);
        });
    }
}

#[test]
fn adopt_reads_a_folder_ahead() {
    for peer in PEERS {
        let (folder, before) = filled(peer);
        let mut server = Setup::new().root(folder.path()).start();
        server.stop();
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(folder.path().join(format!("boxyard.db{suffix}")));
        }

        let said = command(&server, "adopt");

        assert!(said.contains("read 6 repositories with 29 tags"), "{said}");
        server.start_again();
        assert_alike(
            &served(&Client::of(&server), folder.path()),
            &before,
            peer.version,
        );
        server.stop();
        assert!(command(&server, "findings").contains("no findings"));
    }
}

#[test]
fn a_lost_database_is_rebuilt_while_the_server_serves() {
    let (folder, _) = filled(PEERS[1]);
    let before = after(folder.path(), |client| {
        client.push_image("app", "ours", &image(300)).expect(201);
        crate::content::push_inexpressible(client);
    });
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.path().join(format!("boxyard.db{suffix}")));
    }

    let server = Setup::new().root(folder.path()).start();
    let client = Client::of(&server);

    assert_alike(&served(&client, folder.path()), &before, "here");
    wait_for_the_comparison(&server);
    assert_alike(&served(&client, folder.path()), &before, "here");
}
