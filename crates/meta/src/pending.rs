//! What waits for the tree, as those need it who compare the two.

use boxyard_oci::{Digest, RepoName, Tag};

use crate::{
    Meta, MetaError,
    blobs::BlobState,
    cache::stamps::Part,
    column, digests,
    projections::{self, Key, TAG},
    repositories,
    statements::Statements,
};

impl Meta {
    /// The tags of `repo` that a client has changed in this run before the tree was compared, and whether each is there now.
    pub async fn pending_tags(&self, repo: &RepoName) -> Result<Vec<(Tag, bool)>, MetaError> {
        let repo = repo.clone();
        self.read(move |db| {
            let sql = "SELECT d.tag, t.blob_id IS NOT NULL
                       FROM repositories r
                       JOIN projections d ON d.blob_id = 0 AND d.repository_id = r.id
                       LEFT JOIN tags t ON t.repository_id = r.id AND t.name = d.tag
                       WHERE r.name = $1 AND d.kind = $2
                       UNION ALL
                       SELECT d.tag, t.blob_id IS NOT NULL
                       FROM repositories r
                       JOIN touched d ON d.blob_id = 0 AND d.repository_id = r.id
                       LEFT JOIN tags t ON t.repository_id = r.id AND t.name = d.tag
                       WHERE r.name = $1 AND d.kind = $2 AND NOT EXISTS (
                           SELECT 1 FROM projections p
                           WHERE p.kind = d.kind AND p.blob_id = 0
                           AND p.repository_id = r.id AND p.tag = d.tag
                       )";
            db.all(sql, (repo.as_str(), TAG), |row| {
                Ok((column::tag(row, 0)?, row.get(1)?))
            })
        })
        .await
    }

    /// Queues `tags` of `repo`, so that their paths become what these tables say.
    pub async fn queue_tags(&self, repo: &RepoName, tags: &[Tag]) -> Result<(), MetaError> {
        let (repo, tags) = (repo.clone(), tags.to_vec());
        self.write(move |tx| {
            let Some(repository) = repositories::find(tx, &repo)? else {
                return Ok(());
            };
            tags.iter()
                .try_for_each(|tag| projections::insert_missing(tx, &Key::tag(&repository, tag)))
        })
        .await
    }

    /// Whether the catalog shows `repo`: it has a manifest or a tag.
    pub async fn is_listed(&self, repo: &RepoName) -> Result<bool, MetaError> {
        let repo = repo.clone();
        self.look(move |db| {
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
        self.look(move |db| {
            let sql = "SELECT 1 FROM repositories r JOIN manifests m ON m.repository_id = r.id
                       JOIN blobs n ON n.id = m.blob_id
                       WHERE r.name = $1 AND n.digest = $2";
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
                       VALUES ($1, $2, $3, 0, $4)
                       ON CONFLICT (digest) DO UPDATE SET size = excluded.size,
                           state = excluded.state, state_since = excluded.state_since
                       WHERE blobs.state = 0";
            let state = BlobState::Present.stored();
            let params = (digest.to_bytes(), column::integer(size), state, tx.now);
            let blob = digests::find(tx, &digest)?;
            let parts = blob.map(Part::Blob);
            tx.change_of(parts.as_slice(), sql, params).map(drop)
        })
        .await
    }
}
