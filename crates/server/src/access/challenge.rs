//! How clients are told to show who they are.
//!
//! A client of Docker that is asked for a password does not pull without one, and never sends one that it was not asked for.
//! So where anybody may pull, clients are sent for a token, which they get with a password or without.

use std::fmt::Display;

use boxyard_oci::ErrorCode;
use http::HeaderValue;
use http::header::WWW_AUTHENTICATE;

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
}

/// What is wrong with a token, RFC 6750 section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    InvalidToken,
    InsufficientScope,
}

impl Challenge {
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
            Self::Tickets => bearer(external.base(), scope, flaw),
        };
        Some(HeaderValue::from_str(&text).expect("URLs, names and realms are visible text"))
    }
}

/// Without a host there is no URL, and clients take a path for one of the same host at best.
fn bearer(base: &str, scope: &str, flaw: Option<Flaw>) -> String {
    let service = base.split_once("://").map_or("registry", |(_, host)| host);
    let mut text = format!("Bearer realm=\"{base}{TOKEN_PATH}\",service=\"{service}\"");
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
            bearer("https://r.example:5000", "repository:a:pull", None),
            "Bearer realm=\"https://r.example:5000/v2/token\",service=\"r.example:5000\",scope=\"repository:a:pull\""
        );
        assert_eq!(
            bearer("http://r", "", Some(Flaw::InvalidToken)),
            "Bearer realm=\"http://r/v2/token\",service=\"r\",error=\"invalid_token\""
        );
    }
}
