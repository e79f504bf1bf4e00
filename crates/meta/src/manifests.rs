//! Manifests: their rows, payloads and edges.

use std::collections::HashSet;

use boxyard_oci::{Digest, Edge, EdgeKind, Kind, Manifest, MediaType, RepoName, Tag};
use bytes::Bytes;
use rusqlite::{Connection, Row};

use crate::{
    Meta, MetaError, blobs,
    clock::Timestamp,
    column, digests,
    projections::{self, Key},
    releases,
    repositories::{self, Repository},
    statements::Statements,
    tags,
    writer::Write,
};

/// A push of a manifest.
#[derive(Clone, Debug)]
pub struct CommitManifest {
    /// The repository it goes to.
    pub repo: RepoName,
    /// The manifest.
    pub manifest: Manifest,
    /// The tags that will name it.
    pub tags: Vec<Tag>,
    /// Whether it may name what the repository does not hold.
    pub sparse: bool,
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Commit {
    /// The manifest is stored, and its tags name it.
    Done,
    /// Nothing has changed: the repository does not hold these, or holds them damaged.
    UnknownBlobs(Vec<Digest>),
}

/// A manifest as it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredManifest {
    /// Its digest.
    pub digest: Digest,
    /// The type it was pushed with.
    pub media_type: MediaType,
    /// Its bytes.
    pub payload: Bytes,
    /// Whether it is of Docker's schema 1, which is kept but not served.
    pub schema1: bool,
    /// Whether distribution can read it.
    pub expressible: bool,
}

/// What a tag leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagLookup {
    /// There is no such tag.
    NoTag,
    /// The tag names a manifest that is not there.
    Dangling(Digest),
    /// The manifest that the tag names.
    Found(StoredManifest),
}

impl Meta {
    /// Stores a manifest and moves its tags, in one transaction with the check that the
    /// repository holds what it names. Were they apart, a blob could go in between.
    pub async fn commit_manifest(&self, push: CommitManifest) -> Result<Commit, MetaError> {
        self.write(move |tx| commit(tx, &push)).await
    }

    /// The manifest of `repo` with this digest.
    pub async fn manifest(
        &self,
        repo: &RepoName,
        digest: &Digest,
    ) -> Result<Option<StoredManifest>, MetaError> {
        let (repo, digest) = (repo.clone(), *digest);
        self.read(move |db| {
            let sql = "SELECT n.digest, m.media_type, p.payload, m.schema1, m.expressible
                       FROM repositories r JOIN blobs n
                       JOIN manifests m ON m.repository_id = r.id AND m.blob_id = n.id
                       JOIN manifest_payloads p ON p.manifest_id = m.id
                       WHERE r.name = $1 AND n.digest = $2";
            db.one(
                sql,
                (repo.as_str(), digest.to_bytes()),
                StoredManifest::read,
            )
        })
        .await
    }

    /// The manifest that `tag` names.
    pub async fn manifest_by_tag(
        &self,
        repo: &RepoName,
        tag: &Tag,
    ) -> Result<TagLookup, MetaError> {
        let (repo, tag) = (repo.clone(), tag.clone());
        self.read(move |db| {
            let sql = "SELECT n.digest, m.media_type, p.payload, m.schema1, m.expressible
                       FROM repositories r
                       JOIN tags t ON t.repository_id = r.id
                       JOIN blobs n ON n.id = t.blob_id
                       LEFT JOIN manifests m
                           ON m.repository_id = r.id AND m.blob_id = t.blob_id
                       LEFT JOIN manifest_payloads p ON p.manifest_id = m.id
                       WHERE r.name = $1 AND t.name = $2";
            let found = db.one(sql, (repo.as_str(), tag.as_str()), TagLookup::read)?;
            Ok(found.unwrap_or(TagLookup::NoTag))
        })
        .await
    }

    /// Removes a manifest and every tag that names it; those tags, or `None` if there is no
    /// such manifest. What else names it, an index or a referrer, stays.
    pub async fn delete_manifest(
        &self,
        repo: &RepoName,
        digest: &Digest,
    ) -> Result<Option<Vec<Tag>>, MetaError> {
        let (repo, digest) = (repo.clone(), *digest);
        self.write(move |tx| {
            let Some(mut repository) = repositories::find(tx, &repo)? else {
                return Ok(None);
            };
            releases::review_manifest(tx, &repository, &digest)?;
            if !remove(tx, &repository, &digest)? {
                return Ok(None);
            }
            let tags = remove_tags(tx, &repository, &digest)?;
            repositories::unlist_if_empty(tx, &mut repository)?;
            projections::queue(tx, &repository, Key::revision(&repository, &digest))?;
            Ok(Some(tags))
        })
        .await
    }

