//! Manifests and tags: end-3, end-7 and end-9.

use boxyard_auth::{Delete, Permit, Pull, Push};
use boxyard_oci::{ErrorCode, MediaType, Reference};
use boxyard_registry::{Happening, Pushed, StoredManifest};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LOCATION, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::headers::{CONTENT_DIGEST, IMMUTABLE, OCI_SUBJECT, OCI_TAG};
use crate::app::App;
use crate::body::RequestBody;
use crate::conditional::{etag, is_held};
use crate::error::ApiError;
use crate::query::Query;
use crate::response::{Answer, ResponseBody};

/// What a tag names may change at any time, so it may be kept but must be asked for again.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// Answers with the manifest as it was pushed, whatever the client says that it accepts.
pub(super) async fn get(
    app: &App,
    permit: &Permit<Pull>,
    push: Option<&Permit<Push>>,
    reference: &Reference,
    request: &Parts,
) -> Result<Response<ResponseBody>, ApiError> {
    let found = app.registry.manifest_relied_upon(permit, push, reference);
    let manifest = found.await?;
    let caching = match reference {
        Reference::Digest(_) => IMMUTABLE,
        Reference::Tag(_) => ASK_AGAIN,
    };
    let status = if is_held(&request.headers, &manifest.digest) {
        StatusCode::NOT_MODIFIED
    } else {
        StatusCode::OK
    };
    let answer = Answer::new(status)
        .text(CONTENT_DIGEST, &manifest.digest.to_string())
        .header(ETAG, etag(&manifest.digest))
        .header(CACHE_CONTROL, caching);
    if status == StatusCode::NOT_MODIFIED {
        return Ok(answer.done());
    }
    let tag = match reference {
        Reference::Digest(_) => None,
        Reference::Tag(tag) => Some(tag),
    };
    app.pulled(
        request,
        permit.repo(),
        Happening::ManifestPulled(&manifest, tag),
    );
    Ok(harmless(answer).content(&request.method, kind(&manifest), manifest.payload))
}

/// Whoever may push chooses the type and the bytes, so a browser is told to run none of it.
fn harmless(answer: Answer) -> Answer {
    answer
        .header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .header(
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; sandbox"),
        )
}

fn kind(manifest: &StoredManifest) -> HeaderValue {
    HeaderValue::from_str(manifest.media_type.as_str()).expect("a media type is visible text")
}

/// Stores a manifest and moves its tags to it.
pub(super) async fn put(
    app: &App,
    permit: &Permit<Push>,
    reference: &Reference,
    request: &Parts,
    body: RequestBody,
) -> Result<Response<ResponseBody>, ApiError> {
    let media_type = content_type(&request.headers)?;
    let tags = Query::of(&request.uri).tags()?;
    let payload = body.collect(app.limits.manifest_bytes).await?;
    let pushed = app
        .registry
        .push_manifest(
            permit,
            reference,
            media_type.as_ref(),
            payload,
            tags,
            &app.teller(request),
        )
        .await?;
    let location = app.links.manifest(permit.repo(), &pushed.digest);
    Ok(created(&pushed).header(LOCATION, location).empty())
}

fn content_type(headers: &HeaderMap) -> Result<Option<MediaType>, ApiError> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(value.as_bytes());
    match MediaType::parse(&text) {
        Ok(media_type) => Ok(Some(media_type)),
        Err(error) => Err(ApiError::client(ErrorCode::ManifestInvalid, &error)),
    }
}

fn created(pushed: &Pushed) -> Answer {
    let mut answer =
        Answer::new(StatusCode::CREATED).text(CONTENT_DIGEST, &pushed.digest.to_string());
    if let Some(subject) = &pushed.subject {
        answer = answer.text(OCI_SUBJECT, &subject.to_string());
    }
    if !pushed.tags.is_empty() {
        let tags: Vec<&str> = pushed.tags.iter().map(AsRef::as_ref).collect();
        answer = answer.text(OCI_TAG, &tags.join(", "));
    }
    answer
}

/// Removes a tag, or a manifest with the tags that name it.
pub(super) async fn delete(
    app: &App,
    permit: &Permit<Delete>,
    reference: &Reference,
    request: &Parts,
) -> Result<Response<ResponseBody>, ApiError> {
    let (registry, teller) = (&app.registry, app.teller(request));
    match reference {
        Reference::Tag(tag) => registry.delete_tag(permit, tag, &teller).await?,
        Reference::Digest(digest) => registry.delete_manifest(permit, digest, &teller).await?,
    }
    Ok(Answer::new(StatusCode::ACCEPTED).empty())
}
