use super::*;
use crate::identity::{Holder, TicketIdentity, TokenIdentity};
use crate::permit::{Delete, Pull, Push};

fn repo(text: &str) -> RepoName {
    text.parse().unwrap()
}

fn rule(who: &str, repositories: &str, actions: &[&str]) -> Rule {
    let actions = actions.iter().map(|action| action.parse().unwrap());
    Rule {
        who: vec![who.parse().unwrap()],
        repositories: vec![repositories.parse().unwrap()],
        actions: actions.fold(crate::Actions::default(), crate::Actions::and),
    }
}

/// Anyone may pull, the team may push to its own, and the administrator may do everything.
fn gate() -> Gate {
    Gate::of(vec![
        rule("anyone", "public/**", &["pull"]),
        rule("alice", "team/**", &["pull", "push"]),
        rule("admin", "**", &["*"]),
    ])
}

fn user(name: &str) -> Identity {
    Identity::User(name.to_owned())
}

fn grants(kind: &str, name: &str, actions: &[&str]) -> Vec<Grant> {
    vec![Grant {
        kind: kind.to_owned(),
        name: name.to_owned(),
        actions: actions.iter().map(|action| (*action).to_owned()).collect(),
    }]
}

fn token(subject: &str, access: Vec<Grant>) -> Identity {
    let subject = Some(subject.to_owned()).filter(|subject| !subject.is_empty());
    Identity::Token(Arc::new(TokenIdentity {
        subject,
        access,
        classes: Vec::new(),
    }))
}

fn ticket(holder: Holder, access: Vec<Grant>) -> Identity {
    Identity::Ticket(TicketIdentity { holder, access })
}

fn reason<A: Action>(gate: &Gate, identity: &Identity, name: &str) -> Option<Reason> {
    let denied = gate.permit::<A>(identity, &repo(name)).err();
    denied.map(|denied| denied.reason())
}

#[test]
fn an_open_gate_lets_everybody_do_everything() {
    let gate = Gate::open();

    assert!(gate.is_open());
    assert_eq!(reason::<Delete>(&gate, &Identity::Anonymous, "a"), None);
    assert!(gate.list(&Identity::Anonymous).unwrap().shows(&repo("a")));
}

#[test]
fn without_rules_whoever_is_known_may_do_everything() {
    let gate = Gate::authenticated();

    assert_eq!(reason::<Delete>(&gate, &user("bob"), "a"), None);
    assert_eq!(
        reason::<Pull>(&gate, &Identity::Anonymous, "a"),
        Some(Reason::Unauthenticated)
    );
    assert!(gate.list(&user("bob")).unwrap().shows(&repo("a")));
    assert!(gate.list(&Identity::Anonymous).is_err());
    assert!(!gate.lets_anonymous());
}

#[test]
fn rules_grant_exactly_what_they_say() {
    let gate = gate();
    let (alice, admin, bob) = (user("alice"), user("admin"), user("bob"));
    let forbidden = Some(Reason::Forbidden);

    assert_eq!(
        reason::<Pull>(&gate, &Identity::Anonymous, "public/a"),
        None
    );
    assert_eq!(
        reason::<Push>(&gate, &Identity::Anonymous, "public/a"),
        Some(Reason::Unauthenticated)
    );
    assert_eq!(reason::<Push>(&gate, &alice, "team/a/b"), None);
    assert_eq!(reason::<Delete>(&gate, &alice, "team/a/b"), forbidden);
    assert_eq!(reason::<Push>(&gate, &alice, "public/a"), forbidden);
    assert_eq!(reason::<Pull>(&gate, &bob, "team/a"), forbidden);
    assert_eq!(reason::<Delete>(&gate, &admin, "public/a"), None);
    assert!(gate.lets_anonymous());
}

#[test]
fn a_token_is_bound_by_its_own_list_and_rules_add_to_it() {
    let access = || grants("repository", "any/where", &["push"]);
    let (alice, carol) = (token("alice", access()), token("carol", access()));

    let gate = gate();
    assert_eq!(reason::<Push>(&gate, &carol, "any/where"), None);
    assert_eq!(
        reason::<Pull>(&gate, &carol, "any/where"),
        Some(Reason::Scope)
    );
    assert_eq!(reason::<Pull>(&gate, &carol, "public/a"), None);
    assert_eq!(reason::<Push>(&gate, &carol, "team/a"), Some(Reason::Scope));
    assert_eq!(reason::<Push>(&gate, &alice, "team/a"), None);
    let strict = Gate::authenticated();
    assert_eq!(reason::<Push>(&strict, &carol, "any/where"), None);
    assert_eq!(
        reason::<Push>(&strict, &carol, "team/a"),
        Some(Reason::Scope)
    );
}