    /// The digests of the manifests of `repo`, in a stable order, after `after`.
    pub async fn all_revisions(
        &self,
        repo: &RepoName,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Vec<Digest>, MetaError> {
        let (repo, after) = (repo.clone(), after.copied());
        self.read(move |db| {
            let sql = "SELECT n.digest FROM manifests m JOIN blobs n ON n.id = m.blob_id
                       WHERE m.repository_id = (SELECT id FROM repositories WHERE name = $1)
                       AND m.blob_id > $2 ORDER BY m.blob_id LIMIT $3";
            let position = digests::position(db, after.as_ref())?;
            let params = (repo.as_str(), position, column::limit(limit));
            db.all(sql, params, |row| column::digest(row, 0))
        })
        .await
    }
}

impl StoredManifest {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            digest: column::digest(row, 0)?,
            media_type: column::media_type(row, 1)?,
            payload: column::bytes(row, 2)?,
            schema1: row.get(3)?,
            expressible: row.get(4)?,
        })
    }
}

impl TagLookup {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let media_type: Option<String> = row.get(1)?;
        Ok(match media_type {
            Some(_) => Self::Found(StoredManifest::read(row)?),
            None => Self::Dangling(column::digest(row, 0)?),
        })
    }
}

/// The manifest `digest` of the repository with the id `repository`.
pub(crate) fn stored(
    db: &Connection,
    repository: i64,
    digest: &Digest,
) -> rusqlite::Result<Option<StoredManifest>> {
    let sql = "SELECT n.digest, m.media_type, p.payload, m.schema1, m.expressible
               FROM blobs n JOIN manifests m ON m.blob_id = n.id
               JOIN manifest_payloads p ON p.manifest_id = m.id
               WHERE m.repository_id = $1 AND n.digest = $2";
    db.one(sql, (repository, digest.to_bytes()), StoredManifest::read)
}

/// Whether distribution can read the manifest `digest`; `None` if there is no such manifest.
pub(crate) fn expressible(
    db: &Connection,
    repository: i64,
    digest: &Digest,
) -> rusqlite::Result<Option<bool>> {
    let sql = "SELECT m.expressible FROM blobs n JOIN manifests m ON m.blob_id = n.id
               WHERE m.repository_id = $1 AND n.digest = $2";
    db.one(sql, (repository, digest.to_bytes()), |row| row.get(0))
}

/// Stores `manifest` with its edges, made at `time` unless it is there already.
///
/// The same bytes under another media type replace what was derived from the old one.
pub(crate) fn store(
    tx: &Write<'_>,
    repository: &Repository,
    manifest: &Manifest,
    time: Timestamp,
) -> rusqlite::Result<()> {
    let blob = digests::number(tx, &manifest.digest())?;
    let sql = "SELECT id, media_type = $1 FROM manifests WHERE repository_id = $2 AND blob_id = $3";
    let params = (manifest.media_type().as_str(), repository.id, blob);
    let manifest_id = match tx.one(sql, params, |row| Ok((row.get(0)?, row.get(1)?)))? {
        Some((_, true)) => return Ok(()),
        Some((id, false)) => {
            update(tx, id, manifest)?;
            id
        }
        None => insert(tx, repository, blob, manifest, time)?,
    };
    let mut edges = manifest.edges().iter();
    edges.try_for_each(|edge| add_edge(tx, repository, manifest_id, edge))
}

fn insert(
    tx: &Write<'_>,
    repository: &Repository,
    blob: i64,
    manifest: &Manifest,
    time: Timestamp,
) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO manifests (repository_id, blob_id, media_type, schema1, expressible,
                   size, subject_id, artifact_type, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let params = (
        repository.id,
        blob,
        manifest.media_type().as_str(),
        manifest.kind() == Kind::Schema1,
        manifest.distribution_expresses(),
        column::integer(manifest.payload().len() as u64),
        subject(tx, manifest)?,
        manifest.artifact_type(),
        time,
    );
    let id = tx.insert(sql, params)?;
    let payload = "INSERT INTO manifest_payloads (manifest_id, payload) VALUES ($1, $2)";
    tx.change(payload, (id, manifest.payload().as_ref()))?;
    Ok(id)
}

/// Replaces what was read out of the payload under another media type.
fn update(tx: &Write<'_>, id: i64, manifest: &Manifest) -> rusqlite::Result<()> {
    let sql = "UPDATE manifests SET media_type = $1, schema1 = $2, expressible = $3,
                   subject_id = $4, artifact_type = $5
               WHERE id = $6";
    let params = (
        manifest.media_type().as_str(),
        manifest.kind() == Kind::Schema1,
        manifest.distribution_expresses(),
        subject(tx, manifest)?,
        manifest.artifact_type(),
        id,
    );
    tx.change(sql, params)?;
    tx.change("DELETE FROM edges WHERE manifest_id = $1", [id])
        .map(drop)
}

fn subject(tx: &Write<'_>, manifest: &Manifest) -> rusqlite::Result<Option<i64>> {
    manifest
        .subject()
        .map(|subject| digests::number(tx, &subject))
        .transpose()
}

