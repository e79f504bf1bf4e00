//! The part of a request's target behind the `?`.

use boxyard_oci::{Algorithm, Digest, DigestError, NameError, RepoName, Tag, TagError};

use crate::percent::{self, DecodeError};

/// Why a query is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueryError {
    /// A value is wrongly encoded.
    #[error("parameter `{name}` cannot be decoded")]
    Encoding {
        /// The parameter.
        name: &'static str,
        #[source]
        source: DecodeError,
    },
    /// A digest is none.
    #[error("parameter `{name}` is no digest")]
    Digest {
        /// The parameter.
        name: &'static str,
        #[source]
        source: DigestError,
    },
    /// A request that needs a digest has none.
    #[error("parameter `digest` is missing: expected the digest of the whole content")]
    NoDigest,
    /// The algorithm is not served.
    #[error("parameter `digest-algorithm` is `{text}`: expected `sha256` or `sha512`")]
    Algorithm {
        /// The beginning of what it is.
        text: String,
    },
    /// A repository's name is none.
    #[error("parameter `from` is no repository name")]
    Name(#[source] NameError),
    /// A tag is none.
    #[error("parameter `tag` is no tag")]
    Tag(#[source] TagError),
    /// A page size is none.
    #[error("parameter `n` is `{text}`: expected a number that is not negative")]
    Number {
        /// The beginning of what it is.
        text: String,
    },
}

/// A query, of which only what is asked for is decoded.
///
/// Parameters that no endpoint knows are ignored, such as the `_state` of uploads that distribution began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    pub(crate) fn of(uri: &'a http::Uri) -> Self {
        Self(uri.query().unwrap_or_default())
    }

    /// All values of `name`, in their order.
    fn values(self, name: &'static str) -> impl Iterator<Item = Result<String, QueryError>> + 'a {
        self.0
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .filter(move |(key, _)| percent::decode(key).is_ok_and(|key| key == name))
            .map(move |(_, value)| match percent::decode(value) {
                Ok(value) => Ok(value.into_owned()),
                Err(source) => Err(QueryError::Encoding { name, source }),
            })
    }

    /// All values of a parameter in a form, in which a plus is a space.
    pub(crate) fn form(self, name: &'static str) -> Result<Vec<String>, QueryError> {
        let spaced = self.0.replace('+', " ");
        Query(&spaced).values(name).collect()
    }

    /// What a body of a form says.
    pub(crate) fn of_form(text: &'a str) -> Self {
        Self(text)
    }

    /// The first value of `name`; an empty one is as good as none.
    pub(crate) fn text(self, name: &'static str) -> Result<Option<String>, QueryError> {
        let value = self.values(name).next().transpose()?;
        Ok(value.filter(|value| !value.is_empty()))
    }

    /// The digest that `name` gives.
    pub(crate) fn digest(self, name: &'static str) -> Result<Option<Digest>, QueryError> {
        self.text(name)?
            .map(|text| text.parse())
            .transpose()
            .map_err(|source| QueryError::Digest { name, source })
    }

    /// The algorithm that an upload is to be hashed with.
    pub(crate) fn algorithm(self) -> Result<Option<Algorithm>, QueryError> {
        let Some(text) = self.text("digest-algorithm")? else {
            return Ok(None);
        };
        match text.parse() {
            Ok(algorithm) => Ok(Some(algorithm)),
            Err(_) => Err(QueryError::Algorithm {
                text: excerpt(&text),
            }),
        }
    }

    /// The repository that a blob is to be mounted from.
    pub(crate) fn from(self) -> Result<Option<RepoName>, QueryError> {
        self.text("from")?
            .map(|text| text.parse())
            .transpose()
            .map_err(QueryError::Name)
    }

    /// The tags that a manifest pushed by digest is to have.
    pub(crate) fn tags(self) -> Result<Vec<Tag>, QueryError> {
        self.values("tag")
            .map(|value| value?.parse().map_err(QueryError::Tag))
            .collect()
    }

    /// How many items a page is to have; a number beyond every page is as good as the largest.
    pub(crate) fn page_size(self) -> Result<Option<usize>, QueryError> {
        let Some(text) = self.values("n").next().transpose()? else {
            return Ok(None);
        };
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(QueryError::Number {
                text: excerpt(&text),
            });
        }
        Ok(Some(text.parse().unwrap_or(usize::MAX)))
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_unknown_parameters_are_not_even_read() {
        let query = Query("_state=%zz&artifactType=application%2Fx%2Bjson&tag=a&tag=b");

        assert_eq!(
            query.text("artifactType").unwrap().as_deref(),
            Some("application/x+json")
        );
        assert_eq!(query.tags().unwrap().len(), 2);
        assert!(query.digest("digest").unwrap().is_none());
    }

    #[test]
    fn page_sizes_are_plain_numbers() {
        let size = |text| Query(text).page_size();

        assert_eq!(size("").unwrap(), None);
        assert_eq!(size("n=0").unwrap(), Some(0));
        assert_eq!(size("n=17").unwrap(), Some(17));
        assert_eq!(size("n=99999999999999999999999").unwrap(), Some(usize::MAX));
        for text in ["n=", "n", "n=-1", "n=+1", "n=1x", "n=0x1", "n=1.0"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn malformed_values_are_told_apart() {
        assert!(matches!(
            Query("digest=x").digest("digest"),
            Err(QueryError::Digest { .. })
        ));
        assert!(matches!(
            Query("digest=%ff").digest("digest"),
            Err(QueryError::Encoding { .. })
        ));
        assert!(matches!(
            Query("digest-algorithm=md5").algorithm(),
            Err(QueryError::Algorithm { .. })
        ));
        assert!(matches!(Query("from=A").from(), Err(QueryError::Name(_))));
        assert!(matches!(
            Query("tag=a&tag=.b").tags(),
            Err(QueryError::Tag(_))
        ));
    }
}
