//! Media types, and those that the registry knows by name.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::digest::excerpt;

/// An image manifest of OCI.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An image index of OCI.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The empty JSON object that artifacts use where they have no config.
pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// The config of an OCI image.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The config of a Docker image.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// An image manifest of Docker, schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// A manifest list of Docker.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// A manifest of Docker's retired schema 1.
pub const DOCKER_SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+json";
/// A signed manifest of Docker's retired schema 1.
pub const DOCKER_SCHEMA1_SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
/// Bytes of which nothing is known.
pub const OCTET_STREAM: &str = "application/octet-stream";
/// JSON of which nothing is known. As the type of a pushed manifest it says nothing.
pub const JSON: &str = "application/json";

/// The types whose structure the registry understands, and so writes in one way only.
const KNOWN: [&str; 6] = [
    OCI_MANIFEST,
    OCI_INDEX,
    DOCKER_MANIFEST,
    DOCKER_LIST,
    DOCKER_SCHEMA1,
    DOCKER_SCHEMA1_SIGNED,
];

const MAX_LEN: usize = 255;

/// A media type without parameters.
///
/// Another spelling of a known manifest type becomes that type, since types do not distinguish case.
/// An unknown type is kept as it was written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaType(Arc<str>);

/// The text is not a [`MediaType`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a media type: expected `type/subtype` of at most {MAX_LEN} bytes")]
pub struct MediaTypeError {
    /// The beginning of the text.
    pub text: String,
}

impl MediaType {
    /// Reads the value of a `Content-Type` header or a `mediaType` field.
    pub fn parse(text: &str) -> Result<Self, MediaTypeError> {
        let essence = text
            .split(';')
            .next()
            .unwrap_or_default()
            .trim_matches([' ', '\t']);
        let valid = essence.len() <= MAX_LEN
            && essence
                .split_once('/')
                .is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype));
        if !valid {
            return Err(MediaTypeError {
                text: excerpt(text),
            });
        }
        let known = KNOWN
            .into_iter()
            .find(|known| known.eq_ignore_ascii_case(essence));
        Ok(Self(known.unwrap_or(essence).into()))
    }

    /// One of this module's constants as a type.
    pub(crate) fn known(constant: &'static str) -> Self {
        Self(constant.into())
    }

    /// The type of JSON of which nothing is known.
    pub(crate) fn json() -> Self {
        Self::known(JSON)
    }

    /// The type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MediaType {
    type Err = MediaTypeError;

    fn from_str(text: &str) -> Result<Self, MediaTypeError> {
        Self::parse(text)
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl fmt::Debug for MediaType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl AsRef<str> for MediaType {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for MediaType {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for MediaType {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

impl Serialize for MediaType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for MediaType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// A token of RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_space_are_dropped() {
        let rows = [
            (OCI_MANIFEST, OCI_MANIFEST),
            ("application/json; charset=utf-8", "application/json"),
            (" application/json\t;", "application/json"),
            ("a/b;c=\"d;e\"", "a/b"),
            (
                "application/vnd.Example.Thing+json",
                "application/vnd.Example.Thing+json",
            ),
            ("Application/VND.oci.image.manifest.v1+JSON", OCI_MANIFEST),
        ];
        for (text, expected) in rows {
            assert_eq!(MediaType::parse(text).unwrap(), expected, "{text}");
            assert_eq!(text.parse::<MediaType>().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn what_has_no_type_and_subtype_is_no_media_type() {
        let too_long = format!("a/{}", "b".repeat(254));
        for text in [
            "", "/", "a", "a/", "/b", "a/b/c", "a b/c", "a/b c", "a/b,c/d", "é/b", "a/\0", ";a/b",
            &too_long,
        ] {
            assert!(MediaType::parse(text).is_err(), "{text}");
            assert!(
                serde_json::from_value::<MediaType>(text.into()).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn every_known_type_is_one() {
        for text in
            KNOWN
                .into_iter()
                .chain([OCI_EMPTY, OCI_CONFIG, DOCKER_CONFIG, OCTET_STREAM, JSON])
        {
            assert_eq!(MediaType::parse(text).unwrap().as_str(), text);
        }
    }
}
