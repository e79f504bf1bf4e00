mod annotations;
mod document;
mod edge;
mod scan;
mod shape;
mod view;

use bytes::Bytes;

use crate::media_type::{
    DOCKER_LIST, DOCKER_MANIFEST, DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED, JSON, OCI_INDEX,
    OCI_MANIFEST,
};
use crate::{Algorithm, Digest, MediaType, MediaTypeError};

pub use annotations::Annotations;
pub use edge::{Edge, EdgeKind};
pub(crate) use shape::Object;

use document::{Document, Field};
use scan::Scan;
use view::View;

/// How deep the JSON of a manifest may nest; below the bound of the parser, so that the error is ours.
const MAX_DEPTH: usize = 100;

/// How many references a pushed manifest may have: they become rows of one transaction.
const MAX_EDGES: usize = 10_000;

/// A manifest: its bytes, and what they say. It never changes.
#[derive(Clone, Debug)]
pub struct Manifest {
    payload: Bytes,
    digest: Digest,
    media_type: MediaType,
    kind: Kind,
    declares_media_type: bool,
    distribution_expresses: bool,
    view: View,
}

/// What the registry makes of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A config and layers, of OCI or Docker.
    Image,
    /// A list of other manifests, of OCI or Docker.
    Index,
    /// Docker's retired schema 1, which is kept where it is found and not accepted anew.
    Schema1,
    /// A type that the registry does not know.
    Other,
}

/// Why bytes are refused as a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is not JSON in UTF-8, or there is more than one value.
    #[error("manifest is not valid JSON")]
    Json(#[source] serde_json::Error),
    /// It is JSON, but not an object.
    #[error("manifest is not a JSON object")]
    NotAnObject,
    /// It nests deeper than anything that makes sense.
    #[error("manifest nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// It references more than can be recorded at once.
    #[error("manifest has {count} references: expected at most {MAX_EDGES}")]
    TooManyEdges {
        /// How many it has.
        count: usize,
    },
    /// It is of Docker's schema 1.
    #[error(
        "manifest is of Docker's schema 1, which is no longer accepted: push it with a current client"
    )]
    Schema1,
    /// Neither the request nor the manifest says what it is.
    #[error("manifest has no media type: expected a `Content-Type` header or a `mediaType` field")]
    NoMediaType,
    /// The manifest's own `mediaType` cannot be one.
    #[error("manifest has an invalid `mediaType`")]
    InvalidMediaType(#[source] MediaTypeError),
    /// The manifest says that it is something else.
    #[error("manifest has the `mediaType` `{declared}`: expected `{expected}`")]
    MediaTypeMismatch {
        /// What it was handed in as.
        expected: MediaType,
        /// The beginning of what the manifest says.
        declared: String,
    },
    /// A field is there twice, so that two readers may see two manifests.
    #[error("manifest has the field `{field}` twice")]
    Duplicate {
        /// Its name.
        field: &'static str,
    },
    /// A field differs from a known one in case only; some readers would take one for the other.
    #[error("manifest has the field `{found}`: expected `{expected}`")]
    Misspelt {
        /// The beginning of its name.
        found: String,
        /// The name it should have.
        expected: &'static str,
    },
    /// A field that the type needs is absent.
    #[error("manifest of type `{media_type}` has no field `{field}`")]
    Missing {
        /// The manifest's type.
        media_type: MediaType,
        /// The field's name.
        field: &'static str,
    },
    /// A field belongs to another type, so that two readers may see two manifests.
    #[error("manifest of type `{media_type}` has the field `{field}` of another type")]
    Ambiguous {
        /// The manifest's type.
        media_type: MediaType,
        /// The field's name.
        field: &'static str,
    },
    /// A field's value is not what the type says.
    #[error("manifest has an invalid field `{field}`")]
    InvalidField {
        /// The field's name.
        field: &'static str,
        /// Where in it, and why.
        #[source]
        source: serde_json::Error,
    },
    /// The schema version is not that of the type.
    #[error("manifest has the `schemaVersion` {found}: expected 2")]
    SchemaVersion {
        /// What it has.
        found: i64,
    },
    /// The bytes are not those that the digest names.
    #[error("manifest has the digest `{actual}`: expected `{expected}`")]
    DigestMismatch {
        /// What was asked for.
        expected: Digest,
        /// What the bytes are.
        actual: Digest,
    },
}

impl Manifest {
    /// Reads a manifest that a client pushes, and addresses it with `algorithm`.
    ///
    /// A known type must be what its specification says, in a way that every reader understands alike.
    /// Of an unknown one nothing is asked but that it is a JSON object.
    /// The caller bounds the size of `payload`.
    pub fn parse(
        payload: Bytes,
        content_type: Option<&MediaType>,
        algorithm: Algorithm,
    ) -> Result<Self, ManifestError> {
        let (scan, document) = read(&payload)?;
        if let Some(field) = document.duplicate() {
            return Err(ManifestError::Duplicate { field });
        }
        let declared = document.media_type()?;
        let media_type = resolve_media_type(content_type, declared.as_deref(), &document)?
            .ok_or(ManifestError::NoMediaType)?;
        let kind = Kind::of(&media_type);
        let view = match kind {
            Kind::Image => View::image(&media_type, &scan, &document)?,
            Kind::Index => View::index(&media_type, &scan, &document)?,
            Kind::Schema1 => return Err(ManifestError::Schema1),
            Kind::Other => View::other(&scan, &document),
        };
        if view.edges.len() > MAX_EDGES {
            return Err(ManifestError::TooManyEdges {
                count: view.edges.len(),
            });
        }
        let declares_media_type = declared.is_some();
        Ok(Self {
            digest: algorithm.digest(&payload),
            kind,
            declares_media_type,
            distribution_expresses: kind.is_known()
                && (declares_media_type || document.is_shaped_like(&media_type)),
            media_type,
            view,
            payload,
        })
    }

