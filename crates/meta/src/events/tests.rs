use std::sync::Arc;

use boxyard_oci::Tag;
use bytes::Bytes;

use crate::{
    Backlog, CommitManifest, Event, MetaError, Receiver,
    testing::{Database, Script, digest, image, repo, tag},
};

fn receiver(name: &str) -> Receiver {
    bounded(name, 100, 10_000)
}

fn bounded(name: &str, most_events: u64, most_bytes: u64) -> Receiver {
    let name = name.to_owned();
    Receiver {
        name,
        most_events,
        most_bytes,
    }
}

fn event(receiver: &str, payload: &str) -> Event {
    Event {
        receiver: receiver.to_owned(),
        payload: Bytes::from(payload.to_owned()),
    }
}

impl Database {
    async fn keep(&self, receivers: &[Receiver]) -> Vec<(String, u64)> {
        self.meta.keep_receivers(receivers.to_vec()).await.unwrap()
    }

    async fn record(&self, receiver: &str, payloads: &[&str]) {
        let events = payloads.iter().map(|payload| event(receiver, payload));
        self.meta.record_events(events.collect()).await.unwrap();
    }

    async fn pending(&self, receiver: &str) -> Vec<String> {
        let pending = self.meta.pending_events(receiver, 100).await.unwrap();
        pending
            .iter()
            .map(|event| String::from_utf8_lossy(&event.payload).into_owned())
            .collect()
    }

    async fn hold(&self, content: &str, events: Vec<Event>) -> Result<(), MetaError> {
        let (to, blob) = (repo("app"), digest(content));
        self.meta.hold_blob(&to, &blob, 1, None, events).await
    }

    async fn end_first(&self, receiver: &str) {
        let first = self.meta.pending_events(receiver, 1).await.unwrap();
        let first = [first[0].sequence];
        self.meta.end_events(receiver, &first).await.unwrap();
    }

    async fn waiting_for(&self, receiver: &str) -> Backlog {
        self.meta.backlog(receiver).await.unwrap()
    }
}

#[tokio::test]
async fn events_wait_in_the_order_in_which_they_happened_until_they_are_ended() {
    let db = Database::new();
    db.keep(&[receiver("a"), receiver("b")]).await;

    db.record("a", &["one", "two"]).await;
    db.record("b", &["other"]).await;
    db.record("a", &["three"]).await;
    db.end_first("a").await;

    assert_eq!(db.pending("a").await, ["two", "three"]);
    assert_eq!(db.pending("b").await, ["other"]);
    let left = Backlog {
        events: 2,
        bytes: 8,
    };
    assert_eq!(db.waiting_for("a").await, left);
}

#[tokio::test]
async fn what_waits_outlives_a_restart_and_stays_before_what_comes() {
    let db = Database::new();
    db.keep(&[receiver("a")]).await;
    db.record("a", &["before"]).await;

    let db = db.reopen();
    db.keep(&[receiver("a")]).await;
    db.record("a", &["after"]).await;

    assert_eq!(db.pending("a").await, ["before", "after"]);
}

#[tokio::test]
async fn a_number_is_not_given_twice_while_its_event_may_be_on_its_way() {
    let db = Database::new();
    db.keep(&[bounded("a", 1, 100)]).await;
    db.record("a", &["one"]).await;
    let on_its_way = db.meta.pending_events("a", 1).await.unwrap()[0].sequence;

    db.record("a", &["two"]).await;
    db.meta.end_events("a", &[on_its_way]).await.unwrap();

    assert_eq!(db.pending("a").await, ["two"]);
}

#[tokio::test]
async fn too_many_events_push_the_oldest_out_and_are_counted_once() {
    let db = Database::new();
    db.keep(&[bounded("a", 2, 1_000)]).await;

    db.record("a", &["one", "two", "three", "four"]).await;

    assert_eq!(db.pending("a").await, ["three", "four"]);
    assert_eq!(db.meta.take_dropped("a").await.unwrap(), 2);
    assert_eq!(db.meta.take_dropped("a").await.unwrap(), 0);
}

#[tokio::test]
async fn too_many_bytes_push_the_oldest_out() {
    let db = Database::new();
    db.keep(&[bounded("a", 100, 10)]).await;

    db.record("a", &["12345", "67890", "x"]).await;

    assert_eq!(db.pending("a").await, ["67890", "x"]);
    let left = Backlog {
        events: 2,
        bytes: 6,
    };
    assert_eq!(db.waiting_for("a").await, left);
}

