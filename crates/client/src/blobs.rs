//! Blobs: read, mounted and uploaded.

use boxyard_oci::{Digest, RepoName};
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use crate::connection::{Answer, Client, Content, request, whole, with_content};
use crate::error::ClientError;

/// A blob that is being read.
#[derive(Debug)]
pub struct BlobContent {
    size: u64,
    body: Incoming,
}

impl BlobContent {
    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The next bytes; none at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(data) = frame.map_err(ClientError::Http)?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

impl Client {
    /// Begins to read a blob of `repo`.
    pub async fn blob(
        &self,
        repo: &RepoName,
        digest: &Digest,
    ) -> Result<Option<BlobContent>, ClientError> {
        let path = format!("/v2/{repo}/blobs/{digest}");
        let answer = self.find(request(Method::GET, &path)).await?;
        Ok(answer.map(|answer| {
            let body = answer.into_body();
            let size = body.size_hint().exact().unwrap_or_default();
            BlobContent { size, body }
        }))
    }

    /// The size of a blob of `repo`.
    pub async fn blob_size(
        &self,
        repo: &RepoName,
        digest: &Digest,
    ) -> Result<Option<u64>, ClientError> {
        let path = format!("/v2/{repo}/blobs/{digest}");
        let Some(answer) = self.find(request(Method::HEAD, &path)).await? else {
            return Ok(None);
        };
        let length = answer.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        length
            .map(Some)
            .ok_or_else(|| ClientError::Answer("a blob has no length".to_owned()))
    }

    /// Lets `repo` hold what `from` holds, or any other repository where none is named; whether it does now.
    pub async fn mount(
        &self,
        repo: &RepoName,
        digest: &Digest,
        from: Option<&RepoName>,
    ) -> Result<bool, ClientError> {
        let from = from.map(|from| format!("&from={from}"));
        let from = from.unwrap_or_default();
        let path = format!("/v2/{repo}/blobs/uploads/?mount={digest}{from}");
        let answer = self.ask(request(Method::POST, &path)).await?;
        if answer.status() == StatusCode::CREATED {
            whole(answer).await?;
            return Ok(true);
        }
        // An upload was begun instead, which nobody will go on with.
        let location = location(&answer)?;
        whole(answer).await?;
        let cancelled = self.find(request(Method::DELETE, &location)).await?;
        if let Some(answer) = cancelled {
            whole(answer).await?;
        }
        Ok(false)
    }

    /// Uploads a blob of `size` bytes.
    pub async fn upload(
        &self,
        repo: &RepoName,
        digest: &Digest,
        size: u64,
        content: Content,
    ) -> Result<(), ClientError> {
        let path = format!(
            "/v2/{repo}/blobs/uploads/?digest-algorithm={}",
            digest.algorithm()
        );
        let answer = self.ask(request(Method::POST, &path)).await?;
        let location = location(&answer)?;
        whole(answer).await?;
        let separator = if location.contains('?') { '&' } else { '?' };
        let path = format!("{location}{separator}digest={digest}");
        let mut put = with_content(Method::PUT, &path, content);
        put.headers_mut()
            .insert(header::CONTENT_LENGTH, HeaderValue::from(size));
        whole(self.ask(put).await?).await.map(drop)
    }
}

/// The path of an answer's `Location`, which names a host where the configuration says so.
fn location(answer: &Answer) -> Result<String, ClientError> {
    let location = answer.headers().get(header::LOCATION);
    let location = location.and_then(|location| location.to_str().ok());
    let path = location.and_then(|location| Some(location[location.find("/v2/")?..].to_owned()));
    path.ok_or_else(|| ClientError::Answer("an upload has no location".to_owned()))
}
