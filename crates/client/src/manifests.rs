//! Manifests.

use boxyard_oci::{Digest, Reference, RepoName};
use bytes::Bytes;
use http::{HeaderValue, Method, header};

use crate::connection::{Client, Content, request, whole, with_content};
use crate::error::ClientError;

/// A manifest as the registry has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestContent {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub payload: Bytes,
}

impl Client {
    /// The manifest that `reference` names in `repo`.
    pub async fn manifest(
        &self,
        repo: &RepoName,
        reference: &Reference,
    ) -> Result<Option<ManifestContent>, ClientError> {
        let path = format!("/v2/{repo}/manifests/{reference}");
        let Some(answer) = self.find(request(Method::GET, &path)).await? else {
            return Ok(None);
        };
        let text = |name: &str| {
            let value = answer.headers().get(name);
            let value = value.and_then(|value| value.to_str().ok());
            value.map(ToOwned::to_owned).unwrap_or_default()
        };
        let media_type = text(header::CONTENT_TYPE.as_str());
        let digest = text("docker-content-digest").parse();
        let digest = digest
            .map_err(|error: boxyard_oci::DigestError| ClientError::Answer(error.to_string()))?;
        Ok(Some(ManifestContent {
            digest,
            media_type,
            payload: whole(answer).await?,
        }))
    }

    /// Stores a manifest under `reference` in `repo`.
    pub async fn put_manifest(
        &self,
        repo: &RepoName,
        reference: &Reference,
        media_type: &str,
        payload: Bytes,
    ) -> Result<(), ClientError> {
        let path = format!("/v2/{repo}/manifests/{reference}");
        let mut put = with_content(Method::PUT, &path, Content::bytes(payload));
        if let Ok(value) = HeaderValue::from_str(media_type) {
            put.headers_mut().insert(header::CONTENT_TYPE, value);
        }
        whole(self.ask(put).await?).await.map(drop)
    }

    /// The digests and media types of what refers to the manifest `subject` of `repo`.
    pub async fn referrers(
        &self,
        repo: &RepoName,
        subject: &Digest,
    ) -> Result<Vec<Digest>, ClientError> {
        let mut next = Some(format!("/v2/{repo}/referrers/{subject}"));
        let mut found = Vec::new();
        while let Some(path) = next {
            let answer = self.ask(request(Method::GET, &path)).await?;
            next = answer
                .headers()
                .get(header::LINK)
                .and_then(|link| link.to_str().ok())
                .and_then(|link| Some(link.strip_prefix('<')?.split_once('>')?.0.to_owned()))
                .map(|link| path_of(&link));
            let body = whole(answer).await?;
            let index: serde_json::Value = serde_json::from_slice(&body)
                .map_err(|error| ClientError::Answer(error.to_string()))?;
            for entry in index["manifests"].as_array().into_iter().flatten() {
                let digest = entry["digest"].as_str().unwrap_or_default().parse();
                found.push(digest.map_err(|error: boxyard_oci::DigestError| {
                    ClientError::Answer(error.to_string())
                })?);
            }
        }
        Ok(found)
    }
}

/// The path of a link, which names a host where the configuration says so.
fn path_of(link: &str) -> String {
    match link.find("/v2/") {
        Some(start) => link[start..].to_owned(),
        None => link.to_owned(),
    }
}
