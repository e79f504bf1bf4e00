//! `GET /v2/<name>/referrers/<digest>`, end-12.

use boxyard_auth::{Permit, Pull};
use boxyard_oci::{Digest, ReferrerDescriptor, media_type};
use bytes::Bytes;
use http::header::LINK;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};

use super::headers::OCI_FILTERS_APPLIED;
use crate::app::App;
use crate::error::ApiError;
use crate::query::Query;
use crate::response::{Answer, ResponseBody};

/// How many descriptors a page has at most.
const PAGE: usize = 250;

/// Lists the manifests that refer to one, as an index.
pub(super) async fn get(
    app: &App,
    permit: &Permit<Pull>,
    subject: &Digest,
    request: &Parts,
) -> Result<Response<ResponseBody>, ApiError> {
    let query = Query::of(&request.uri);
    let artifact_type = query.text("artifactType")?;
    let after = query.digest("last")?;
    let referrers = app
        .registry
        .referrers(
            permit,
            subject,
            artifact_type.as_deref(),
            after.as_ref(),
            PAGE,
        )
        .await?;
    let mut answer = Answer::new(StatusCode::OK);
    if artifact_type.is_some() {
        answer = answer.header(
            OCI_FILTERS_APPLIED,
            HeaderValue::from_static("artifactType"),
        );
    }
    if let Some(last) = referrers.next {
        let last = last.to_string();
        let mut parameters = vec![("last", last.as_str())];
        parameters.extend(artifact_type.as_deref().map(|kind| ("artifactType", kind)));
        let path = format!("/v2/{}/referrers/{subject}", permit.repo());
        answer = answer.header(LINK, app.links.next(&path, &parameters));
    }
    let kind = HeaderValue::from_static(media_type::OCI_INDEX);
    Ok(answer.content(&request.method, kind, index(&referrers.descriptors)))
}

/// The page as an image index.
fn index(descriptors: &[ReferrerDescriptor]) -> Bytes {
    let list = serde_json::to_string(descriptors).expect("descriptors are plain data");
    let kind = media_type::OCI_INDEX;
    Bytes::from(format!(
        r#"{{"schemaVersion":2,"mediaType":"{kind}","manifests":{list}}}"#
    ))
}

#[cfg(test)]
mod tests {
    use boxyard_oci::{Algorithm, MediaType};

    use super::*;

    #[test]
    fn a_page_is_an_index_of_its_descriptors() {
        let descriptor = ReferrerDescriptor {
            media_type: MediaType::parse(media_type::OCI_MANIFEST).unwrap(),
            digest: Algorithm::Sha256.digest(b"a"),
            size: 1,
            artifact_type: Some("x/y".to_owned()),
            annotations: None,
        };

        let index: serde_json::Value = serde_json::from_slice(&index(&[descriptor])).unwrap();

        assert_eq!(index["mediaType"], media_type::OCI_INDEX);
        assert_eq!(index["manifests"][0]["artifactType"], "x/y");
    }
}
