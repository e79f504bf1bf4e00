//! What waits for the tree, as those need it who compare the two.

use std::time::SystemTime;

use boxyard_oci::{Digest, RepoName, Tag};
use rusqlite::Row;

use crate::{
    Meta, MetaError, blobs::BlobState, clock::Timestamp, column, projections::TAG,
    statements::Statements,
};

/// A tag whose link waits to be written or removed.
#[derive(Clone, Debug)]
pub struct QueuedTag {
    /// Its repository.
    pub repo: RepoName,
    /// The tag.
    pub tag: Tag,
    /// What it names now; `None` if it was deleted.
    pub digest: Option<Digest>,
    /// Its place in the queue.
    pub sequence: i64,
    /// Since when it waits.
    pub queued_at: SystemTime,
}

impl Meta {
    /// The tags that wait for the tree, in the order of the queue after `after`.
    pub async fn queued_tags(&self, after: i64, limit: usize) -> Result<Vec<QueuedTag>, MetaError> {
        self.read(move |db| {
            let sql = "SELECT r.name, p.name, t.digest, p.sequence, p.queued_at
                       FROM projections p
                       JOIN repositories r ON r.id = p.repository_id
                       LEFT JOIN tags t ON t.repository_id = p.repository_id
                            AND t.name = CAST(p.name AS TEXT)
                       WHERE p.sequence > $1 AND p.kind = $2
                       ORDER BY p.sequence LIMIT $3";
            db.all(sql, (after, TAG, column::limit(limit)), queued_tag)
        })
        .await
    }

    /// The tags of `repo` that a client has changed in this run before the tree was compared, and whether each is there now.
    pub async fn pending_tags(&self, repo: &RepoName) -> Result<Vec<(Tag, bool)>, MetaError> {
        let repo = repo.clone();
        self.read(move |db| {
            let sql = "SELECT d.name, t.digest IS NOT NULL
                       FROM repositories r
                       JOIN (SELECT repository_id, kind, name FROM projections
                             UNION SELECT repository_id, kind, name FROM touched) d
                            ON d.repository_id = r.id
                       LEFT JOIN tags t ON t.repository_id = r.id AND t.name = CAST(d.name AS TEXT)
                       WHERE r.name = $1 AND d.kind = $2";
            db.all(sql, (repo.as_str(), TAG), |row| {
                let name = row.get_ref(0)?.as_blob()?;
                Ok((column::stored_tag(name, 0)?, row.get(1)?))
            })
        })
        .await
    }

    /// Whether a client has changed `repo` in this run, or something of it waits for the tree.
    pub async fn has_pending(&self, repo: &RepoName) -> Result<bool, MetaError> {
        let repo = repo.clone();
        self.read(move |db| {
            let sql = "SELECT EXISTS (SELECT 1 FROM projections p WHERE p.repository_id = r.id)
                           OR EXISTS (SELECT 1 FROM touched t WHERE t.repository_id = r.id)
                       FROM repositories r WHERE r.name = $1";
            Ok(db
                .one(sql, [repo.as_str()], |row| row.get(0))?
                .unwrap_or(false))
        })
        .await
    }

    /// Whether the catalog shows `repo`: it has a manifest or a tag.
    pub async fn is_listed(&self, repo: &RepoName) -> Result<bool, MetaError> {
        let repo = repo.clone();
        self.read(move |db| {
            let sql = "SELECT listed FROM repositories WHERE name = $1";
            Ok(db
                .one(sql, [repo.as_str()], |row| row.get(0))?
                .unwrap_or(false))
        })
        .await
    }

    /// Whether `repo` has the manifest `digest`.
    pub async fn has_manifest(&self, repo: &RepoName, digest: &Digest) -> Result<bool, MetaError> {
        let (repo, digest) = (repo.clone(), *digest);
        self.read(move |db| {
            let sql = "SELECT 1 FROM repositories r JOIN manifests m ON m.repository_id = r.id
                       WHERE r.name = $1 AND m.digest = $2";
            Ok(db
                .one(sql, (repo.as_str(), digest.to_bytes()), |_| Ok(()))?
                .is_some())
        })
        .await
    }

    /// Records a file that no repository holds yet, so that it is not forgotten.
    pub async fn note_blob(&self, digest: &Digest, size: u64) -> Result<(), MetaError> {
        let digest = *digest;
        self.write(move |tx| {
            let sql = "INSERT INTO blobs (digest, size, state, verified, state_since)
                       VALUES ($1, $2, $3, 0, $4) ON CONFLICT (digest) DO NOTHING";
            let state = BlobState::Present.stored();
            let params = (digest.to_bytes(), column::integer(size), state, tx.now);
            tx.change(sql, params).map(drop)
        })
        .await
    }

    /// The number of the last run; 0 before the first.
    pub async fn generation(&self) -> Result<u64, MetaError> {
        self.read(|db| {
            let sql = "SELECT generation FROM run WHERE id = 1";
            Ok(db.one(sql, [], |row| column::size(row, 0))?.unwrap_or(0))
        })
        .await
    }
}

fn queued_tag(row: &Row<'_>) -> rusqlite::Result<QueuedTag> {
    let digest: Option<Vec<u8>> = row.get(2)?;
    Ok(QueuedTag {
        repo: column::repo(row, 0)?,
        tag: column::stored_tag(row.get_ref(1)?.as_blob()?, 1)?,
        digest: digest
            .map(|bytes| column::stored_digest(&bytes, 2))
            .transpose()?,
        sequence: row.get(3)?,
        queued_at: row.get::<_, Timestamp>(4)?.system(),
    })
}