#[tokio::test]
async fn an_event_that_is_larger_than_the_bound_is_dropped_itself() {
    let db = Database::new();
    db.keep(&[bounded("a", 100, 3)]).await;

    db.record("a", &["much too long"]).await;

    assert_eq!(db.waiting_for("a").await, Backlog::default());
    assert_eq!(db.meta.take_dropped("a").await.unwrap(), 1);
}

#[tokio::test]
async fn a_bound_that_became_smaller_holds_for_what_waits_already() {
    let db = Database::new();
    db.keep(&[receiver("a")]).await;
    db.record("a", &["one", "two", "three"]).await;

    db.keep(&[bounded("a", 1, 1_000)]).await;

    assert_eq!(db.pending("a").await, ["three"]);
}

#[tokio::test]
async fn who_is_no_receiver_any_more_loses_what_waited_and_gets_nothing_of_before_when_it_returns()
{
    let db = Database::new();
    db.keep(&[receiver("a"), receiver("b")]).await;
    db.record("a", &["one", "two"]).await;

    let gone = db.keep(&[receiver("b")]).await;
    db.record("a", &["unheard"]).await;
    db.keep(&[receiver("a"), receiver("b")]).await;

    assert_eq!(gone, [("a".to_owned(), 2)]);
    assert!(db.pending("a").await.is_empty());
}

#[tokio::test]
async fn long_events_come_in_short_pages() {
    let db = Database::new();
    db.keep(&[bounded("a", 10, 10 << 20)]).await;
    let long = "x".repeat(700 << 10);

    db.record("a", &[&long, &long, &long]).await;

    assert_eq!(db.pending("a").await.len(), 2);
}

#[tokio::test]
async fn a_change_that_happens_is_told_and_one_that_does_not_is_not() {
    let db = Database::new();
    db.keep(&[receiver("a")]).await;
    let told = |what: &str| vec![event("a", what)];
    let (app, blob) = (repo("app"), digest("content"));
    let push = |layer, events| CommitManifest {
        may_lack: Vec::new(),
        repo: repo("app"),
        manifest: image(&digest("content"), &[layer]),
        tags: vec![tag("latest")],
        sparse: false,
        events,
    };
    let pushed = push(blob, told("manifest"));
    let manifest = pushed.manifest.digest();
    let meta = &db.meta;

    meta.mount_blob(&app, &repo("b"), &blob, told("no mount"))
        .await
        .unwrap();
    meta.hold_blob(&app, &blob, 7, None, told("blob"))
        .await
        .unwrap();
    meta.mount_blob(&app, &repo("b"), &blob, told("mount"))
        .await
        .unwrap();
    let refused = push(digest("absent"), told("no manifest"));
    meta.commit_manifest(refused).await.unwrap();
    meta.commit_manifest(pushed).await.unwrap();
    meta.delete_blob(&app, &blob, told("no delete of a blob"))
        .await
        .unwrap();
    meta.delete_tag(&app, &tag("none"), told("no delete of a tag"))
        .await
        .unwrap();
    let tags = |tags: &[Tag]| vec![event("a", &format!("delete with {tags:?}"))];
    let absent = digest("absent");
    meta.delete_manifest(&app, &absent, |_| vec![event("a", "no delete")])
        .await
        .unwrap();
    let expected = String::from_utf8_lossy(&tags(&[tag("latest")])[0].payload).into_owned();
    meta.delete_manifest(&app, &manifest, tags).await.unwrap();
    meta.delete_blob(&app, &blob, told("delete of a blob"))
        .await
        .unwrap();

    let heard = ["blob", "mount", "manifest", &expected, "delete of a blob"];
    assert_eq!(db.pending("a").await, heard);
}

#[tokio::test]
async fn a_change_whose_commit_is_lost_is_not_told() {
    let script = Arc::new(Script::default());
    let db = Database::with(Arc::<Script>::clone(&script));
    db.keep(&[receiver("a")]).await;
    let told = |what| vec![event("a", what)];

    script.fail_before();
    assert!(db.hold("x", told("lost")).await.is_err());
    script.fail_after();
    assert!(db.hold("y", told("unanswered")).await.is_err());

    assert_eq!(db.pending("a").await, ["unanswered"]);
    assert!(!db.holds("app", &digest("x")).await);
    assert!(db.holds("app", &digest("y")).await);
}
