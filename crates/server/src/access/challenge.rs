//! How clients are told to show who they are.
//!
//! A client of Docker that is asked for a password does not pull without one, and never sends one that it was not asked for.
//! So where anybody may pull, clients are sent for a token, which they get with a password or without.

use std::fmt::Display;

use boxyard_oci::ErrorCode;
use http::HeaderValue;
use http::header::WWW_AUTHENTICATE;

use crate::config::{Realm, TokenAuth};
use crate::error::ApiError;
use crate::external::External;
use crate::v2::TOKEN_PATH;

/// By what clients may show who they are.
#[derive(Clone, Debug)]
pub(crate) enum Challenge {
    /// By nothing that an answer could ask for.
    None,
    /// By a user and a password.
    Basic { realm: String },
    /// By a token that this registry issues.
    Tickets,
    /// By a token that another server issues.
    Tokens { realm: Realm, service: String },
}

/// What is wrong with a token, RFC 6750 section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    InvalidToken,
    InsufficientScope,
}

impl Challenge {
    pub(super) fn tokens(config: &TokenAuth) -> Self {
        Self::Tokens {
            realm: config.realm.clone(),
            service: config.expected.service.clone(),
        }
    }

    /// An answer that says what is missing, and how to get it.
    pub(crate) fn refuse(
        &self,
        external: &External,
        reason: &dyn Display,
        scope: &str,
        flaw: Option<Flaw>,
    ) -> ApiError {
        match self.header(external, scope, flaw) {
            Some(header) => ApiError::client(ErrorCode::Unauthorized, reason)
                .with_value(WWW_AUTHENTICATE, header),
            // An answer that asks for something must say what, and there is nothing.
            None => ApiError::client(ErrorCode::Denied, reason),
        }
    }

    /// Whether clients are asked for anything.
    pub(crate) fn asks(&self) -> bool {
        !matches!(self, Self::None)
    }

    fn header(&self, external: &External, scope: &str, flaw: Option<Flaw>) -> Option<HeaderValue> {
        let text = match self {
            Self::None => return None,
            Self::Basic { realm } => format!("Basic realm=\"{realm}\""),
            Self::Tickets => {
                // Without a host there is no URL, and clients take a path for one of the same host at best.
                let base = external.base();
                let service = base.split_once("://").map_or("registry", |(_, host)| host);
                bearer(&format!("{base}{TOKEN_PATH}"), service, scope, flaw)
            }
            Self::Tokens { realm, service } => {
                let realm = match realm {
                    Realm::Url(url) => url.clone(),
                    Realm::Path(path) => format!("{}{path}", origin(&external.base())),
                };
                bearer(&realm, service, scope, flaw)
            }
        };
        Some(HeaderValue::from_str(&text).expect("URLs, names and realms are visible text"))
    }
}

/// Scheme and host of a URL.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |place| place + 3);
    let end = url[host..]
        .find('/')
        .map_or(url.len(), |place| host + place);
    &url[..end]
}

fn bearer(realm: &str, service: &str, scope: &str, flaw: Option<Flaw>) -> String {
    let mut text = format!("Bearer realm=\"{realm}\",service=\"{service}\"");
    if !scope.is_empty() {
        text.extend([",scope=\"", scope, "\""]);
    }
    match flaw {
        None => {}
        Some(Flaw::InvalidToken) => text.push_str(",error=\"invalid_token\""),
        Some(Flaw::InsufficientScope) => text.push_str(",error=\"insufficient_scope\""),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_names_where_a_token_is_issued_and_what_for() {
        assert_eq!(
            bearer(
                "https://r.example:5000/v2/token",
                "r.example:5000",
                "repository:a:pull",
                None
            ),
            "Bearer realm=\"https://r.example:5000/v2/token\",service=\"r.example:5000\",scope=\"repository:a:pull\""
        );
        assert_eq!(
            bearer("http://r/v2/token", "r", "", Some(Flaw::InvalidToken)),
            "Bearer realm=\"http://r/v2/token\",service=\"r\",error=\"invalid_token\""
        );
    }

    #[test]
    fn a_path_of_our_own_is_asked_for_at_the_host_that_the_client_has() {
        assert_eq!(
            origin("https://r.example:5000/prefix"),
            "https://r.example:5000"
        );
        assert_eq!(origin("http://r"), "http://r");
        assert_eq!(origin(""), "");
    }
}
