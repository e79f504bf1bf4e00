use std::sync::Arc;

use super::*;
use crate::identity::TokenIdentity;

fn repo(text: &str) -> RepoName {
    text.parse().unwrap()
}

fn pattern(text: &str) -> Pattern {
    text.parse().unwrap()
}

fn visible(patterns: &[&str]) -> Visible {
    Visible {
        patterns: patterns.iter().map(|text| pattern(text)).collect(),
    }
}

#[test]
fn a_pattern_stays_within_a_part_unless_it_has_two_stars() {
    let table = [
        ("**", "a/b/c", true),
        ("*", "a", true),
        ("*", "a/b", false),
        ("team/*", "team/a", true),
        ("team/*", "team/a/b", false),
        ("team/**", "team/a/b", true),
        ("team/**", "team", false),
        ("team/**", "teams/a", false),
        ("**/ci", "a/b/ci", true),
        ("team/app", "team/app", true),
        ("team/app", "team/apps", false),
        ("{a,b}/x", "b/x", true),
    ];

    for (text, name, fits) in table {
        assert_eq!(pattern(text).fits(&repo(name)), fits, "{text} {name}");
    }
}

#[test]
fn a_broken_pattern_is_refused() {
    for text in ["a/[b", "{a", "a/**b/["] {
        assert!(text.parse::<Pattern>().is_err(), "{text}");
    }
}

#[test]
fn people_are_told_from_one_another() {
    let alice = || "alice".to_owned();
    let user = Identity::User(alice());
    let certificate = Identity::Certificate(alice());
    let token = Identity::Token(Arc::new(TokenIdentity {
        subject: Some(alice()),
        access: Vec::new(),
        ..TokenIdentity::default()
    }));
    let nobody = Identity::Token(Arc::default());
    let everyone = [&Identity::Anonymous, &user, &certificate, &token, &nobody];
    let table = [
        ("anyone", [true; 5]),
        ("authenticated", [false, true, true, true, false]),
        ("alice", [false, true, false, true, false]),
        ("user:alice", [false, true, false, true, false]),
        ("certificate:alice", [false, false, true, false, false]),
        ("Alice", [false; 5]),
        ("user:anyone", [false; 5]),
    ];

    for (text, expected) in table {
        let who: Who = text.parse().unwrap();
        assert_eq!(
            everyone.map(|identity| who.is(identity)),
            expected,
            "{text}"
        );
    }
}

#[test]
fn a_text_that_names_nobody_is_refused() {
    for text in ["", "certificate:", "user:", "group:a", "user:a:b"] {
        assert!(text.parse::<Who>().is_err(), "{text}");
    }
}

#[test]
fn actions_imply_nothing_but_themselves() {
    let push: Actions = "push".parse().unwrap();
    let all: Actions = "*".parse().unwrap();

    assert!(push.contain("push") && !push.contain("pull") && !push.contain("delete"));
    assert!(all.contain("pull") && all.contain("push") && all.contain("delete"));
    assert!(!Actions::default().contain("pull"));
    assert!(!push.contain("*") && all.contain("*"));
    assert!("Pull".parse::<Actions>().is_err());
}

#[test]
fn what_nobody_may_see_is_skipped_in_a_listing() {
    let visible = visible(&["team/**", "public/*/x", "app"]);
    let table = [
        ("", Some("apo~")),
        ("0", Some("apo~")),
        ("app", Some("app")),
        ("b", Some("public.~")),
        ("public/a", Some("public/a")),
        ("publicity", Some("team.~")),
        ("team/a", Some("team/a")),
        ("teams", None),
    ];

    for (last, expected) in table {
        assert_eq!(visible.resume(last).as_deref(), expected, "{last}");
    }
}

#[test]
fn where_everything_may_be_seen_nothing_is_skipped() {
    let visible = visible(&["**/x"]);

    assert_eq!(visible.resume("").as_deref(), Some(""));
    assert_eq!(visible.resume("k").as_deref(), Some("k"));
}