/// Removes the manifest `digest` with its edges; whether there was one. Its tags stay.
pub(crate) fn remove(
    tx: &Write<'_>,
    repository: &Repository,
    digest: &Digest,
) -> rusqlite::Result<bool> {
    let sql = "DELETE FROM manifests WHERE repository_id = $1
               AND blob_id = (SELECT id FROM blobs WHERE digest = $2) RETURNING id";
    let id: Option<i64> = tx.one(sql, (repository.id, digest.to_bytes()), |row| row.get(0))?;
    let Some(id) = id else { return Ok(false) };
    tx.change("DELETE FROM manifest_payloads WHERE manifest_id = $1", [id])?;
    tx.change("DELETE FROM edges WHERE manifest_id = $1", [id])?;
    Ok(true)
}

fn commit(tx: &Write<'_>, push: &CommitManifest) -> rusqlite::Result<Commit> {
    if !push.sparse {
        let unknown = unknown(tx, &push.repo, &push.manifest)?;
        if !unknown.is_empty() {
            return Ok(Commit::UnknownBlobs(unknown));
        }
    }
    let mut repository = repositories::ensure(tx, &push.repo)?;
    let digest = push.manifest.digest();
    let expressed = expressible(tx, repository.id, &digest)?.unwrap_or(true);
    store(tx, &repository, &push.manifest, tx.now)?;
    repositories::list(tx, &mut repository)?;
    hold_targets(tx, &repository, &push.manifest)?;
    projections::queue(tx, &repository, Key::revision(&repository, &digest))?;
    if push.manifest.distribution_expresses() != expressed {
        // Tags that name it already move between distribution's tree and our own.
        queue_tags(tx, &repository, &digest)?;
    }
    for tag in &push.tags {
        tags::set(tx, &repository, tag, &digest, tx.now)?;
        projections::queue(tx, &repository, Key::tag(&repository, tag))?;
    }
    Ok(Commit::Done)
}

/// What `manifest` needs and `repo` does not hold, each once, in the manifest's order.
fn unknown(tx: &Write<'_>, repo: &RepoName, manifest: &Manifest) -> rusqlite::Result<Vec<Digest>> {
    let repository = repositories::find(tx, repo)?;
    let mut listed = HashSet::new();
    let mut unknown = Vec::new();
    for edge in manifest.edges().iter().filter(|edge| !edge.optional) {
        let held = match &repository {
            Some(repository) => is_held(tx, repository, edge)?,
            None => false,
        };
        if !held && listed.insert(edge.digest) {
            unknown.push(edge.digest);
        }
    }
    Ok(unknown)
}

/// Whether `repository` has what `edge` names. An index may list blobs beside manifests.
fn is_held(tx: &Write<'_>, repository: &Repository, edge: &Edge) -> rusqlite::Result<bool> {
    let may_be_manifest = match edge.kind {
        EdgeKind::Child | EdgeKind::Subject | EdgeKind::Unknown => true,
        EdgeKind::Config | EdgeKind::Layer => false,
    };
    if may_be_manifest && expressible(tx, repository.id, &edge.digest)?.is_some() {
        return Ok(true);
    }
    let held = blobs::held(tx, repository.id, &edge.digest)?;
    Ok(held.is_some_and(|held| held.size.is_some()))
}

/// Lets `repository` hold also the blobs behind the aliases that `manifest` names, so that they
/// are held for as long as it is.
fn hold_targets(
    tx: &Write<'_>,
    repository: &Repository,
    manifest: &Manifest,
) -> rusqlite::Result<()> {
    for edge in manifest.edges() {
        let Some(alias) = blobs::held(tx, repository.id, &edge.digest)? else {
            continue;
        };
        if alias.target != alias.name
            && let Some(target) = digests::digest(tx, alias.target)?
            && blobs::held(tx, repository.id, &target)?.is_none()
        {
            blobs::hold(tx, repository, &target, alias.target, alias.target)?;
        }
    }
    Ok(())
}

fn add_edge(
    tx: &Write<'_>,
    repository: &Repository,
    manifest: i64,
    edge: &Edge,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO edges (manifest_id, kind, blob_id, repository_id, size)
               VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (manifest_id, kind, blob_id) DO NOTHING";
    let size = edge.size.map(column::integer);
    let params = (
        manifest,
        edge.kind.as_u8(),
        digests::number(tx, &edge.digest)?,
        repository.id,
        size,
    );
    tx.change(sql, params).map(drop)
}

fn queue_tags(tx: &Write<'_>, repository: &Repository, digest: &Digest) -> rusqlite::Result<()> {
    for tag in tags::naming(tx, repository, digest)? {
        projections::queue(tx, repository, Key::tag(repository, &tag))?;
    }
    Ok(())
}

fn remove_tags(
    tx: &Write<'_>,
    repository: &Repository,
    digest: &Digest,
) -> rusqlite::Result<Vec<Tag>> {
    let removed = tags::naming(tx, repository, digest)?;
    for tag in &removed {
        tags::remove(tx, repository, tag)?;
        projections::queue(tx, repository, Key::tag(repository, tag))?;
    }
    Ok(removed)
}

#[cfg(test)]
mod tests;
