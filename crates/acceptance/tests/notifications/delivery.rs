//! Events arrive, whatever becomes of the receiver and of the registry in between.

use std::time::{Duration, Instant};

use boxyard_acceptance::{Answer, Heard, Receiver};
use boxyard_testkit::{Blob, Client, Setup, TestServer, eventually};
use serde_json::{Value, json};

fn endpoint(name: &str, receiver: &Receiver) -> Value {
    json!({
        "name": name,
        "url": receiver.url(&format!("/{name}")),
        "timeout": "500ms",
        "threshold": 3,
        "backoff": "50ms",
    })
}

fn telling(endpoints: &[Value]) -> Setup {
    Setup::new().config(&json!({ "notifications": { "endpoints": endpoints } }))
}

fn blob(number: usize) -> Blob {
    Blob::new("application/octet-stream", format!("blob {number}"))
}

fn push(client: &Client, numbers: std::ops::Range<usize>) {
    for number in numbers {
        client.push_blob("app", &blob(number)).expect(201);
    }
}

/// The blobs that were told of, in the order of their telling, each as often as it was told.
fn numbers(heard: &[Heard]) -> Vec<usize> {
    let digests: Vec<_> = (0..200).map(|number| blob(number).digest).collect();
    let number = |heard: &Heard| {
        let digest = heard.event()["target"]["digest"].clone();
        digests.iter().position(|known| digest == *known)
    };
    heard.iter().filter_map(number).collect()
}

/// The same without repetitions that follow each other, and every repetition must be of the same event.
fn distinct(heard: &[Heard]) -> Vec<usize> {
    let mut distinct = numbers(heard);
    distinct.dedup();
    for pair in heard.windows(2) {
        let [one, other] = pair else { unreachable!() };
        let same = one.event()["target"]["digest"] == other.event()["target"]["digest"];
        assert!(
            !same || one.body == other.body,
            "{} {}",
            one.body,
            other.body
        );
    }
    distinct
}

fn until_last(receiver: &Receiver, number: usize) -> Vec<Heard> {
    let digest = blob(number).digest;
    receiver.wait_for("the last notification", |heard| {
        heard.body.contains(&digest)
    });
    receiver.heard()
}

#[test]
fn events_wait_in_order_for_a_receiver_that_is_down() {
    let receiver = Receiver::start();
    let server = telling(&[endpoint("a", &receiver)]).start();
    let client = Client::of(&server);
    let address = receiver.address();

    push(&client, 0..1);
    until_last(&receiver, 0);
    drop(receiver);
    push(&client, 1..40);
    let receiver = Receiver::at(address);
    push(&client, 40..41);

    let heard = until_last(&receiver, 40);
    assert_eq!(numbers(&heard), (1..41).collect::<Vec<_>>());
    let log = server.log();
    assert!(log.contains("takes no notifications"), "{log}");
    assert!(log.contains("takes notifications again"), "{log}");
}

#[test]
fn refusals_are_tried_again_with_the_same_id() {
    let receiver = Receiver::start();
    receiver.answer(Answer::FirstThen(503, 202));
    let server = telling(&[endpoint("a", &receiver)]).start();

    push(&Client::of(&server), 0..5);

    let heard = until_last(&receiver, 4);
    assert_eq!(distinct(&heard), [0, 1, 2, 3, 4]);
    assert!(heard.len() >= 9, "{}", heard.len());
}

#[test]
fn undelivered_events_survive_an_orderly_stop_and_a_crash() {
    let receiver = Receiver::start();
    receiver.answer(Answer::Status(500));
    let mut server = telling(&[endpoint("a", &receiver)]).start();
    let client = Client::of(&server);

    push(&client, 0..10);
    server.restart();
    push(&client, 10..20);
    server.kill();
    server.start_again();
    push(&client, 20..21);
    let refused = receiver.heard().len();
    receiver.answer(Answer::Status(200));

    until_last(&receiver, 20);
    let heard = receiver.heard();
    let ids: Vec<_> = heard
        .iter()
        .map(|heard| heard.event()["id"].clone())
        .collect();
    assert_eq!(distinct(&heard[refused..]), (0..21).collect::<Vec<_>>());
    // What was refused all the time was one and the same event.
    assert!(ids[..refused].iter().all(|id| *id == ids[refused]));
}

