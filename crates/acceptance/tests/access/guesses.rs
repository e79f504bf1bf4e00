//! Whoever guesses passwords is held up, wherever they are, and nobody else is.

use std::thread;
use std::time::{Duration, Instant};

use boxyard_testkit::http::Response;
use boxyard_testkit::{Client, Setup, TestServer};
use serde_json::{Value, json};

use crate::{Users, logged_in};

/// How many failures one address has with one user before it must wait.
const BURST: usize = 10;

fn serve(users: &Users, changes: &Value) -> TestServer {
    Setup::new()
        .config(&json!({ "auth": users.auth() }))
        .config(changes)
        .start()
}

/// A client that a proxy says is there.
fn behind(server: &TestServer, address: &str) -> Client {
    Client::of(server).with_header("X-Forwarded-For", address)
}

/// What guesses of the user's password are answered by, until one is held up.
fn guess(client: impl Fn() -> Client, user: &str) -> (usize, Response) {
    for count in 0..=2 * BURST {
        let guess = client().with_login(user, &format!("guess {count}"));
        let answer = guess.check().into_result().unwrap();
        if answer.status == 429 {
            return (count, answer);
        }
        assert_eq!(answer.status, 401);
    }
    panic!("nobody is held up");
}

#[test]
fn who_guesses_behind_a_trusted_proxy_is_held_up_and_who_else_is_there_is_not() {
    let users = Users::of(&["alice", "bob"]);
    let trusted = json!({ "boxyard": { "trustedproxies": ["127.0.0.1/32"] } });
    let server = serve(&users, &trusted);

    let (count, answer) = guess(|| behind(&server, "192.0.2.7"), "alice");

    assert!((BURST..BURST + 3).contains(&count), "{count}");
    assert_eq!(answer.error_codes(), ["TOOMANYREQUESTS"]);
    let wait: u64 = answer.required("retry-after").parse().unwrap();
    assert!((1..=7).contains(&wait), "{wait}");
    // The right password does not help there, but it does anywhere else, and so does another user there.
    let alice = |address| behind(&server, address).with_login("alice", "word-of-alice");
    alice("192.0.2.7").check().expect(429);
    alice("192.0.2.8").check().expect(200);
    let bob = behind(&server, "192.0.2.7").with_login("bob", "word-of-bob");
    bob.check().expect(200);
    // Now that it was right somewhere, it is known, and nobody who has it is held up.
    alice("192.0.2.7").check().expect(200);
}

#[test]
fn a_forged_address_does_not_help_who_guesses() {
    let users = Users::of(&["alice"]);
    let server = serve(&users, &json!({}));
    let next = std::cell::Cell::new(0);

    let (count, _) = guess(
        || {
            next.set(next.get() + 1);
            behind(&server, &format!("192.0.2.{}", next.get()))
        },
        "alice",
    );

    assert!((BURST..BURST + 3).contains(&count), "{count}");
}

#[test]
fn what_who_guesses_says_through_a_trusted_proxy_does_not_help() {
    for forge in [
        // The proxy adds where the client is to what the client says.
        |server: &TestServer, number: u32| {
            behind(server, &format!("198.51.100.{number}, 192.0.2.7"))
        },
        |server: &TestServer, number: u32| {
            let told = format!("for=198.51.100.{number}");
            behind(server, "192.0.2.7").with_header("Forwarded", &told)
        },
        |server: &TestServer, number: u32| {
            let told = format!("198.51.100.{number}");
            behind(server, "192.0.2.7").with_header("X-Real-IP", &told)
        },
    ] {
        let users = Users::of(&["alice", "bob"]);
        let trusted = json!({ "boxyard": { "trustedproxies": ["127.0.0.1/32"] } });
        let server = serve(&users, &trusted);
        let next = std::cell::Cell::new(0);

        let (count, _) = guess(
            || {
                next.set(next.get() + 1);
                forge(&server, next.get())
            },
            "alice",
        );

        assert!((BURST..BURST + 3).contains(&count), "{count}");
        let elsewhere = behind(&server, "192.0.2.8").with_login("alice", "word-of-alice");
        elsewhere.check().expect(200);
    }
}

#[test]
fn a_name_that_is_nobodys_is_answered_like_one_that_is_somebodys() {
    let users = Users::of(&["alice"]);
    let server = serve(&users, &json!({}));

    let [known, unknown] = ["alice", "nobody"].map(|user| {
        let wrong = Client::of(&server).with_login(user, "wrong");
        let answer = wrong.check().expect(401);
        let challenge = answer.required("www-authenticate").to_owned();
        (challenge, answer.text())
    });

    assert_eq!(known, unknown);
    let [known, unknown] =
        ["alice", "nobody"].map(|user| guess(|| Client::of(&server), user).1.error_codes());
    assert_eq!(known, unknown);
}

#[test]
fn forms_and_queries_for_tokens_count_as_guesses_too() {
    let users = Users::of(&["alice"]);
    let server = serve(&users, &json!({}));
    let statuses = (0..2 * BURST).map(|number| {
        if number % 2 == 0 {
            let wrong = Client::of(&server).with_login("alice", &format!("guess {number}"));
            return wrong.get("/v2/token?service=x").status().unwrap();
        }
        let form = format!("grant_type=password&username=alice&password=guess{number}");
        let client = Client::of(&server);
        let request = client.request("POST", "/v2/token").bytes(form);
        let answer = client.send(request).into_result().unwrap();
        if answer.status == 429 {
            answer.required("retry-after");
        }
        answer.status
    });

    let statuses: Vec<u16> = statuses.collect();

    assert_eq!(statuses[..BURST], [401; BURST]);
    assert_eq!(*statuses.last().unwrap(), 429);
}

#[test]
fn others_log_in_as_fast_as_ever_while_many_guess() {
    let users = Users::of(&["alice", "bob"]);
    let server = serve(&users, &json!({}));
    let _held_up = guess(|| Client::of(&server), "alice");

    thread::scope(|scope| {
        let guesses = (0..8).map(|number| {
            let server = &server;
            scope.spawn(move || {
                for count in 0..50 {
                    let word = format!("guess {number} {count}");
                    let guess = Client::of(server).with_login("alice", &word);
                    assert!(matches!(guess.check().status(), Some(401 | 429)));
                }
            })
        });
        let guesses: Vec<_> = guesses.collect();
        let began = Instant::now();
        logged_in(&server, "bob").check().expect(200);
        assert!(began.elapsed() < Duration::from_secs(5));
        for guess in guesses {
            guess.join().unwrap();
        }
    });
    logged_in(&server, "bob").check().expect(200);
}
