//! What a path names, and what one must be allowed to do it.

use std::borrow::Cow;

use boxyard_oci::{
    Digest, DigestError, ErrorCode, NameError, Reference, ReferenceError, RepoName, TagError,
};
use boxyard_registry::UploadId;
use http::Method;

use crate::percent::{self, DecodeError};

/// What a path names.
///
/// Parsing is total and pure: a table tests it, a fuzzer attacks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/`, where people and load balancers look first.
    Root,
    /// `/livez`, whether the process answers.
    Live,
    /// `/readyz`, whether requests should be sent here.
    Ready,
    /// `/v2/`, end-1.
    Base,
    /// `/v2/token`, where clients get a token of our own.
    Token,
    /// `/v2/_catalog`.
    Catalog,
    /// `/v2/<name>/manifests/<reference>`, end-3, end-7 and end-9.
    Manifest(RepoName, Reference),
    /// `/v2/<name>/blobs/<digest>`, end-2 and end-10.
    Blob(RepoName, Digest),
    /// `/v2/<name>/blobs/uploads/`, end-4 and end-11.
    Uploads(RepoName),
    /// `/v2/<name>/blobs/uploads/<id>`, end-5, end-6, end-13 and end-14.
    Upload(RepoName, UploadId),
    /// `/v2/<name>/tags/list`, end-8.
    Tags(RepoName),
    /// `/v2/<name>/referrers/<digest>`, end-12.
    Referrers(RepoName, Digest),
}

/// Where clients get a token of our own; a proxy that passes on what is below `/v2/` passes this on as well.
pub(crate) const TOKEN_PATH: &str = "/v2/token";

/// The kinds of routes, so that a table of rights can show that it has them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the variants of `Route`")]
pub enum Kind {
    Root,
    Live,
    Ready,
    Base,
    Token,
    Catalog,
    Manifest,
    Blob,
    Uploads,
    Upload,
    Tags,
    Referrers,
}

impl Kind {
    /// The first kind, from which [`next`](Self::next) leads to all others.
    pub const FIRST: Self = Self::Root;

    /// The kind after this one.
    pub fn next(self) -> Option<Self> {
        match self {
            Self::Root => Some(Self::Live),
            Self::Live => Some(Self::Ready),
            Self::Ready => Some(Self::Base),
            Self::Base => Some(Self::Token),
            Self::Token => Some(Self::Catalog),
            Self::Catalog => Some(Self::Manifest),
            Self::Manifest => Some(Self::Blob),
            Self::Blob => Some(Self::Uploads),
            Self::Uploads => Some(Self::Upload),
            Self::Upload => Some(Self::Tags),
            Self::Tags => Some(Self::Referrers),
            Self::Referrers => None,
        }
    }
}

/// What a caller must hold before a request is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing: the answer tells nobody anything.
    Nothing,
    /// An identity, where anybody can show one.
    Enter,
    /// The right to read the names of all repositories.
    List,
    /// The right to read the repository.
    Pull,
    /// The right to write to the repository.
    Push,
    /// The right to remove from the repository.
    Delete,
}

/// Why a path names nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// No resource has such a path.
    #[error("nothing is served under this path")]
    NotFound,
    /// A part of the path is wrongly encoded.
    #[error("the {part} in the path cannot be decoded: {source}")]
    Encoding {
        /// Which part.
        part: Part,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// The repository's name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The tag is none.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// The digest is none.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// The upload's id is none, so there is no such upload.
    #[error("`{id}` is not the id of an upload")]
    Upload {
        /// The beginning of the text.
        id: String,
    },
}

/// A part of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The repository's name.
    Name,
    /// What follows `manifests`.
    Reference,
    /// What follows `blobs` or `referrers`.
    Digest,
}

impl std::fmt::Display for Part {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Name => "name",
            Self::Reference => "reference",
            Self::Digest => "digest",
        })
    }
}

/// All methods that any route knows, in the order in which `Allow` lists them.
const METHODS: [Method; 6] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];

impl Route {
    /// Reads the path of a request as it was sent, percent-encoded.
    ///
    /// It is split from the right, because only the name may contain slashes, and decoded once, after it was split.
    pub fn parse(path: &str) -> Result<Self, RouteError> {
        match path {
            "/" => return Ok(Self::Root),
            "/livez" => return Ok(Self::Live),
            "/readyz" => return Ok(Self::Ready),
            "/v2" | "/v2/" => return Ok(Self::Base),
            _ => {}
        }
        let rest = path.strip_prefix("/v2/").ok_or(RouteError::NotFound)?;
        let decoded = decode(rest)?;
        let segments: Vec<&str> = decoded.iter().map(AsRef::as_ref).collect();
        match segments.as_slice() {
            ["token"] => Ok(Self::Token),
            ["_catalog"] => Ok(Self::Catalog),
            [name @ .., "blobs", "uploads"] | [name @ .., "blobs", "uploads", ""] => {
                Ok(Self::Uploads(repo(name)?))
            }
            [name @ .., "blobs", "uploads", id] => Ok(Self::Upload(repo(name)?, upload(id)?)),
            [name @ .., "blobs", digest] => Ok(Self::Blob(repo(name)?, digest.parse()?)),
            [name @ .., "manifests", text] => Ok(Self::Manifest(repo(name)?, reference(text)?)),
            [name @ .., "tags", "list"] => Ok(Self::Tags(repo(name)?)),
            [name @ .., "referrers", digest] => Ok(Self::Referrers(repo(name)?, digest.parse()?)),
            _ => Err(RouteError::NotFound),
        }
    }

