//! Who may do what, and how people are known.

use super::*;

#[test]
fn access_is_a_list_of_rules() {
    let config = parsed(&with(
        "auth: {htpasswd: {path: /p}}\n\
         access:\n- {who: anyone, repositories: '**', actions: [pull]}\n\
         - {who: [alice, 'certificate:ci'], repositories: ['team/**', app], actions: '*'}\n",
    ));

    let rules = config.auth.rules.unwrap();
    assert_eq!(rules.len(), 2);
    assert_eq!((rules[1].who.len(), rules[1].repositories.len()), (2, 2));
}

#[test]
fn what_is_wrong_with_access_is_said_where_it_is() {
    let list = problems(&with(
        "auth: {htpasswd: {path: /p}}\naccess:\n- {who: 'group:a', repositories: '[', actions: [pul]}\n\
         - {who: anyone, repositories: '**', action: pull}\n- x\n",
    ));

    for expected in [
        "line 5: `access[0].who`: `group:a` names nobody",
        "line 5: `access[0].repositories`: `[` is no pattern of repository names",
        "line 5: `access[0].actions`: `pul` is no action: expected `pull`, `push`, `delete` or `*`",
        "line 6: unknown key `access[1].action`: did you mean `access[1].actions`?",
        "line 6: `access[1].actions`: is missing",
    ] {
        assert!(list.contains(expected), "{expected}: {list}");
    }
}

#[test]
fn rules_about_people_need_a_way_to_know_them() {
    let rule = |who: &str| format!("access: [{{who: {who}, repositories: '**', actions: pull}}]");

    let list = problems(&with(&rule("alice")));
    assert!(list.contains("nobody can show who they are"), "{list}");
    assert!(parsed(&with(&rule("anyone"))).auth.passwords.is_none());
}

#[test]
fn an_authentication_that_is_not_known_is_refused_even_by_the_lenient() {
    let lenient = Sources {
        lenient: true,
        ..Sources::default()
    };

    for auth in [
        "auth: {ldap: {url: x}}",
        "auth: {htpasswd: {realm: r}}",
        "auth: ldap",
        "auth: [x]",
    ] {
        assert!(read(&with(auth), &lenient).is_err(), "{auth}");
    }
    assert!(read(&with("auth: none"), &lenient).is_ok());
}

#[test]
fn a_realm_that_would_break_a_header_and_certificates_without_authorities_are_refused() {
    let list = problems(&with(
        "auth: {htpasswd: {path: /p, realm: \"a\\\"b\"}, certificate: {name: email}}",
    ));

    assert!(
        list.contains("expected plain letters without quotes"),
        "{list}"
    );
    assert!(
        list.contains("expected `http.tls.clientcas` beside it"),
        "{list}"
    );
}

#[test]
fn tokens_of_another_server_are_believed_by_what_the_configuration_says() {
    let config = parsed(&with(
        "auth: {token: {realm: 'https://a/token', service: s, issuer: i, jwks: /k, signingalgorithms: [ES512]}}",
    ));

    let tokens = config.auth.tokens.unwrap();

    assert_eq!(tokens.realm, Realm::Url("https://a/token".to_owned()));
    assert_eq!(tokens.files.set.as_deref(), Some(Path::new("/k")));
    assert_eq!(tokens.expected.algorithms.len(), 1);

    let list = problems(&with(
        "auth: {token: {realm: 'a\"b', issuer: i, signingalgorithms: [ES512, none]}}",
    ));
    for expected in [
        "`auth.token.realm`: expected plain letters",
        "`auth.token.service`: is missing",
        "`auth.token`: no key may sign tokens",
        "`none` is none: expected some of EdDSA, HS256",
    ] {
        assert!(list.contains(expected), "{expected}: {list}");
    }
}
