//! Uploads belong to who began them, also when the server has been started again meanwhile.

use boxyard_testkit::{Client, Noise, Setup, TestServer, Upload, sha256};
use serde_json::json;

use crate::{Users, logged_in, rule};

const REPO: &str = "team/app";

#[test]
fn an_upload_goes_on_after_a_restart_for_who_began_it_and_for_nobody_else() {
    let users = Users::of(&["alice", "bob"]);
    let rules = [
        rule("authenticated", "**", &["pull", "push"]),
        rule("anyone", "public/**", &["pull"]),
    ];
    let mut server = Setup::new()
        .config(&json!({ "auth": users.auth(), "access": rules }))
        .start();
    let blob = Noise::new(5).draw(3_000);
    let alice = logged_in(&server, "alice");
    let begun = alice.begin_upload(REPO).expect(202);
    let upload = after(&alice, &Upload::at(&begun), &blob[..1_000]);

    server.restart();
    refuse(&server, &upload, 1_000);
    let upload = after(&alice, &upload, &blob[1_000..2_000]);
    server.kill();
    server.start_again();
    refuse(&server, &upload, 2_000);

    let finished = alice.finish(&upload, &sha256(&blob), &blob[2_000..]);
    finished.expect(201);
    assert!(alice.get_blob(REPO, &sha256(&blob)).expect(200).body == blob);
}

#[test]
fn an_upload_that_anybody_may_begin_goes_on_after_a_restart_for_whoever_may_push() {
    let users = Users::of(&["alice", "bob"]);
    let rules = [
        rule("anyone", "open/**", &["pull", "push"]),
        rule("bob", "team/**", &["*"]),
    ];
    let mut server = Setup::new()
        .config(&json!({ "auth": users.auth(), "access": rules }))
        .start();
    let blob = Noise::new(6).draw(2_000);
    let anybody = Client::of(&server);
    let begun = anybody.begin_upload("open/app").expect(202);
    let upload = after(&anybody, &Upload::at(&begun), &blob[..1_000]);

    server.restart();

    let alice = logged_in(&server, "alice");
    let upload = after(&alice, &upload, &blob[1_000..]);
    anybody.finish(&upload, &sha256(&blob), b"").expect(201);
}

/// Appends; the upload's owner may.
#[track_caller]
fn after(client: &Client, upload: &Upload, bytes: &[u8]) -> Upload {
    Upload::at(&client.patch(upload, None, bytes).expect(202))
}

/// Fails unless another user is told that there is no such upload, who is anonymous is asked who it is, and all is as before.
#[track_caller]
fn refuse(server: &TestServer, upload: &Upload, size: usize) {
    let (bob, anybody) = (logged_in(server, "bob"), Client::of(server));
    let digest = sha256("");
    for attempt in [
        bob.upload_status(upload),
        bob.patch(upload, None, b"more"),
        bob.finish(upload, &digest, b""),
        bob.cancel(upload),
    ] {
        attempt.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    }
    for attempt in [
        anybody.upload_status(upload),
        anybody.patch(upload, None, b"more"),
        anybody.finish(upload, &digest, b""),
        anybody.cancel(upload),
    ] {
        attempt.expect_error(401, "UNAUTHORIZED");
    }
    let status = logged_in(server, "alice").upload_status(upload).expect(204);
    assert_eq!(status.required("range"), format!("0-{}", size - 1));
}
