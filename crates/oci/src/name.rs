use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::digest::excerpt;

/// Clients limit the name with the registry's host before it to this, so a longer one is of no use.
const MAX_LEN: usize = 255;

/// A repository's name: lower-case components joined by slashes.
///
/// Names order bytewise, which is the order of the catalog.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoName(Arc<str>);

/// Why a text is not a [`RepoName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A component does not follow the grammar.
    #[error(
        "`{name}` is not a repository name: expected components of a-z and 0-9, \
         joined by `/` and inside by one `.`, one or two `_`, or any number of `-`"
    )]
    Malformed {
        /// The beginning of the text.
        name: String,
    },
    /// The name is longer than clients can use.
    #[error("repository name has {len} bytes: expected at most {MAX_LEN}")]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
}

impl RepoName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RepoName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() > MAX_LEN {
            return Err(NameError::TooLong { len: text.len() });
        }
        if !text.split('/').all(is_component) {
            return Err(NameError::Malformed {
                name: excerpt(text),
            });
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for RepoName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl fmt::Debug for RepoName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl AsRef<str> for RepoName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Serialize for RepoName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RepoName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bounded = bytes.first().is_some_and(|byte| is_word(*byte))
        && bytes.last().is_some_and(|byte| is_word(*byte));
    bounded
        && bytes
            .chunk_by(|left, right| is_word(*left) == is_word(*right))
            .all(|run| {
                is_word(run[0])
                    || matches!(run, b"." | b"_" | b"__")
                    || run.iter().all(|byte| *byte == b'-')
            })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_grammar_are_kept_as_they_are() {
        let longest = "a".repeat(255);
        let names = [
            "a",
            "0",
            "hello-world",
            "library/ubuntu",
            "a/b/c/d/e/f/g",
            "a.b",
            "a_b",
            "a__b",
            "a-b",
            "a---b",
            "a-b.c_d__e/f",
            "blobs/uploads",
            "manifests/latest",
            "v2",
            &longest,
        ];
        for name in names {
            let parsed: RepoName = name.parse().expect(name);

            assert_eq!(parsed.as_str(), name);
            assert_eq!(parsed.to_string().parse(), Ok(parsed));
        }
    }

    #[test]
    fn names_outside_of_the_grammar_are_malformed() {
        let names = [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            ".",
            "..",
            "a/..",
            "../a",
            "a/./b",
            "A",
            "a/B",
            "é",
            "a b",
            "a\0",
            "a\n",
            "a:b",
            "a@b",
            "a%2fb",
            "a\\b",
            "_a",
            "a_",
            "-a",
            "a-",
            ".a",
            "a.",
            "a..b",
            "a___b",
            "a._b",
            "a-_b",
            "a.-b",
            "a/_layers",
            "a/-",
            "a_/b",
        ];
        for name in names {
            assert_eq!(
                name.parse::<RepoName>(),
                Err(NameError::Malformed {
                    name: name.to_owned()
                })
            );
        }
    }

    #[test]
    fn a_name_that_clients_cannot_use_is_too_long() {
        assert_eq!(
            "a".repeat(256).parse::<RepoName>(),
            Err(NameError::TooLong { len: 256 })
        );
    }

    #[test]
    fn names_order_bytewise() {
        let mut names: Vec<RepoName> = ["b", "a/b", "a-b", "a", "a0", "a.b"]
            .iter()
            .map(|name| name.parse().unwrap())
            .collect();
        names.sort();

        let texts: Vec<_> = names.iter().map(RepoName::as_str).collect();
        assert_eq!(texts, ["a", "a-b", "a.b", "a/b", "a0", "b"]);
    }

    #[test]
    fn a_name_in_json_is_checked_too() {
        let name: RepoName = "a/b".parse().unwrap();

        assert_eq!(serde_json::to_string(&name).unwrap(), r#""a/b""#);
        assert_eq!(serde_json::from_str::<RepoName>(r#""a\/b""#).unwrap(), name);
        assert!(serde_json::from_str::<RepoName>(r#""a/../b""#).is_err());
    }
}