    /// Reads a manifest that is stored already, under `digest`.
    ///
    /// Whoever stored it may have asked for less than [`Manifest::parse`] does.
    /// What is not as the type says is not refused: like an unknown type it references every digest in it,
    /// so that nothing it may need is collected.
    pub fn adopt(
        payload: Bytes,
        media_type: Option<&MediaType>,
        digest: Digest,
    ) -> Result<Self, ManifestError> {
        let actual = digest.algorithm().digest(&payload);
        if actual != digest {
            return Err(ManifestError::DigestMismatch {
                expected: digest,
                actual,
            });
        }
        let (scan, document) = read(&payload)?;
        let declared = document.media_type().unwrap_or_default();
        let media_type = match resolve_media_type(media_type, declared.as_deref(), &document) {
            Ok(found) => found.unwrap_or_else(MediaType::json),
            // A type that is none cannot be the one it was stored as.
            Err(ManifestError::InvalidMediaType(_)) => MediaType::json(),
            Err(error) => return Err(error),
        };
        let kind = Kind::of(&media_type);
        let strict = match kind {
            _ if document.duplicate().is_some() => None,
            Kind::Image => View::image(&media_type, &scan, &document).ok(),
            Kind::Index => View::index(&media_type, &scan, &document).ok(),
            Kind::Schema1 | Kind::Other => None,
        };
        let declares_media_type = declared.as_deref() == Some(media_type.as_str());
        Ok(Self {
            digest,
            kind,
            declares_media_type,
            distribution_expresses: strict.is_some()
                && (declares_media_type || document.is_shaped_like(&media_type)),
            media_type,
            view: strict.unwrap_or_else(|| View::other(&scan, &document)),
            payload,
        })
    }

    /// The bytes as they were pushed.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The address of the bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The type it is served with.
    pub fn media_type(&self) -> &MediaType {
        &self.media_type
    }

    /// What the registry makes of it.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What it references, each once per kind, in the order of the document.
    pub fn edges(&self) -> &[Edge] {
        &self.view.edges
    }

    /// The manifest that this one is about.
    pub fn subject(&self) -> Option<Digest> {
        self.view
            .edges
            .iter()
            .find(|edge| edge.kind == EdgeKind::Subject)
            .map(|edge| edge.digest)
    }

    /// Its `artifactType`, or for an image without one the type of its config.
    pub fn artifact_type(&self) -> Option<&str> {
        self.view.artifact_type.as_deref()
    }

    /// Its annotations, as they are written.
    pub fn annotations(&self) -> Option<&Annotations> {
        self.view.annotations.as_ref()
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.payload.len() as u64
    }

    /// Whether the bytes themselves say what [`Manifest::media_type`] says.
    pub fn payload_declares_media_type(&self) -> bool {
        self.declares_media_type
    }

    /// Whether CNCF distribution, which keeps no media types, would serve it as the same thing.
    pub fn distribution_expresses(&self) -> bool {
        self.distribution_expresses
    }
}

impl Kind {
    fn of(media_type: &MediaType) -> Self {
        match media_type.as_str() {
            OCI_MANIFEST | DOCKER_MANIFEST => Self::Image,
            OCI_INDEX | DOCKER_LIST => Self::Index,
            DOCKER_SCHEMA1 | DOCKER_SCHEMA1_SIGNED => Self::Schema1,
            _ => Self::Other,
        }
    }

    fn is_known(self) -> bool {
        matches!(self, Self::Image | Self::Index)
    }
}

/// Reads the whole of `payload` once, then the fields that matter without copying them.
fn read(payload: &[u8]) -> Result<(Scan, Document<'_>), ManifestError> {
    let scan = Scan::of(payload)?;
    let document = serde_json::from_slice(payload).map_err(ManifestError::Json)?;
    Ok((scan, document))
}

/// Decides between what the manifest was handed in as, what it says it is, and what it looks like.
fn resolve_media_type(
    given: Option<&MediaType>,
    declared: Option<&str>,
    document: &Document<'_>,
) -> Result<Option<MediaType>, ManifestError> {
    let specific = given.filter(|given| **given != JSON);
    let resolved = match (specific, declared) {
        (Some(given), _) => Some(given.clone()),
        (None, Some(declared)) => {
            Some(MediaType::parse(declared).map_err(ManifestError::InvalidMediaType)?)
        }
        (None, None) => document.shape().or_else(|| given.cloned()),
    };
    match (resolved, declared) {
        (Some(expected), Some(declared)) if expected != declared => {
            Err(ManifestError::MediaTypeMismatch {
                expected,
                declared: crate::digest::excerpt(declared),
            })
        }
        (resolved, _) => Ok(resolved),
    }
}

impl Document<'_> {
    /// What a manifest without a type looks like.
    fn shape(&self) -> Option<MediaType> {
        let known = match self.schema_version() {
            Ok(Some(1)) if self.has(Field::Signatures) => DOCKER_SCHEMA1_SIGNED,
            Ok(Some(1)) => DOCKER_SCHEMA1,
            Ok(Some(2)) if self.has(Field::Manifests) => OCI_INDEX,
            Ok(Some(2)) if self.has(Field::Config) || self.has(Field::Layers) => OCI_MANIFEST,
            _ => return None,
        };
        Some(MediaType::known(known))
    }

    fn is_shaped_like(&self, media_type: &MediaType) -> bool {
        self.shape().is_some_and(|shape| shape == *media_type)
    }
}

#[cfg(test)]
mod tests;
