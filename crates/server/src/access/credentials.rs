//! What the header `Authorization` says.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::config::Secret;

/// Some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// By what somebody shows who they are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// Nothing.
    None,
    /// A user and a password, RFC 7617.
    Basic { user: String, password: Secret },
    /// A token, RFC 6750.
    Bearer(Secret),
}

/// Why the header means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CredentialsError {
    #[error("there is more than one header `Authorization`")]
    Several,
    #[error("the header `Authorization` is neither `Basic` nor `Bearer`")]
    Scheme,
    #[error("the header `Authorization` is no user and password in base64")]
    Basic,
}

impl Credentials {
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, CredentialsError> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = match (values.next(), values.next()) {
            (None, _) => return Ok(Self::None),
            (Some(value), None) => value,
            (Some(_), Some(_)) => return Err(CredentialsError::Several),
        };
        let text = value.to_str().map_err(|_| CredentialsError::Scheme)?.trim();
        let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("basic") {
            return basic(rest).ok_or(CredentialsError::Basic);
        }
        if scheme.eq_ignore_ascii_case("bearer") {
            return Ok(Self::Bearer(rest.into()));
        }
        Err(CredentialsError::Scheme)
    }
}

/// An empty user with an empty password is how Docker's search says that it has none.
fn basic(encoded: &str) -> Option<Credentials> {
    let bytes = BASE64.decode(encoded).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    if user.is_empty() && password.is_empty() {
        return Some(Credentials::None);
    }
    Some(Credentials::Basic {
        user: user.to_owned(),
        password: password.into(),
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn credentials(values: &[&str]) -> Result<Credentials, CredentialsError> {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.append(AUTHORIZATION, value);
        }
        Credentials::of(&headers)
    }

    fn alice(password: &str) -> Credentials {
        Credentials::Basic {
            user: "alice".to_owned(),
            password: password.into(),
        }
    }

    #[test]
    fn users_and_passwords_are_read_in_every_way_that_clients_write_them() {
        // `alice:a:b`, `alice:` and `alice:é`
        assert_eq!(credentials(&["Basic YWxpY2U6YTpi"]), Ok(alice("a:b")));
        assert_eq!(credentials(&["basic  YWxpY2U6YTpi "]), Ok(alice("a:b")));
        assert_eq!(credentials(&["Basic YWxpY2U6"]), Ok(alice("")));
        assert_eq!(credentials(&["Basic YWxpY2U6w6k="]), Ok(alice("é")));
        assert_eq!(credentials(&["Basic YWxpY2U6w6k"]), Ok(alice("é")));
    }

    #[test]
    fn who_has_no_user_and_no_password_is_anonymous() {
        assert_eq!(credentials(&[]), Ok(Credentials::None));
        assert_eq!(credentials(&["Basic Og=="]), Ok(Credentials::None));
    }

    #[test]
    fn tokens_are_taken_as_they_are() {
        assert_eq!(
            credentials(&["Bearer a.b.c"]),
            Ok(Credentials::Bearer("a.b.c".into()))
        );
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for value in ["", "Digest x", "YWxpY2U6YQ==", "a\u{e9}"] {
            assert_eq!(
                credentials(&[value]),
                Err(CredentialsError::Scheme),
                "{value}"
            );
        }
        for value in ["Basic", "Basic !", "Basic YWxpY2U=", "Basic /w=="] {
            assert_eq!(
                credentials(&[value]),
                Err(CredentialsError::Basic),
                "{value}"
            );
        }
        let several = credentials(&["Basic Og==", "Basic Og=="]);
        assert_eq!(several, Err(CredentialsError::Several));
    }

    #[test]
    fn what_somebody_knows_is_not_shown() {
        let text = format!("{:?}", credentials(&["Basic YWxpY2U6czNjcmV0"]));

        assert!(text.contains("alice") && !text.contains("s3cret"), "{text}");
    }
}