#[test]
fn a_crash_in_the_middle_of_a_delivery_loses_nothing() {
    let receiver = Receiver::start();
    let mut server = telling(&[endpoint("a", &receiver)]).start();
    let client = Client::of(&server);

    let mut pushed = 0;
    for round in 1..=5 {
        push(&client, pushed..pushed + 12);
        pushed += 12;
        // It dies while some are told and some are not.
        eventually("some of them", || {
            (numbers(&receiver.heard()).len() > 3 * round).then_some(())
        });
        server.kill();
        server.start_again();
    }
    push(&client, pushed..pushed + 1);

    let mut told = numbers(&until_last(&receiver, pushed));
    told.sort_unstable();
    told.dedup();
    assert_eq!(told, (0..=pushed).collect::<Vec<_>>());
}

#[test]
fn beyond_the_bound_the_oldest_events_are_dropped_and_pushes_go_on() {
    let receiver = Receiver::start();
    receiver.answer(Answer::Status(500));
    let server = telling(&[endpoint("a", &receiver)])
        .config(&json!({ "boxyard": { "notifications": { "events": 10 } } }))
        .start();
    let client = Client::of(&server);

    push(&client, 0..50);
    let refused = receiver.heard().len();
    receiver.answer(Answer::Status(200));

    let heard = until_last(&receiver, 49);
    let told = distinct(&heard[refused..]);
    // One may have been on its way already.
    assert_eq!(told[told.len() - 10..], (40..50).collect::<Vec<_>>());
    assert!(told.len() <= 12, "{told:?}");
    // It counts them when it looks what waits, which may be after it has told of the last one.
    eventually("a word about what was dropped", || {
        server
            .log()
            .contains("the oldest were dropped")
            .then_some(())
    });
}

#[test]
fn slow_and_hostile_receivers_hold_up_neither_pushes_nor_other_receivers() {
    let (silent, endless, good) = (Receiver::start(), Receiver::start(), Receiver::start());
    silent.answer(Answer::Silence);
    endless.answer(Answer::Endless);
    let mut server = telling(&[
        endpoint("silent", &silent),
        endpoint("endless", &endless),
        endpoint("good", &good),
    ])
    .start();
    let client = Client::of(&server);

    let began = Instant::now();
    push(&client, 0..20);
    let took = began.elapsed();

    assert_eq!(numbers(&until_last(&good, 19)), (0..20).collect::<Vec<_>>());
    assert_eq!(
        distinct(&until_last(&endless, 19)),
        (0..20).collect::<Vec<_>>()
    );
    assert_eq!(distinct(&silent.heard()), [0]);
    assert!(took.as_secs() < 10, "{took:?}");
    server.stop();
}

#[test]
fn pulls_do_not_wait_for_a_receiver_that_never_answers() {
    const PULLS: u32 = 200;
    let silent = Receiver::start();
    silent.answer(Answer::Silence);
    let server = telling(&[endpoint("silent", &silent)]).start();
    let client = Client::of(&server);
    let image = boxyard_testkit::Image::with_layers(1, &[10]);
    client.push_image("app", "latest", &image).expect(201);
    eventually("the receiver to be told", || {
        (!silent.heard().is_empty()).then_some(())
    });

    let began = Instant::now();
    for _ in 0..PULLS {
        client.get_manifest("app", "latest").expect(200);
    }
    let took = began.elapsed();

    // To wait for the receiver would take half a second for each.
    assert!(took < Duration::from_millis(500) * PULLS / 5, "{took:?}");
}

