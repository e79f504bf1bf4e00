//! Blobs: end-2 and end-10.

use boxyard_auth::{Delete, Permit, Pull, Push};
use boxyard_oci::{Digest, ErrorCode, RangeRequest, parse_range};
use boxyard_registry::{Happening, ReadError, Way};
use futures_util::TryStreamExt;
use http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, RANGE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version};

use super::headers::{CONTENT_DIGEST, IMMUTABLE};
use crate::access::Asked;
use crate::app::App;
use crate::conditional::{allows_range, etag, is_held};
use crate::error::{ApiError, chain};
use crate::response::{Answer, ResponseBody};

const OCTET_STREAM: HeaderValue = HeaderValue::from_static("application/octet-stream");
const BYTES: HeaderValue = HeaderValue::from_static("bytes");

/// Answers with the blob or with one range of it.
///
/// A HEAD asks for its size only, and a GET opens it before the status goes out.
pub(super) async fn get(
    app: &App,
    permit: &Permit<Pull>,
    push: Option<&Permit<Push>>,
    digest: &Digest,
    asked: Asked<'_>,
) -> Result<Response<ResponseBody>, ApiError> {
    let request = asked.request;
    if request.method == Method::HEAD {
        let size = app.registry.blob_size(permit, push, digest).await?;
        app.pulled(request, permit.repo(), Happening::BlobPulled(digest, size));
        if is_held(&request.headers, digest) {
            return Ok(described(StatusCode::NOT_MODIFIED, digest).done());
        }
        let answer = described(StatusCode::OK, digest).header(CONTENT_TYPE, OCTET_STREAM);
        return Ok(answer.sized(&request.method, size, ResponseBody::empty));
    }
    let blob = app.registry.blob(permit, digest).await?;
    let size = blob.size();
    app.pulled(request, permit.repo(), Happening::BlobPulled(digest, size));
    if is_held(&request.headers, digest) {
        return Ok(described(StatusCode::NOT_MODIFIED, digest).done());
    }
    let (status, start, end) = match requested(&request.headers, digest, size) {
        RangeRequest::Whole => (StatusCode::OK, 0, size),
        RangeRequest::Part {
            start,
            end_inclusive,
        } => (StatusCode::PARTIAL_CONTENT, start, end_inclusive + 1),
        RangeRequest::Unsatisfiable => return Err(unsatisfiable(size)),
    };
    let mut answer = described(status, digest).header(CONTENT_TYPE, OCTET_STREAM);
    if status == StatusCode::PARTIAL_CONTENT {
        answer = answer.text(CONTENT_RANGE, &format!("bytes {start}-{}/{size}", end - 1));
    }
    let length = end - start;
    Ok(answer.sized(&request.method, length, || {
        let pieces = blob.read(start, end, way(asked)).inspect_err(note);
        ResponseBody::pieces(pieces, length)
    }))
}

/// HTTP/1 without TLS hands the addresses of what it sends to the kernel; HTTP/2 makes frames of it, and TLS encrypts it.
fn way(asked: Asked<'_>) -> Way {
    if asked.request.version <= Version::HTTP_11 && !asked.peer.is_secure {
        Way::Untouched
    } else {
        Way::Copied
    }
}

/// Says why an answer ends early; that its status is out already leaves no other way.
fn note(error: &ReadError) {
    match error {
        // The registry has said so, and made a finding of it.
        ReadError::CutShort { .. } => {}
        ReadError::Folder { .. } => {
            tracing::error!(error = %chain(error), "a blob could not be read to its end");
        }
    }
}

fn described(status: StatusCode, digest: &Digest) -> Answer {
    Answer::new(status)
        .text(CONTENT_DIGEST, &digest.to_string())
        .header(ETAG, etag(digest))
        .header(CACHE_CONTROL, IMMUTABLE)
        .header(ACCEPT_RANGES, BYTES)
}

fn requested(headers: &HeaderMap, digest: &Digest, size: u64) -> RangeRequest {
    let mut ranges = headers.get_all(RANGE).iter();
    match (ranges.next(), ranges.next()) {
        (Some(range), None) if allows_range(headers, digest) => range
            .to_str()
            .map_or(RangeRequest::Whole, |range| parse_range(range, size)),
        _ => RangeRequest::Whole,
    }
}

fn unsatisfiable(size: u64) -> ApiError {
    ApiError::client(
        ErrorCode::RangeInvalid,
        &format!("the range lies outside of the blob, which has {size} bytes"),
    )
    .with_header(CONTENT_RANGE, &format!("bytes */{size}"))
}

/// Takes the blob out of the repository.
pub(super) async fn delete(
    app: &App,
    permit: &Permit<Delete>,
    digest: &Digest,
    request: &Parts,
) -> Result<Response<ResponseBody>, ApiError> {
    let teller = app.teller(request);
    app.registry.delete_blob(permit, digest, &teller).await?;
    Ok(Answer::new(StatusCode::ACCEPTED)
        .text(CONTENT_DIGEST, &digest.to_string())
        .empty())
}