    /// What a caller must hold for `method`, or none where the method is not served here.
    pub fn access(&self, method: &Method) -> Option<Access> {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        match self {
            Self::Root | Self::Live | Self::Ready => reads.then_some(Access::Nothing),
            Self::Base => reads.then_some(Access::Enter),
            Self::Token => (reads || *method == Method::POST).then_some(Access::Nothing),
            Self::Catalog => reads.then_some(Access::List),
            Self::Tags(_) | Self::Referrers(..) => reads.then_some(Access::Pull),
            Self::Manifest(..) => match *method {
                Method::PUT => Some(Access::Push),
                Method::DELETE => Some(Access::Delete),
                _ => reads.then_some(Access::Pull),
            },
            Self::Blob(..) => match *method {
                Method::DELETE => Some(Access::Delete),
                _ => reads.then_some(Access::Pull),
            },
            Self::Uploads(_) => (*method == Method::POST).then_some(Access::Push),
            Self::Upload(..) => {
                let writes = matches!(*method, Method::PATCH | Method::PUT | Method::DELETE);
                (reads || writes).then_some(Access::Push)
            }
        }
    }

    /// Whether it is answered while a health check fails, for those who watch.
    pub fn is_for_watchers(&self) -> bool {
        matches!(self, Self::Root | Self::Live | Self::Ready)
    }

    /// Which kind of route this is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Root => Kind::Root,
            Self::Live => Kind::Live,
            Self::Ready => Kind::Ready,
            Self::Base => Kind::Base,
            Self::Token => Kind::Token,
            Self::Catalog => Kind::Catalog,
            Self::Manifest(..) => Kind::Manifest,
            Self::Blob(..) => Kind::Blob,
            Self::Uploads(_) => Kind::Uploads,
            Self::Upload(..) => Kind::Upload,
            Self::Tags(_) => Kind::Tags,
            Self::Referrers(..) => Kind::Referrers,
        }
    }

    /// The repository that the route lies in.
    pub(crate) fn repo(&self) -> Option<&RepoName> {
        match self {
            Self::Root | Self::Live | Self::Ready | Self::Base | Self::Token | Self::Catalog => {
                None
            }
            Self::Manifest(repo, _)
            | Self::Blob(repo, _)
            | Self::Uploads(repo)
            | Self::Upload(repo, _)
            | Self::Tags(repo)
            | Self::Referrers(repo, _) => Some(repo),
        }
    }

    /// The value of the header `Allow`.
    pub fn allow(&self) -> String {
        let mut methods: Vec<&str> = METHODS
            .iter()
            .filter(|method| self.access(method).is_some())
            .map(Method::as_str)
            .collect();
        methods.push("OPTIONS");
        methods.join(", ")
    }
}

impl RouteError {
    /// What to tell the client.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::Unsupported,
            Self::Name(_)
            | Self::Encoding {
                part: Part::Name, ..
            } => ErrorCode::NameInvalid,
            Self::Tag(_)
            | Self::Encoding {
                part: Part::Reference,
                ..
            } => ErrorCode::TagInvalid,
            Self::Digest(_)
            | Self::Encoding {
                part: Part::Digest, ..
            } => ErrorCode::DigestInvalid,
            Self::Upload { .. } => ErrorCode::BlobUploadUnknown,
        }
    }
}

fn decode(rest: &str) -> Result<Vec<Cow<'_, str>>, RouteError> {
    let raw: Vec<&str> = rest.split('/').collect();
    raw.iter()
        .enumerate()
        .map(|(index, segment)| {
            percent::decode_segment(segment).map_err(|source| RouteError::Encoding {
                part: part(&raw, index),
                source,
            })
        })
        .collect()
}

/// Which part of the path the segment at `index` is, as far as can be told of a path that is malformed.
fn part(segments: &[&str], index: usize) -> Part {
    let keyword = index.checked_sub(1).map(|before| segments[before]);
    let last = index + 1 == segments.len();
    match keyword {
        Some("manifests") if last => Part::Reference,
        Some("blobs" | "referrers") if last => Part::Digest,
        _ => Part::Name,
    }
}

fn repo(segments: &[&str]) -> Result<RepoName, RouteError> {
    Ok(segments.join("/").parse()?)
}

fn reference(text: &str) -> Result<Reference, RouteError> {
    text.parse().map_err(|error| match error {
        ReferenceError::Tag(error) => RouteError::Tag(error),
        ReferenceError::Digest(error) => RouteError::Digest(error),
    })
}

fn upload(text: &str) -> Result<UploadId, RouteError> {
    text.parse().map_err(|_| RouteError::Upload {
        id: text.chars().take(36).collect(),
    })
}

#[cfg(test)]
mod tests;
