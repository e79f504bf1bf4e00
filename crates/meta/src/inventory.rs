//! What there is, for those who go through all of it.

use std::time::SystemTime;

use boxyard_oci::{Digest, EdgeKind, RepoName, Tag};

use crate::{
    BlobState, Meta, MetaError, cache::stamps::Part, clock::Timestamp, column, digests, findings,
    manifests, repositories, statements::Statements,
};

/// A blob that is present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresentBlob {
    /// Its place in the order of this list; the next page begins after it.
    pub id: i64,
    /// Its digest.
    pub digest: Digest,
    /// The length of its content.
    pub size: u64,
}

/// A repository in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepositorySummary {
    /// How many tags it has.
    pub tags: u64,
    /// How many manifests it has.
    pub manifests: u64,
    /// How many bytes its blobs have, some of which other repositories hold as well.
    pub bytes: u64,
    /// When a tag was last set, if there is one.
    pub updated_at: Option<SystemTime>,
}

/// A tag with what a person wants to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagSummary {
    /// The tag.
    pub tag: Tag,
    /// What it names.
    pub digest: Digest,
    /// The manifest's media type; none if there is no such manifest.
    pub media_type: Option<String>,
    /// How many bytes the manifests and blobs behind it have by their descriptors.
    pub bytes: u64,
    /// When it was last set.
    pub updated_at: SystemTime,
}

impl Meta {
    /// The present blobs after the one with the number `after`.
    pub async fn present_blobs(
        &self,
        after: i64,
        limit: usize,
    ) -> Result<Vec<PresentBlob>, MetaError> {
        self.read(move |db| {
            let sql = "SELECT id, digest, size FROM blobs
                       WHERE id > $1 AND state = $2 ORDER BY id LIMIT $3";
            let params = (after, BlobState::Present.stored(), column::limit(limit));
            db.all(sql, params, |row| {
                Ok(PresentBlob {
                    id: row.get(0)?,
                    digest: column::digest(row, 1)?,
                    size: column::size(row, 2)?,
                })
            })
        })
        .await
    }

    /// How many bytes the present blobs have.
    pub async fn present_bytes(&self) -> Result<u64, MetaError> {
        self.read(|db| {
            let sql = "SELECT COALESCE(SUM(size), 0) FROM blobs WHERE state = 1";
            Ok(db.one(sql, [], |row| column::size(row, 0))?.unwrap_or(0))
        })
        .await
    }

    /// The numbers of one repository; `None` if nothing is known of it.
    pub async fn repository_summary(
        &self,
        repo: &RepoName,
    ) -> Result<Option<RepositorySummary>, MetaError> {
        let repo = repo.clone();
        self.read(move |db| {
            let Some(repository) = repositories::find(db, &repo)? else {
                return Ok(None);
            };
            let sql = "SELECT
                (SELECT COUNT(*) FROM tags WHERE repository_id = $1),
                (SELECT COUNT(*) FROM manifests WHERE repository_id = $1),
                (SELECT COALESCE(SUM(b.size), 0) FROM repository_blobs h
                     JOIN blobs b ON b.id = h.target_id WHERE h.repository_id = $1),
                (SELECT MAX(updated_at) FROM tags WHERE repository_id = $1)";
            db.one(sql, [repository.id], |row| {
                let updated_at: Option<Timestamp> = row.get(3)?;
                Ok(RepositorySummary {
                    tags: column::size(row, 0)?,
                    manifests: column::size(row, 1)?,
                    bytes: column::size(row, 2)?,
                    updated_at: updated_at.map(Timestamp::system),
                })
            })
        })
        .await
    }

    /// The tags of `repo` with what is known of them, bytewise after `after`.
    pub async fn tag_summaries(
        &self,
        repo: &RepoName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<TagSummary>, MetaError> {
        let (repo, after) = (repo.clone(), after.unwrap_or_default().to_owned());
        self.read(move |db| {
            let sql = "SELECT t.name, n.digest, m.media_type, t.updated_at,
                    COALESCE(m.size, 0)
                    + (SELECT COALESCE(SUM(e.size), 0) FROM edges e
                           WHERE e.manifest_id = m.id AND e.kind <> $1)
                    + (SELECT COALESCE(SUM(below.size), 0) FROM edges e
                           JOIN manifests c ON c.repository_id = e.repository_id
                               AND c.blob_id = e.blob_id
                           JOIN edges below ON below.manifest_id = c.id
                           WHERE e.manifest_id = m.id AND e.kind = $2 AND below.kind <> $1)
                FROM tags t JOIN blobs n ON n.id = t.blob_id
                LEFT JOIN manifests m
                    ON m.repository_id = t.repository_id AND m.blob_id = t.blob_id
                WHERE t.repository_id = (SELECT id FROM repositories WHERE name = $3)
                AND t.name > $4 ORDER BY t.name LIMIT $5";
            let (subject, child) = (EdgeKind::Subject.as_u8(), EdgeKind::Child.as_u8());
            let limit = column::limit(limit);
            db.all(sql, (subject, child, repo.as_str(), after, limit), |row| {
                Ok(TagSummary {
                    tag: column::tag(row, 0)?,
                    digest: column::digest(row, 1)?,
                    media_type: row.get(2)?,
                    updated_at: row.get::<_, Timestamp>(3)?.system(),
                    bytes: column::size(row, 4)?,
                })
            })
        })
        .await
    }

    /// Puts good bytes in the place of a manifest's damaged ones.
    pub async fn mend_manifest(
        &self,
        repo: &RepoName,
        digest: &Digest,
        payload: bytes::Bytes,
    ) -> Result<(), MetaError> {
        let (repo, digest) = (repo.clone(), *digest);
        self.write(move |tx| {
            let (Some(repository), Some(blob)) =
                (repositories::find(tx, &repo)?, digests::find(tx, &digest)?)
            else {
                return Ok(());
            };
            let sql = "UPDATE manifest_payloads SET payload = $1 WHERE manifest_id =
                       (SELECT id FROM manifests WHERE repository_id = $2 AND blob_id = $3)";
            let parts = [Part::Manifest(repository.id, blob)];
            tx.change_of(&parts, sql, (payload.as_ref(), repository.id, blob))
                .map(drop)
        })
        .await
    }

    /// Takes a manifest of which no good bytes are left out of its repository, and records why.
    ///
    /// Tags that name it stay, so that a push of the same manifest heals them all.
    pub async fn quarantine_manifest(
        &self,
        repo: &RepoName,
        digest: &Digest,
        finding: &crate::Finding,
    ) -> Result<(), MetaError> {
        let (repo, digest, finding) = (repo.clone(), *digest, finding.clone());
        self.write(move |tx| {
            if let Some(repository) = repositories::find(tx, &repo)? {
                manifests::remove(tx, &repository, &digest)?;
            }
            findings::record(tx, &finding)
        })
        .await
    }
}

#[cfg(test)]
mod tests;
