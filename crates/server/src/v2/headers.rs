//! Headers that only registries know.

use http::{HeaderName, HeaderValue};

/// The digest of what is served or was stored.
pub(crate) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
/// The id of an upload.
pub(crate) const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");
/// Says that this is a registry; old clients look for it.
pub(crate) const API_VERSION: HeaderName =
    HeaderName::from_static("docker-distribution-api-version");
/// The subject by which a pushed manifest is now listed.
pub(crate) const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
/// The tags that a push has moved.
pub(crate) const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");
/// Which filters a list of referrers went through.
pub(crate) const OCI_FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");
/// The id of a request; the log has it in every line about the request.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What has a digest for a name never changes.
pub(crate) const IMMUTABLE: HeaderValue = HeaderValue::from_static("max-age=31536000, immutable");
