//! `auth` and `access`: who somebody is, and what they may do.

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use boxyard_auth::{Actions, NameSource, Pattern, Rule, Who};

use crate::config::key::{Form, Key, Known, always, part, refused, works};
use crate::config::node::{Node, Value};
use crate::config::values::Values;

use super::token::{self, TokenAuth};

const ACCESS: &str = "access";

pub(in crate::config) const KEYS: &[Key] = &[
    works(
        "auth.htpasswd.realm",
        "`Registry`",
        "What clients are told that they log in to.",
    )
    .form(Form::Text),
    works(
        "auth.htpasswd.path",
        "",
        "The file with users and their passwords, hashed by bcrypt; `boxyard htpasswd` makes its lines. It is read again when it changes. A missing one is made with a user `docker`, whose password is logged once. For a folder it is the file `htpasswd` in it.",
    )
    .form(Form::Text)
    .example("/etc/distribution/htpasswd"),
    works(
        "auth.certificate.name",
        "`cn`",
        "Takes who shows a client certificate for whom it names: by `cn`, the common name of its subject, or by `dns`, `email` or `uri`, its first alternative name of that kind. Needs `http.tls.clientcas`.",
    )
    .form(Form::Choice(&["cn", "dns", "email", "uri"]))
    .known(Known::Here),
    works("auth.none", "", "No authentication."),
    refused(
        "auth.silly",
        "it lets everybody in who sends any header, and is for distribution's own development",
        always,
    ),
    part("auth.silly.realm").form(Form::Text),
    part("auth.silly.service").form(Form::Text),
    works(
        ACCESS,
        "with `auth`, who has logged in may do everything; without it, everybody",
        "A list of rules; what none of them allows is denied.",
    )
    .known(Known::Here),
    works(
        "access[].who",
        "required",
        "`anyone`, `authenticated`, users, `certificate:NAME`.",
    )
    .form(Form::Texts)
    .example("[alice, bob]")
    .known(Known::Here),
    works(
        "access[].repositories",
        "required",
        "Names of repositories, in which `*` is any part and `**` any parts.",
    )
    .form(Form::Texts)
    .example("team/**")
    .known(Known::Here),
    works(
        "access[].actions",
        "required",
        "`pull`, `push`, `delete` or `*`; who pushes needs `pull` as well.",
    )
    .form(Form::Texts)
    .example("[pull, push]")
    .known(Known::Here),
];

/// Who somebody is, and what they may do.
#[derive(Clone, Debug)]
pub struct Auth {
    /// The file with users and passwords.
    pub passwords: Option<PasswordFile>,
    /// Which name of a client certificate counts, if any does.
    pub certificate: Option<NameSource>,
    /// Tokens that another server issues.
    pub tokens: Option<TokenAuth>,
    /// What who may do; without rules everybody who is known may do everything.
    pub rules: Option<Vec<Rule>>,
}

/// A file with users and passwords.
#[derive(Clone, Debug)]
pub struct PasswordFile {
    /// What clients are told that they log in to.
    pub realm: String,
    /// Where it is.
    pub path: PathBuf,
}

pub(in crate::config) fn read(values: &mut Values<'_>) -> Auth {
    const NAMES: [(&str, NameSource); 4] = [
        ("cn", NameSource::CommonName),
        ("dns", NameSource::Dns),
        ("email", NameSource::Email),
        ("uri", NameSource::Uri),
    ];
    let name = values.choice("auth.certificate.name", &NAMES);
    let certificate = values
        .node("auth.certificate")
        .map(|_| NameSource::CommonName);
    let certificate = name.or(certificate);
    if certificate.is_some() && is_absent(values, "http.tls.clientcas") {
        let message = "nobody can show a certificate: expected `http.tls.clientcas` beside it";
        values.wrong("auth.certificate", message);
    }
    let passwords = read_passwords(values);
    let tokens = token::read(values);
    let rules = read_rules(values);
    if names_no_authenticator(values.node("auth")) {
        // What is not understood must not leave the registry open.
        let message =
            "nobody could log in by it: expected `htpasswd`, `token`, `certificate` or `none`";
        values.wrong("auth", message);
    }
    let knows_somebody = passwords.is_some() || certificate.is_some() || tokens.is_some();
    if let Some(rules) = &rules
        && !knows_somebody
        && rules.iter().any(names_somebody)
    {
        let message = "its rules name people, but nobody can show who they are: expected an `auth` section beside it";
        values.wrong(ACCESS, message);
    }
    Auth {
        passwords,
        certificate,
        tokens,
        rules,
    }
}

fn read_passwords(values: &mut Values<'_>) -> Option<PasswordFile> {
    values.node("auth.htpasswd")?;
    let realm = values.text("auth.htpasswd.realm").unwrap_or("Registry");
    if realm.contains(|character: char| !(' '..='~').contains(&character) || character == '"') {
        let message = "expected plain letters without quotes, because clients get it in a header";
        values.wrong("auth.htpasswd.realm", message);
    }
    let Some(path) = values.text("auth.htpasswd.path") else {
        let message = "is missing: expected the file with users and passwords";
        values.wrong("auth.htpasswd.path", message);
        return None;
    };
    Some(PasswordFile {
        realm: realm.to_owned(),
        path: PathBuf::from(path),
    })
}

fn names_no_authenticator(auth: Option<&Node>) -> bool {
    const KNOWN: [&str; 5] = ["htpasswd", "token", "certificate", "silly", "none"];
    let Some(auth) = auth.filter(|auth| !matches!(auth.value, Value::Null)) else {
        return false;
    };
    let is_known = |(name, _): &(String, Node)| KNOWN.contains(&name.as_str());
    match &auth.value {
        Value::Map(entries) => !entries.is_empty() && !entries.iter().any(is_known),
        Value::Scalar(text) => !text.is_empty(),
        Value::Null | Value::List(_) => true,
    }
}

fn is_absent(values: &Values<'_>, path: &str) -> bool {
    values.node(path).is_none_or(Node::is_empty)
}

fn names_somebody(rule: &Rule) -> bool {
    rule.who.iter().any(|who| *who != Who::Anyone)
}

fn read_rules(values: &mut Values<'_>) -> Option<Vec<Rule>> {
    match &values.node(ACCESS)?.value {
        Value::Null => None,
        Value::List(_) => {
            let items = values.items(ACCESS);
            Some(items.iter().map(|item| read_rule(values, item)).collect())
        }
        Value::Scalar(_) | Value::Map(_) => {
            values.wrong(ACCESS, "expected a list of rules");
            None
        }
    }
}

fn read_rule(values: &mut Values<'_>, item: &str) -> Rule {
    let actions = read_list::<Actions>(values, &format!("{item}.actions"));
    Rule {
        who: read_list::<Who>(values, &format!("{item}.who")),
        repositories: read_list::<Pattern>(values, &format!("{item}.repositories")),
        actions: actions.into_iter().fold(Actions::default(), Actions::and),
    }
}

/// The texts of a list, each of which means something.
fn read_list<T>(values: &mut Values<'_>, path: &str) -> Vec<T>
where
    T: FromStr,
    T::Err: Display,
{
    let texts = values.texts(path);
    if texts.is_empty() {
        values.wrong(
            path,
            "is missing: every rule has `who`, `repositories` and `actions`",
        );
    }
    let mut list = Vec::new();
    for text in texts {
        match text.parse::<T>() {
            Ok(parsed) => list.push(parsed),
            Err(error) => values.wrong(path, &error.to_string()),
        }
    }
    list
}
