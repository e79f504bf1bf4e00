//! `GET /v2/<name>/referrers/<digest>`, end-12.

use boxyard_auth::{Permit, Pull};
use boxyard_oci::{Digest, media_type};
use boxyard_registry::Referrers;
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
/// How long a page is at most; clients take an index of 4 MiB.
const PAGE_BYTES: usize = 3 << 20;

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
    let page = Page::cut(&referrers);
    let mut answer = Answer::new(StatusCode::OK);
    if artifact_type.is_some() {
        answer = answer.header(
            OCI_FILTERS_APPLIED,
            HeaderValue::from_static("artifactType"),
        );
    }
    if let Some(last) = page.next {
        let last = last.to_string();
        let mut parameters = vec![("last", last.as_str())];
        parameters.extend(artifact_type.as_deref().map(|kind| ("artifactType", kind)));
        let path = format!("/v2/{}/referrers/{subject}", permit.repo());
        answer = answer.header(LINK, app.links.next(&path, &parameters));
    }
    let kind = HeaderValue::from_static(media_type::OCI_INDEX);
    Ok(answer.content(&request.method, kind, page.body))
}

/// A page that a client can take in.
struct Page {
    body: Bytes,
    next: Option<Digest>,
}

impl Page {
    /// Cuts what was found to the length of a page; one descriptor always fits, however long it is.
    fn cut(referrers: &Referrers) -> Self {
        let mut list = String::new();
        let mut next = referrers.next;
        let mut before = None;
        for descriptor in &referrers.descriptors {
            let text = serde_json::to_string(descriptor).expect("a descriptor is plain data");
            if before.is_some() && list.len() + text.len() > PAGE_BYTES {
                next = before;
                break;
            }
            if before.is_some() {
                list.push(',');
            }
            list.push_str(&text);
            before = Some(descriptor.digest);
        }
        let kind = media_type::OCI_INDEX;
        let body = format!(r#"{{"schemaVersion":2,"mediaType":"{kind}","manifests":[{list}]}}"#);
        Self {
            body: Bytes::from(body),
            next,
        }
    }
}

#[cfg(test)]
mod tests {
    use boxyard_oci::{Algorithm, MediaType, ReferrerDescriptor};

    use super::*;

    fn descriptor(content: &[u8], artifact_type: &str) -> ReferrerDescriptor {
        ReferrerDescriptor {
            media_type: MediaType::parse(media_type::OCI_MANIFEST).unwrap(),
            digest: Algorithm::Sha256.digest(content),
            size: 1,
            artifact_type: Some(artifact_type.to_owned()),
            annotations: None,
        }
    }

    #[test]
    fn a_page_that_fits_is_an_index_of_all() {
        let referrers = Referrers {
            descriptors: vec![descriptor(b"a", "x/y"), descriptor(b"b", "x/z")],
            next: None,
        };

        let page = Page::cut(&referrers);

        let index: serde_json::Value = serde_json::from_slice(&page.body).unwrap();
        assert_eq!(index["manifests"].as_array().unwrap().len(), 2);
        assert_eq!(index["manifests"][1]["artifactType"], "x/z");
        assert_eq!(page.next, None);
    }

    #[test]
    fn long_descriptors_go_to_the_next_page() {
        let long = "x".repeat(2 << 20);
        let referrers = Referrers {
            descriptors: vec![descriptor(b"a", &long), descriptor(b"b", &long)],
            next: None,
        };

        let page = Page::cut(&referrers);

        assert!(page.body.len() < 3 << 20);
        assert_eq!(page.next, Some(Algorithm::Sha256.digest(b"a")));
    }
}
