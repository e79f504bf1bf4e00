use std::fmt;
use std::str::FromStr;

use crate::{Digest, DigestError, Tag, TagError};

/// What a client calls a manifest by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// A name that may move.
    Tag(Tag),
    /// An address that cannot.
    Digest(Digest),
}

/// Why a text is not a [`Reference`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It has no colon, so it should have been a tag.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// It has a colon, so it should have been a digest.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

impl Reference {
    /// The tag, if it is one.
    pub fn tag(&self) -> Option<&Tag> {
        match self {
            Self::Tag(tag) => Some(tag),
            Self::Digest(_) => None,
        }
    }

    /// The digest, if it is one.
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Tag(_) => None,
            Self::Digest(digest) => Some(digest),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        // No tag has a colon and no digest lacks one, so the error can be about what was meant.
        if text.contains(':') {
            Ok(Self::Digest(text.parse()?))
        } else {
            Ok(Self::Tag(text.parse()?))
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(formatter),
            Self::Digest(digest) => fmt::Display::fmt(digest, formatter),
        }
    }
}

impl From<Tag> for Reference {
    fn from(tag: Tag) -> Self {
        Self::Tag(tag)
    }
}

impl From<Digest> for Reference {
    fn from(digest: Digest) -> Self {
        Self::Digest(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Algorithm;

    #[test]
    fn a_reference_is_a_tag_or_a_digest() {
        let digest = Algorithm::Sha256.digest(b"");
        let tag: Tag = "sha256".parse().unwrap();

        assert_eq!(digest.to_string().parse(), Ok(Reference::from(digest)));
        assert_eq!("sha256".parse(), Ok(Reference::from(tag.clone())));
        assert_eq!(Reference::from(digest).digest(), Some(&digest));
        assert_eq!(Reference::from(digest).tag(), None);
        assert_eq!(Reference::from(tag.clone()).tag(), Some(&tag));
        assert_eq!(Reference::from(tag).digest(), None);
    }

    #[test]
    fn a_reference_is_written_as_it_was_read() {
        for text in ["latest", &Algorithm::Sha512.digest(b"").to_string()] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_error_is_about_what_was_meant() {
        let with_colon = "sha256:abc".parse::<Reference>().unwrap_err();
        let without = "a/b".parse::<Reference>().unwrap_err();

        assert!(
            matches!(with_colon, ReferenceError::Digest(_)),
            "{with_colon:?}"
        );
        assert!(matches!(without, ReferenceError::Tag(_)), "{without:?}");
    }
}
