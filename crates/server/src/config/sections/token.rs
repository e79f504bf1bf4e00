//! `auth.token`: tokens that another server issues.

use std::path::PathBuf;

use boxyard_auth::token::{Algorithm, Expected, KeyFiles};

use crate::config::key::{Form, Key, works};
use crate::config::node::Node;
use crate::config::problem::shown;
use crate::config::values::Values;

const ALGORITHMS: &str = "auth.token.signingalgorithms";

pub(in crate::config) const KEYS: &[Key] = &[
    works(
        "auth.token.realm",
        "required",
        "The URL at which clients ask for tokens.",
    ).form(Form::Text),
    works(
        "auth.token.service",
        "required",
        "What the registry is called in tokens; their `aud` must contain it.",
    ).form(Form::Text),
    works(
        "auth.token.issuer",
        "required",
        "Who issues tokens; their `iss` must be it.",
    ).form(Form::Text),
    works(
        "auth.token.rootcertbundle",
        "",
        "A file with certificates in PEM; this or `jwks` is required. Their keys may sign tokens, and so may those that they vouch for. It is read again when it changes.",
    ).form(Form::File),
    works(
        "auth.token.jwks",
        "",
        "A file with a set of JSON Web Keys that may sign tokens. It is read again when it changes.",
    ).form(Form::File),
    works(
        ALGORITHMS,
        "all of them",
        "A list of the algorithms that tokens may be signed by: `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, `ES256`, `ES384`, `ES512`, `EdDSA`, and with a secret in `jwks` `HS256`, `HS384`, `HS512`.",
    ).form(Form::Texts),
    works(
        "auth.token.autoredirect",
        "`false`",
        "Sends clients for tokens to the host by which they reach the registry, instead of `realm`.",
    ).form(Form::Boolean),
    works(
        "auth.token.autoredirectpath",
        "`/auth/token`",
        "The path of that.",
    ).form(Form::Text),
];

/// Tokens that another server issues.
#[derive(Clone, Debug)]
pub struct TokenAuth {
    /// Where clients get tokens.
    pub realm: Realm,
    /// What tokens must say.
    pub expected: Expected,
    /// Where the keys are that sign them.
    pub files: KeyFiles,
}

/// Where clients get tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Realm {
    /// At this URL.
    Url(String),
    /// At this path of the host by which they reach the registry.
    Path(String),
}

pub(in crate::config) fn read(values: &mut Values<'_>) -> Option<TokenAuth> {
    values.node("auth.token")?;
    let url = required(values, "auth.token.realm");
    let issuer = required(values, "auth.token.issuer");
    let service = required(values, "auth.token.service");
    let file = |values: &mut Values<'_>, path| values.text(path).map(PathBuf::from);
    let files = KeyFiles {
        certificates: file(values, "auth.token.rootcertbundle"),
        set: file(values, "auth.token.jwks"),
    };
    if files.certificates.is_none() && files.set.is_none() {
        let message = "no key may sign tokens: expected `rootcertbundle` or `jwks` below it";
        values.wrong("auth.token", message);
    }
    let redirects = values.boolean("auth.token.autoredirect").unwrap_or(false);
    let path = read_path(values);
    Some(TokenAuth {
        realm: if redirects {
            Realm::Path(path)
        } else {
            Realm::Url(url)
        },
        expected: Expected {
            issuer,
            service,
            algorithms: read_algorithms(values),
        },
        files,
    })
}

/// A text that there must be; what goes into a header must have a place there.
fn required(values: &mut Values<'_>, path: &str) -> String {
    let Some(text) = values.text(path) else {
        values.wrong(path, "is missing: tokens are of no use without it");
        return String::new();
    };
    if !is_quotable(text) && path != "auth.token.issuer" {
        let message = "expected plain letters without quotes, because clients get it in a header";
        values.wrong(path, message);
    }
    text.to_owned()
}

fn read_path(values: &mut Values<'_>) -> String {
    let path = values
        .text("auth.token.autoredirectpath")
        .unwrap_or("/auth/token");
    if !is_quotable(path) {
        let message = "expected plain letters without quotes, because clients get it in a header";
        values.wrong("auth.token.autoredirectpath", message);
    }
    // Go puts the slash between a host and a path.
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("{slash}{path}")
}

fn is_quotable(text: &str) -> bool {
    text.chars()
        .all(|letter| (' '..='~').contains(&letter) && letter != '"' && letter != '\\')
}

fn read_algorithms(values: &mut Values<'_>) -> Vec<Algorithm> {
    let names = values.texts(ALGORITHMS);
    if values.node(ALGORITHMS).is_none_or(Node::is_empty) {
        return Algorithm::ALL.to_vec();
    }
    let parsed = names.iter().filter_map(|name| name.parse().ok());
    let algorithms: Vec<_> = parsed.collect();
    for name in names
        .iter()
        .filter(|name| name.parse::<Algorithm>().is_err())
    {
        let known: Vec<_> = Algorithm::ALL.iter().map(|known| known.name()).collect();
        let known = known.join(", ");
        let message = format!("{} is none: expected some of {known}", shown(name));
        values.wrong(ALGORITHMS, &message);
    }
    algorithms
}
