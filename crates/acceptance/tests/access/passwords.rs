//! The password file changes while the registry runs.

use std::fs::{self, File};
use std::os::unix::fs::symlink;

use boxyard_testkit::{Client, Setup, TestServer, eventually};
use serde_json::json;

use crate::{Users, logged_in, password, rule};

fn serve(users: &Users) -> TestServer {
    let rules = [
        rule("anyone", "public/**", &["pull"]),
        rule("authenticated", "**", &["*"]),
    ];
    Setup::new()
        .config(&json!({ "auth": users.auth(), "access": rules }))
        .start()
}

/// Waits until what was right is refused.
fn is_out(client: &Client) {
    eventually("the user to be out", || {
        (client.check().status() == Some(401)).then_some(())
    });
}

/// A client with a token of the registry's own.
fn with_token(server: &TestServer, user: &str) -> Client {
    let answer = logged_in(server, user).get("/v2/token").expect(200).json();
    let token = answer["token"].as_str().unwrap();
    Client::of(server).with_header("Authorization", &format!("Bearer {token}"))
}

#[test]
fn users_come_go_and_change_their_passwords_without_a_restart() {
    let users = Users::of(&["alice", "bob"]);
    let server = serve(&users);
    let (alice, bob) = (logged_in(&server, "alice"), logged_in(&server, "bob"));
    let (alices, bobs) = (with_token(&server, "alice"), with_token(&server, "bob"));
    for client in [&alice, &bob, &alices, &bobs] {
        client.check().expect(200);
    }
    logged_in(&server, "carol").check().expect(401);

    users.put("carol", &password("carol"));
    logged_in(&server, "carol").check().expect(200);

    users.delete("bob");
    for client in [&bob, &bobs] {
        is_out(client);
    }

    users.put("alice", "another word");
    for client in [&alice, &alices] {
        is_out(client);
    }
    let alice = Client::of(&server).with_login("alice", "another word");
    alice.check().expect(200);
    logged_in(&server, "carol").check().expect(200);
}

#[test]
fn a_broken_password_file_lets_the_old_users_in_and_is_told_once() {
    const TOLD: &str = "the password file has changed and cannot be used";
    let users = Users::of(&["alice", "bob"]);
    let mut server = serve(&users);
    server.allow_error(TOLD);
    logged_in(&server, "alice").check().expect(200);
    let good = fs::read_to_string(users.path()).unwrap();

    fs::write(users.path(), format!("{good}a line without a colon\n")).unwrap();
    eventually("the broken file to be told", || {
        server.log().contains(TOLD).then_some(())
    });
    // Each login that is new looks at the file again.
    logged_in(&server, "alice").check().expect(200);
    logged_in(&server, "bob").check().expect(200);
    for number in 0..5 {
        let guess = Client::of(&server).with_login("bob", &format!("guess {number}"));
        guess.check().expect(401);
    }
    let log = server.log();
    assert_eq!(log.matches(TOLD).count(), 1, "{log}");
    assert!(log.contains("line 3"), "{log}");

    fs::write(users.path(), good).unwrap();
    users.put("carol", &password("carol"));
    logged_in(&server, "carol").check().expect(200);
    let log = server.log();
    assert_eq!(log.matches(TOLD).count(), 1, "{log}");
}

#[test]
fn a_password_file_that_is_gone_changes_nothing_until_it_is_back() {
    const TOLD: &str = "the password file has changed and cannot be used";
    let users = Users::of(&["alice", "bob"]);
    let mut server = serve(&users);
    server.allow_error(TOLD);
    let good = fs::read(users.path()).unwrap();

    fs::remove_file(users.path()).unwrap();
    eventually("the missing file to be told", || {
        server.log().contains(TOLD).then_some(())
    });
    logged_in(&server, "bob").check().expect(200);
    assert!(!users.path().exists(), "it was made by nobody");

    fs::write(users.path(), good).unwrap();
    users.delete("bob");
    is_out(&logged_in(&server, "bob"));
    logged_in(&server, "alice").check().expect(200);
}

#[test]
fn a_password_file_of_the_same_length_and_time_that_is_renamed_into_place_is_read() {
    let users = Users::of(&["alice"]);
    let server = serve(&users);
    let alice = logged_in(&server, "alice");
    alice.check().expect(200);
    let others = Users::of(&["carol"]);
    let old = File::open(users.path()).unwrap().metadata().unwrap();
    let new = File::options().write(true).open(others.path()).unwrap();
    new.set_modified(old.modified().unwrap()).unwrap();
    assert_eq!(new.metadata().unwrap().len(), old.len());

    fs::rename(others.path(), users.path()).unwrap();

    is_out(&alice);
    logged_in(&server, "carol").check().expect(200);
}

#[test]
fn a_password_file_behind_a_link_that_is_swapped_is_read() {
    let (before, after) = (Users::of(&["alice"]), Users::of(&["carol"]));
    // This is how Kubernetes changes a secret.
    let folder = before.folder();
    let [data, new, path] = ["..data", "..data_new", "users"].map(|name| folder.join(name));
    symlink(before.folder(), &data).unwrap();
    symlink(data.join("htpasswd"), &path).unwrap();
    let auth = json!({ "htpasswd": { "realm": "test", "path": path } });
    let server = Setup::new().config(&json!({ "auth": auth })).start();
    let alice = logged_in(&server, "alice");
    alice.check().expect(200);

    symlink(after.folder(), &new).unwrap();
    fs::rename(&new, &data).unwrap();

    is_out(&alice);
    logged_in(&server, "carol").check().expect(200);
}
