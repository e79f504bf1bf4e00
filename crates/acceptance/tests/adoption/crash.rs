//! After a crash, `boxyard settle` comes before another registry.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;

use boxyard_testkit::{Client, Setup, TestServer, eventually};

use crate::content::{image, push_everything};
use crate::peer::{PEERS, command};
use crate::served::{assert_alike, served};

/// What a server has acknowledged: the digest of each tag.
type Acknowledged = BTreeMap<String, String>;

/// Pushes from several clients until the server is killed under them; answers what they were told.
fn push_until_killed(server: &mut TestServer, rounds: u64) -> Acknowledged {
    let told = Mutex::new(Acknowledged::new());
    let client = Client::of(server);
    thread::scope(|scope| {
        for pusher in 0..4 {
            let (told, client) = (&told, &client);
            scope.spawn(move || {
                for round in rounds.. {
                    let tag = format!("tag-{pusher}-{}", round % 7);
                    let image = image(1000 + round * 4 + pusher);
                    if client.push_image("app", &tag, &image).status() != Some(201) {
                        // The last push of this client may have happened or not.
                        told.lock().expect("no pusher panics").remove(&tag);
                        return;
                    }
                    let digest = image.manifest.digest;
                    told.lock().expect("no pusher panics").insert(tag, digest);
                }
            });
        }
        eventually("some pushes", || {
            (told.lock().expect("no pusher panics").len() > 12).then_some(())
        });
        server.kill();
    });
    told.into_inner().expect("no pusher panics")
}

#[test]
fn after_a_crash_and_settle_the_others_serve_everything() {
    for peer in PEERS {
        let mut server = Setup::new().start();
        push_everything(&Client::of(&server));
        let told = push_until_killed(&mut server, 0);

        let said = command(&server, "settle");

        assert!(said.contains("the folder is up to date"), "{said}");
        let root = server.root().to_owned();
        let seen = peer.visit(&root, |client| {
            for (tag, digest) in &told {
                let found = client.get_manifest("app", tag).expect(200);
                assert_eq!(found.required("docker-content-digest"), digest, "{tag}");
                client.pull_image("app", tag);
            }
            served(client, &root)
        });
        server.start_again();
        assert_alike(&served(&Client::of(&server), &root), &seen, peer.version);
    }
}

#[test]
fn a_delete_before_a_crash_stays_a_delete_after_settle() {
    for peer in PEERS {
        let mut server = Setup::new().start();
        let client = Client::of(&server);
        push_everything(&client);
        server.restart();
        client.delete_tag("app", "oci").expect(202);
        let gone = image(20).manifest.digest;
        client.delete_manifest("app-b", &gone).expect(202);
        client.push_image("app", "last", &image(600)).expect(201);
        server.kill();

        command(&server, "settle");

        peer.visit(server.root(), |client| {
            client.get_manifest("app", "oci").expect(404);
            client.get_manifest("app-b", &gone).expect(404);
            client.pull_image("app", "last");
        });
        server.start_again();
        client.get_manifest("app", "oci").expect(404);
        client.get_manifest("app-b", "oci").expect(404);
        client.pull_image("app", "last");
    }
}

#[test]
fn the_collectors_complete_after_a_crash_and_settle() {
    for peer in PEERS {
        let mut server = Setup::new().start();
        let told = push_until_killed(&mut server, 0);
        command(&server, "settle");

        peer.collect(server.root());

        let root = server.root().to_owned();
        let seen = peer.visit(&root, |client| served(client, &root));
        server.start_again();
        let client = Client::of(&server);
        assert_alike(&served(&client, &root), &seen, peer.version);
        for tag in told.keys() {
            client.pull_image("app", tag);
        }
    }
}
