//! Uploads and mounts: end-4, end-5, end-6, end-11, end-13 and end-14.

use boxyard_auth::{Permit, Push};
use boxyard_oci::{ContentRange, Digest, ErrorCode, RepoName};
use boxyard_registry::{MountSource, PushError, UploadId};
use http::header::{CONTENT_RANGE, LOCATION, RANGE};
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};

use super::headers::{CONTENT_DIGEST, UPLOAD_UUID};
use crate::access::Caller;
use crate::app::App;
use crate::body::RequestBody;
use crate::error::ApiError;
use crate::query::{Query, QueryError};
use crate::response::{Answer, ResponseBody};

/// Mounts a blob, takes a whole one, or opens a session for it.
pub(super) async fn post(
    app: &App,
    caller: &Caller<'_>,
    permit: &Permit<Push>,
    request: &Parts,
    body: RequestBody,
) -> Result<Response<ResponseBody>, ApiError> {
    let query = Query::of(&request.uri);
    let algorithm = query.algorithm()?;
    let digest = query.digest("digest")?;
    if let Some(mounted) = query.digest("mount")?
        && mount(app, caller, permit, &mounted, query.from()?, request).await?
    {
        return Ok(stored(app, permit.repo(), &mounted));
    }
    if let Some(digest) = digest
        && comes_with(&digest, &body)
    {
        app.registry
            .push_blob(permit, &digest, body.into_stream(), &app.teller(request))
            .await?;
        return Ok(stored(app, permit.repo(), &digest));
    }
    let algorithm = algorithm.or(digest.map(|digest| digest.algorithm()));
    let id = app.registry.begin_upload(permit, algorithm).await?;
    Ok(position(app, StatusCode::ACCEPTED, permit.repo(), &id, 0).empty())
}

/// Whether the content is in this request; older clients name the digest and send the content with a PUT.
fn comes_with(digest: &Digest, body: &RequestBody) -> bool {
    !body.is_empty() || *digest == digest.algorithm().digest(b"")
}

async fn mount(
    app: &App,
    caller: &Caller<'_>,
    permit: &Permit<Push>,
    digest: &Digest,
    from: Option<RepoName>,
    request: &Parts,
) -> Result<bool, ApiError> {
    let readable = |repo: &RepoName| caller.permit(repo).ok();
    let source = match from {
        None => MountSource::Anywhere(readable),
        Some(from) => match readable(&from) {
            Some(from) => MountSource::From(from),
            // Who may not read it, is not told whether the blob is there.
            None => return Ok(false),
        },
    };
    let teller = app.teller(request);
    Ok(app.registry.mount(permit, digest, source, &teller).await?)
}

/// Appends a chunk, or everything at once.
pub(super) async fn patch(
    app: &App,
    permit: &Permit<Push>,
    id: &UploadId,
    request: &Parts,
    body: RequestBody,
) -> Result<Response<ResponseBody>, ApiError> {
    let range = content_range(&request.headers, &body)?;
    let appended = app
        .registry
        .append(permit, id, range, body.into_stream())
        .await;
    let size = appended.map_err(|error| refused(app, permit.repo(), id, error))?;
    Ok(position(app, StatusCode::ACCEPTED, permit.repo(), id, size).empty())
}

/// Appends what comes and makes the whole a blob.
pub(super) async fn put(
    app: &App,
    permit: &Permit<Push>,
    id: &UploadId,
    request: &Parts,
    body: RequestBody,
) -> Result<Response<ResponseBody>, ApiError> {
    let digest = Query::of(&request.uri)
        .digest("digest")?
        .ok_or(QueryError::NoDigest)?;
    let range = content_range(&request.headers, &body)?;
    let finished = app
        .registry
        .finish(
            permit,
            id,
            &digest,
            range,
            body.into_stream(),
            &app.teller(request),
        )
        .await;
    finished.map_err(|error| refused(app, permit.repo(), id, error))?;
    Ok(stored(app, permit.repo(), &digest))
}

/// Says how far the upload has come.
pub(super) async fn get(
    app: &App,
    permit: &Permit<Push>,
    id: &UploadId,
) -> Result<Response<ResponseBody>, ApiError> {
    let size = app.registry.upload_status(permit, id).await?;
    Ok(position(app, StatusCode::NO_CONTENT, permit.repo(), id, size).done())
}

/// Drops the upload.
pub(super) async fn delete(
    app: &App,
    permit: &Permit<Push>,
    id: &UploadId,
) -> Result<Response<ResponseBody>, ApiError> {
    app.registry.cancel_upload(permit, id).await?;
    Ok(Answer::new(StatusCode::NO_CONTENT).done())
}

fn stored(app: &App, repo: &RepoName, digest: &Digest) -> Response<ResponseBody> {
    Answer::new(StatusCode::CREATED)
        .header(LOCATION, app.links.blob(repo, digest))
        .text(CONTENT_DIGEST, &digest.to_string())
        .empty()
}

fn position(app: &App, status: StatusCode, repo: &RepoName, id: &UploadId, size: u64) -> Answer {
    Answer::new(status)
        .header(LOCATION, app.links.upload(repo, id))
        .text(RANGE, &received(size))
        .text(UPLOAD_UUID, id.as_str())
}

/// The header `Range` of an upload: it names the last byte, and cannot tell an empty upload from one of a byte.
fn received(size: u64) -> String {
    format!("0-{}", size.saturating_sub(1))
}

/// An out-of-order chunk is told where the upload goes on.
fn refused(app: &App, repo: &RepoName, id: &UploadId, error: PushError) -> ApiError {
    let goes_on = match &error {
        PushError::RangeInvalid { expected, .. } => Some(*expected),
        _ => None,
    };
    let answer = ApiError::from(error);
    match goes_on {
        Some(size) => answer
            .with_value(LOCATION, app.links.upload(repo, id))
            .with_header(RANGE, &received(size))
            .with_header(UPLOAD_UUID, id.as_str()),
        None => answer,
    }
}

/// Where the chunk belongs, if the client says so; what contradicts the body's length is refused before it is read.
fn content_range(
    headers: &HeaderMap,
    body: &RequestBody,
) -> Result<Option<ContentRange>, ApiError> {
    let Some(value) = headers.get(CONTENT_RANGE) else {
        return Ok(None);
    };
    let range: ContentRange = String::from_utf8_lossy(value.as_bytes()).parse()?;
    match body.announced() {
        Some(length) if length != range.len() => Err(ApiError::client(
            ErrorCode::SizeInvalid,
            &format!(
                "the body has {length} bytes, but its range announces {}",
                range.len()
            ),
        )),
        _ => Ok(Some(range)),
    }
}
