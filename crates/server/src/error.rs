//! The one place where errors of the domain become what a client sees.
//!
//! Every match is total and has no wildcard arm: a new variant does not compile until somebody decides here.

use std::error::Error;
use std::fmt::{Display, Write};

use boxyard_auth::Denied;
use boxyard_oci::{ContentRangeError, Digest, ErrorCode};
use boxyard_registry::{
    BodyError, DeleteError, Internal, PullError, PushError, PushManifestError, RuleError,
};
use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::body::CollectError;
use crate::query::QueryError;
use crate::response::ResponseBody;
use crate::v2::route::{Route, RouteError};

/// How many missing digests an answer names one by one.
const NAMED: usize = 100;

/// Why nothing changes.
const READ_ONLY: &str = "the registry is read-only for maintenance (`storage.maintenance.readonly`): nothing is pushed or deleted until its administrator is done";

/// An answer that is an error, in the form that the specification gives it.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// One error for each; none means one error without a detail.
    details: Vec<Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl ApiError {
    /// An error that the client can do something about.
    pub(crate) fn client(code: ErrorCode, message: &dyn Display) -> Self {
        Self {
            status: StatusCode::from_u16(code.status()).expect("every code has a valid status"),
            code: code.as_str(),
            message: message.to_string(),
            details: Vec::new(),
            headers: Vec::new(),
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// An error that only the administrator can do something about: its causes go to the log, and only there.
    fn internal(error: &(dyn Error + 'static)) -> Self {
        tracing::error!(error = %chain(error), "the registry failed");
        Self::client(
            ErrorCode::Unknown,
            &"the registry failed; its log has the reason under this request's id",
        )
    }

    /// Storage is full: 507, with a code of our own, because none of the specification's says so.
    fn no_space(message: &dyn Display) -> Self {
        tracing::error!("storage is full: uploads are refused until there is room");
        Self {
            code: "INSUFFICIENT_STORAGE",
            ..Self::client(ErrorCode::Unavailable, message)
        }
        .with_status(StatusCode::INSUFFICIENT_STORAGE)
    }

    /// Nobody can tell which host the request is for, nor who else reads it, so the connection ends.
    pub(crate) fn host() -> Self {
        let reason =
            "the request has no clear `Host`: expected one header with a host and perhaps a port";
        Self::client(ErrorCode::Unsupported, &reason)
            .with_status(StatusCode::BAD_REQUEST)
            .with_header(CONNECTION, "close")
    }

    /// A health check fails, so that nothing is served.
    pub(crate) fn unwell() -> Self {
        let message = "a health check fails: /debug/health on the debug listener says which";
        Self::client(ErrorCode::Unavailable, &message)
    }

    /// The resource is there and does not know the method.
    pub(crate) fn method(route: &Route, method: &Method) -> Self {
        let allow = route.allow();
        Self::client(
            ErrorCode::Unsupported,
            &format!("method `{method}` is not served here: expected {allow}"),
        )
        .with_header(ALLOW, &allow)
    }

    /// The administrator lets nobody write.
    pub(crate) fn read_only(route: &Route) -> Self {
        let reads = [Method::GET, Method::HEAD];
        let reads = reads.iter().filter(|method| route.access(method).is_some());
        let allow: Vec<_> = reads.map(Method::as_str).collect();
        Self::client(ErrorCode::Unsupported, &READ_ONLY).with_header(ALLOW, &allow.join(", "))
    }

    /// A command of the administration changes nothing either, since somebody may be copying the folder.
    pub(crate) fn read_only_command() -> Self {
        Self::client(ErrorCode::Unsupported, &READ_ONLY)
    }

    /// The page is longer than the administrator allows.
    pub(crate) fn page_size(most: usize) -> Self {
        Self::client(
            ErrorCode::PaginationNumberInvalid,
            &format!("`n` is larger than {most}, which is the most that a page may have"),
        )
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn with_detail(mut self, detail: Value) -> Self {
        self.details.push(detail);
        self
    }

    /// Adds a header whose value is made of parsed parts.
    pub(crate) fn with_header(self, name: HeaderName, value: &str) -> Self {
        let value =
            HeaderValue::from_str(value).expect("names, numbers and methods are visible text");
        self.with_value(name, value)
    }

    pub(crate) fn with_value(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Renders the answer; a failure of the registry's own carries the request's id, by which its log is searched.
    pub(crate) fn into_response(self, request: &str) -> Response<ResponseBody> {
        let error = |detail: Option<&Value>| {
            let mut error = json!({"code": self.code, "message": self.message});
            if let Some(detail) = detail {
                error["detail"] = detail.clone();
            }
            error
        };
        let failed = json!({"requestId": request});
        let errors: Vec<Value> = if self.status.is_server_error() {
            vec![error(Some(&failed))]
        } else if self.details.is_empty() {
            vec![error(None)]
        } else {
            self.details
                .iter()
                .map(|detail| error(Some(detail)))
                .collect()
        };
        let body = Bytes::from(format!("{}\n", json!({"errors": errors})));
        let mut response = Response::new(ResponseBody::full(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.extend(self.headers);
        response
    }
}

/// An error with all its causes, for the log.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        write!(text, ": {error}").expect("a string takes every write");
        source = error.source();
    }
    text
}

impl From<RouteError> for ApiError {
    fn from(error: RouteError) -> Self {
        let status = match error {
            RouteError::NotFound => Some(StatusCode::NOT_FOUND),
            RouteError::Encoding { .. }
            | RouteError::Name(_)
            | RouteError::Tag(_)
            | RouteError::Digest(_)
            | RouteError::Upload { .. } => None,
        };
        let answer = Self::client(error.code(), &error);
        match status {
            Some(status) => answer.with_status(status),
            None => answer,
        }
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        let code = match &error {
            QueryError::Encoding { .. } => ErrorCode::Unsupported,
            QueryError::Digest { .. } | QueryError::NoDigest | QueryError::Algorithm { .. } => {
                ErrorCode::DigestInvalid
            }
            QueryError::Name(_) => ErrorCode::NameInvalid,
            QueryError::Tag(_) => ErrorCode::TagInvalid,
            QueryError::Number { .. } => ErrorCode::PaginationNumberInvalid,
        };
        Self::client(code, &chain(&error)).with_status(StatusCode::BAD_REQUEST)
    }
}

impl From<ContentRangeError> for ApiError {
    fn from(error: ContentRangeError) -> Self {
        Self::client(ErrorCode::RangeInvalid, &error)
    }
}

impl From<Denied> for ApiError {
    fn from(error: Denied) -> Self {
        Self::client(ErrorCode::Denied, &error)
    }
}

impl From<PullError> for ApiError {
    fn from(error: PullError) -> Self {
        let code = match &error {
            PullError::NameUnknown => ErrorCode::NameUnknown,
            PullError::ManifestUnknown | PullError::Schema1 => ErrorCode::ManifestUnknown,
            PullError::BlobUnknown => ErrorCode::BlobUnknown,
            PullError::Internal(error) => return Self::from_internal(error),
        };
        Self::client(code, &error)
    }
}

impl From<PushError> for ApiError {
    fn from(error: PushError) -> Self {
        let code = match &error {
            PushError::UploadUnknown => ErrorCode::BlobUploadUnknown,
            PushError::RangeInvalid { .. } => ErrorCode::RangeInvalid,
            PushError::SizeMismatch { .. } => ErrorCode::SizeInvalid,
            PushError::DigestMismatch { .. } => ErrorCode::DigestInvalid,
            PushError::NoSpace => return Self::no_space(&error),
            PushError::TakenOver => {
                return Self::client(ErrorCode::BlobUploadInvalid, &error)
                    .with_status(StatusCode::CONFLICT);
            }
            PushError::Body(error) => return error.into(),
            PushError::Internal(error) => return Self::from_internal(error),
        };
        Self::client(code, &error)
    }
}

impl From<&BodyError> for ApiError {
    fn from(error: &BodyError) -> Self {
        let status = match error {
            // Nobody may be left to read it.
            BodyError::Gone(_) => StatusCode::BAD_REQUEST,
            BodyError::TooSlow => StatusCode::REQUEST_TIMEOUT,
        };
        Self::client(ErrorCode::BlobUploadInvalid, error).with_status(status)
    }
}

impl From<CollectError> for ApiError {
    fn from(error: CollectError) -> Self {
        match &error {
            CollectError::TooLarge { .. } => Self::client(ErrorCode::SizeInvalid, &error)
                .with_status(StatusCode::PAYLOAD_TOO_LARGE),
            CollectError::Body(error) => error.into(),
        }
    }
}

impl From<PushManifestError> for ApiError {
    fn from(error: PushManifestError) -> Self {
        match &error {
            PushManifestError::Invalid(invalid) => {
                Self::client(ErrorCode::ManifestInvalid, &chain(invalid))
            }
            PushManifestError::DigestMismatch { .. } => {
                Self::client(ErrorCode::DigestInvalid, &error)
            }
            PushManifestError::Rule(RuleError::Class { .. } | RuleError::Granted { .. }) => {
                Self::client(ErrorCode::Denied, &error)
            }
            PushManifestError::UnknownBlobs { digests } => {
                let details = digests.iter().take(NAMED).map(unknown).collect();
                Self {
                    details,
                    ..Self::client(ErrorCode::ManifestBlobUnknown, &error)
                }
            }
            PushManifestError::SizeMismatch { .. }
            | PushManifestError::Rule(RuleError::Url { .. } | RuleError::NoUrl { .. }) => {
                Self::client(ErrorCode::ManifestInvalid, &error)
            }
            PushManifestError::TooLarge { .. } => Self::client(ErrorCode::SizeInvalid, &error)
                .with_status(StatusCode::PAYLOAD_TOO_LARGE),
            PushManifestError::NoSpace => Self::no_space(&error),
            PushManifestError::Internal(error) => Self::from_internal(error),
        }
    }
}

fn unknown(digest: &Digest) -> Value {
    json!({"digest": digest})
}

impl From<DeleteError> for ApiError {
    fn from(error: DeleteError) -> Self {
        match &error {
            DeleteError::Disabled => {
                Self::client(ErrorCode::Unsupported, &error).with_header(ALLOW, "GET, HEAD")
            }
            DeleteError::ManifestUnknown => Self::client(ErrorCode::ManifestUnknown, &error),
            DeleteError::BlobUnknown => Self::client(ErrorCode::BlobUnknown, &error),
            DeleteError::NamedBy { manifest } => {
                let detail = json!({"manifest": manifest});
                Self::client(ErrorCode::Unsupported, &error)
                    .with_header(ALLOW, "GET, HEAD")
                    .with_detail(detail)
            }
            DeleteError::Internal(error) => Self::from_internal(error),
        }
    }
}

impl ApiError {
    fn from_internal(error: &Internal) -> Self {
        if error.is_no_space() {
            Self::no_space(&"the registry's storage is full: ask its administrator to make room")
        } else {
            Self::internal(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(error: ApiError) -> (StatusCode, String) {
        let response = error.into_response("42");
        let status = response.status();
        let body = response.into_body().into_bytes().unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn an_error_names_its_code_and_reason() {
        let (status, body) = rendered(PullError::NameUnknown.into());

        assert_eq!(status, 404);
        assert_eq!(
            body.trim(),
            r#"{"errors":[{"code":"NAME_UNKNOWN","message":"the repository is not known"}]}"#
        );
    }

    #[test]
    fn a_failure_tells_its_request_and_nothing_else() {
        let source = std::io::Error::other("secret path");
        let failure = Internal::Folder {
            action: "read a secret",
            source,
        };

        let (status, body) = rendered(PullError::Internal(failure).into());

        assert_eq!(status, 500);
        assert!(body.contains(r#""detail":{"requestId":"42"}"#), "{body}");
        assert!(!body.contains("secret"), "{body}");
    }

    #[test]
    fn a_full_disk_is_507_whoever_meets_it() {
        let full = || std::io::Error::from(std::io::ErrorKind::StorageFull);
        let failure = Internal::Folder {
            action: "write",
            source: full(),
        };

        for error in [
            ApiError::from(PushError::NoSpace),
            ApiError::from_internal(&failure),
        ] {
            let (status, body) = rendered(error);
            assert_eq!(status, 507);
            assert!(body.contains("INSUFFICIENT_STORAGE"), "{body}");
        }
    }

    #[test]
    fn each_missing_blob_is_an_error_of_its_own() {
        let digests = [b"a", b"b"].map(|bytes| boxyard_oci::Algorithm::Sha256.digest(bytes));
        let error = PushManifestError::UnknownBlobs {
            digests: digests.to_vec(),
        };

        let (status, body) = rendered(error.into());

        assert_eq!(status, 400);
        assert_eq!(body.matches("MANIFEST_BLOB_UNKNOWN").count(), 2, "{body}");
        assert!(body.contains(&digests[1].to_string()), "{body}");
    }

    #[test]
    fn a_blob_in_use_names_its_manifest() {
        let manifest = boxyard_oci::Algorithm::Sha256.digest(b"m");

        let response = ApiError::from(DeleteError::NamedBy { manifest }).into_response("1");

        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()[ALLOW], "GET, HEAD");
    }
}