#[test]
fn a_star_in_a_token_is_every_action() {
    let gate = Gate::authenticated();
    let all = token("", grants("repository", "a", &["*"]));
    let other = token("", grants("registry", "a", &["*"]));

    assert_eq!(reason::<Delete>(&gate, &all, "a"), None);
    assert_eq!(reason::<Delete>(&gate, &other, "a"), Some(Reason::Scope));
}

#[test]
fn a_ticket_is_bound_by_its_scope_and_by_its_holder() {
    let gate = gate();
    let holder = || Holder::User("alice".to_owned());
    let scoped = ticket(holder(), grants("repository", "team/a", &["pull"]));
    let greedy = ticket(holder(), grants("repository", "other", &["pull", "push"]));
    let anonymous = ticket(Holder::Anonymous, grants("repository", "team/a", &["*"]));

    assert_eq!(reason::<Pull>(&gate, &scoped, "team/a"), None);
    assert_eq!(
        reason::<Push>(&gate, &scoped, "team/a"),
        Some(Reason::Scope)
    );
    assert_eq!(
        reason::<Push>(&gate, &greedy, "other"),
        Some(Reason::Forbidden)
    );
    assert_eq!(
        reason::<Pull>(&gate, &anonymous, "team/a"),
        Some(Reason::Unauthenticated)
    );
}

#[test]
fn the_catalog_shows_what_may_be_pulled() {
    let gate = gate();
    let shown = |identity: &Identity| {
        let list = gate.list(identity).unwrap();
        ["public/a", "team/a", "other"].map(|name| list.shows(&repo(name)))
    };

    assert_eq!(shown(&Identity::Anonymous), [true, false, false]);
    assert_eq!(shown(&user("alice")), [true, true, false]);
    assert_eq!(shown(&user("admin")), [true; 3]);
    let catalog = grants("registry", "catalog", &["*"]);
    assert_eq!(shown(&token("", catalog.clone())), [true; 3]);
    let holder = Holder::User("alice".to_owned());
    assert_eq!(shown(&ticket(holder.clone(), catalog)), [true, true, false]);
    let denied = gate.list(&ticket(holder, Vec::new())).unwrap_err();
    assert_eq!(denied.reason(), Reason::Scope);
}

#[test]
fn who_may_pull_nothing_has_no_catalog() {
    let gate = Gate::of(vec![rule("ci", "**", &["push"])]);

    for identity in [Identity::Anonymous, user("alice"), user("ci")] {
        assert!(gate.list(&identity).is_err(), "{identity:?}");
    }
}

#[test]
fn uploads_belong_to_who_is_known_by_name() {
    let gate = Gate::open();
    let owner = |identity: &Identity| {
        let permit = gate.permit::<Push>(identity, &repo("a")).unwrap();
        permit.owner().map(ToOwned::to_owned)
    };

    let alice = user("alice");
    let ticket = ticket(Holder::User("alice".to_owned()), Vec::new());
    let certificate = Identity::Certificate("alice".to_owned());
    assert_eq!(owner(&alice), owner(&ticket));
    assert_ne!(owner(&alice), owner(&certificate));
    assert_ne!(owner(&alice), owner(&token("alice", Vec::new())));
    assert_eq!(owner(&Identity::Anonymous), None);
    assert_eq!(owner(&token("", Vec::new())), None);
}

#[test]
fn a_repository_is_for_what_the_token_says() {
    let gate = Gate::authenticated();
    let grants = ["a", "b"].map(|name| grants("repository", name, &["push"]));
    let mut said = token("alice", grants.concat());
    if let Identity::Token(token) = &mut said {
        let classes = [("a", "plugin"), ("b", "plugin"), ("b", "image")];
        Arc::make_mut(token).classes = classes
            .map(|(name, class)| (name.to_owned(), class.to_owned()))
            .into();
    }
    let is_for = |identity: &Identity, name: &str| {
        let permit = gate.permit::<Push>(identity, &repo(name)).unwrap();
        ["image", "plugin"].map(|class| permit.is_for(class))
    };

    assert_eq!(is_for(&said, "a"), [false, true]);
    assert_eq!(is_for(&said, "b"), [true, true]);
    assert_eq!(is_for(&user("alice"), "a"), [true, true]);
}