#[test]
fn a_dead_endpoint_does_not_keep_another_from_its_events() {
    let (dead, alive) = (Receiver::start(), Receiver::start());
    let endpoints = [endpoint("dead", &dead), endpoint("alive", &alive)];
    drop(dead);
    let server = telling(&endpoints).start();

    push(&Client::of(&server), 0..30);

    assert_eq!(
        numbers(&until_last(&alive, 29)),
        (0..30).collect::<Vec<_>>()
    );
}

#[test]
fn what_an_endpoint_ignores_it_is_not_told() {
    let receiver = Receiver::start();
    let mut ignoring = endpoint("a", &receiver);
    ignoring["ignoredmediatypes"] = json!(["application/vnd.oci.image.manifest.v1+json"]);
    ignoring["ignore"] = json!({ "actions": ["pull", "delete"], "mediatypes": ["x/y"] });
    let server = telling(&[ignoring]).start();
    let client = Client::of(&server);
    let image = boxyard_testkit::Image::with_layers(1, &[10]);

    client.push_image("app", "latest", &image).expect(201);
    client.pull_image("app", "latest");
    client.delete_tag("app", "latest").expect(202);
    client
        .mount("b", &image.config.digest, Some("app"))
        .expect(201);
    push(&client, 1..2);

    let heard = until_last(&receiver, 1);
    let actions: Vec<_> = heard
        .iter()
        .map(|heard| heard.event()["action"].clone())
        .collect();
    assert_eq!(actions, ["push", "push", "mount", "push"]);
}

#[test]
fn an_endpoint_that_comes_later_hears_only_of_what_is_new_and_one_that_goes_leaves_nothing() {
    let (old, new) = (Receiver::start(), Receiver::start());
    old.answer(Answer::Status(500));
    let folder = tempfile::tempdir().expect("make a folder");
    let serve = |endpoints: &[Value]| telling(endpoints).root(folder.path()).start();
    let again = |mut server: TestServer, endpoints: &[Value]| {
        server.stop();
        serve(endpoints)
    };

    let server = serve(&[endpoint("old", &old)]);
    push(&Client::of(&server), 0..5);
    let server = again(server, &[endpoint("new", &new)]);
    push(&Client::of(&server), 5..6);
    let heard = until_last(&new, 5);
    let log = server.log();
    old.answer(Answer::Status(200));
    let before = old.heard().len();
    let server = again(server, &[endpoint("old", &old)]);
    push(&Client::of(&server), 6..7);
    until_last(&old, 6);

    assert_eq!(numbers(&heard), [5]);
    assert!(
        log.contains("not configured any more") && log.contains("dropped=5"),
        "{log}"
    );
    assert_eq!(numbers(&old.heard()[before..]), [6]);
}

#[test]
fn redirects_are_followed_only_where_secrets_may_go() {
    let (receiver, elsewhere) = (Receiver::start(), Receiver::start());
    let mut secret = endpoint("a", &receiver);
    secret["headers"] =
        json!({ "Authorization": ["Bearer a-secret"], "X-Token": "another-secret" });
    let server = telling(&[secret]).start();
    let client = Client::of(&server);

    receiver.answer(Answer::Redirect(307, elsewhere.url("/stolen")));
    push(&client, 0..1);
    eventually("the reason", || {
        server
            .log()
            .contains("sends events on to another address")
            .then_some(())
    });
    receiver.answer(Answer::Redirect(302, elsewhere.url("/stolen")));
    push(&client, 1..2);
    until_last(&receiver, 1);
    receiver.answer(Answer::Redirect(308, "/elsewhere".to_owned()));
    push(&client, 2..3);
    let followed = receiver.wait_for("the new path", |heard| heard.line.contains("/elsewhere"));
    receiver.answer(Answer::Status(200));
    push(&client, 3..4);
    until_last(&receiver, 3);

    assert!(elsewhere.heard().is_empty());
    assert_eq!(followed.header("x-token"), Some("another-secret"));
    for secret in ["a-secret", "another-secret"] {
        assert!(!server.log().contains(secret));
    }
}
