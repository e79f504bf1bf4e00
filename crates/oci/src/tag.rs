use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::digest::excerpt;

const MAX_LEN: usize = 128;

/// A name for a manifest that may be moved to another one.
///
/// Tags order bytewise, which is the order of their listing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Arc<str>);

/// The text is not a [`Tag`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{tag}` is not a tag: expected at most {MAX_LEN} of a-z, A-Z, 0-9, `_`, `.` and `-`, \
     and neither `.` nor `-` at the beginning"
)]
pub struct TagError {
    /// The beginning of the text.
    pub tag: String,
}

impl Tag {
    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Self, TagError> {
        if is_tag(text.as_bytes()) {
            Ok(Self(text.into()))
        } else {
            Err(TagError { tag: excerpt(text) })
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl AsRef<str> for Tag {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Serialize for Tag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`
fn is_tag(bytes: &[u8]) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    bytes.len() <= MAX_LEN
        && bytes.first().is_some_and(|byte| is_word(*byte))
        && bytes
            .iter()
            .all(|byte| is_word(*byte) || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_the_grammar_are_kept_as_they_are() {
        let longest = "a".repeat(128);
        for text in [
            "latest",
            "v1.0",
            "_",
            "0",
            "A..-_-",
            "1.2.3-rc.1",
            "sha256-abc.sig",
            &longest,
        ] {
            let tag: Tag = text.parse().expect(text);

            assert_eq!(tag.as_str(), text);
            assert_eq!(tag.to_string().parse(), Ok(tag.clone()));
            assert_eq!(
                serde_json::from_str::<Tag>(&serde_json::to_string(&tag).unwrap()).unwrap(),
                tag
            );
        }
    }

    #[test]
    fn texts_outside_of_the_grammar_are_no_tags() {
        let too_long = "a".repeat(129);
        for text in [
            "", ".", "..", ".a", "-a", "a/b", "a:b", "a b", "é", "a\0", "a\n", "a+b", "a@b",
            &too_long,
        ] {
            assert_eq!(
                text.parse::<Tag>(),
                Err(TagError {
                    tag: text.to_owned()
                })
            );
        }
    }
}
