//! Referrers: the manifests whose subject is a digest.

use boxyard_oci::{Digest, MediaType, RepoName};
use bytes::Bytes;
use rusqlite::{Connection, Row};

use crate::{Meta, MetaError, column, digests, statements::Statements};

/// A manifest that refers to a subject, with what its descriptor needs.
#[derive(Clone, Debug)]
pub struct StoredReferrer {
    /// The referring manifest.
    pub digest: Digest,
    /// The type it was pushed with.
    pub media_type: MediaType,
    /// The length of its payload.
    pub size: u64,
    /// Its own artifact type, or its config's media type.
    pub artifact_type: Option<String>,
    /// The payload, which holds the annotations.
    pub payload: Bytes,
}

/// One page of a listing of referrers.
struct Page {
    repository: String,
    subject: Vec<u8>,
    after: i64,
    limit: i64,
}

impl Meta {
    /// The manifests of `repo` whose subject is `subject`, in a stable order after
    /// `after`; only those of `artifact_type` if it is given.
    pub async fn referrers(
        &self,
        repo: &RepoName,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Vec<StoredReferrer>, MetaError> {
        let (repo, subject, after) = (repo.clone(), *subject, after.copied());
        let artifact_type = artifact_type.map(str::to_owned);
        self.read(move |db| {
            let page = Page {
                repository: repo.as_str().to_owned(),
                subject: subject.to_bytes(),
                after: digests::position(db, after.as_ref())?,
                limit: column::limit(limit),
            };
            match artifact_type {
                Some(artifact_type) => of_type(db, &page, &artifact_type),
                None => of_any_type(db, &page),
            }
        })
        .await
    }
}

fn of_any_type(db: &Connection, page: &Page) -> rusqlite::Result<Vec<StoredReferrer>> {
    let sql = "SELECT n.digest, m.media_type, m.size, m.artifact_type, p.payload
               FROM manifests m JOIN blobs n ON n.id = m.blob_id
               JOIN manifest_payloads p ON p.manifest_id = m.id
               WHERE m.repository_id = (SELECT id FROM repositories WHERE name = $1)
               AND m.subject_id = (SELECT id FROM blobs WHERE digest = $2)
               AND m.blob_id > $3 ORDER BY m.blob_id LIMIT $4";
    db.all(
        sql,
        (&page.repository, &page.subject, &page.after, page.limit),
        referrer,
    )
}

fn of_type(
    db: &Connection,
    page: &Page,
    artifact_type: &str,
) -> rusqlite::Result<Vec<StoredReferrer>> {
    let sql = "SELECT n.digest, m.media_type, m.size, m.artifact_type, p.payload
               FROM manifests m JOIN blobs n ON n.id = m.blob_id
               JOIN manifest_payloads p ON p.manifest_id = m.id
               WHERE m.repository_id = (SELECT id FROM repositories WHERE name = $1)
               AND m.subject_id = (SELECT id FROM blobs WHERE digest = $2)
               AND m.artifact_type = $3 AND m.blob_id > $4
               ORDER BY m.blob_id LIMIT $5";
    let params = (
        &page.repository,
        &page.subject,
        artifact_type,
        &page.after,
        page.limit,
    );
    db.all(sql, params, referrer)
}

fn referrer(row: &Row<'_>) -> rusqlite::Result<StoredReferrer> {
    Ok(StoredReferrer {
        digest: column::digest(row, 0)?,
        media_type: column::media_type(row, 1)?,
        size: column::size(row, 2)?,
        artifact_type: row.get(3)?,
        payload: column::bytes(row, 4)?,
    })
}

#[cfg(test)]
mod tests;
