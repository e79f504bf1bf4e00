//! Manifests: pushes, lookups and deletes.

mod remembered;
mod rows;

use std::collections::HashSet;

use boxyard_oci::{Digest, Edge, EdgeKind, Manifest, MediaType, RepoName, Tag};
use bytes::Bytes;
use rusqlite::Row;

use self::remembered::Numbers;
use crate::{
    Event, Meta, MetaError,
    blobs::{self, Held},
    column, digests, events,
    projections::{self, Key},
    releases,
    repositories::{self, Repository},
    reviews,
    statements::Statements,
    tags,
    writer::Write,
};

use self::rows::store_held;
pub(crate) use self::rows::{expressible, remove, store, stored};

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
    /// What is told of it, if it is accepted.
    pub events: Vec<Event>,
    /// What of it the repository need not hold even so.
    pub may_lack: Vec<Digest>,
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
        match self.remembered_manifest(repo, digest) {
            Some(manifest) => Ok(Some(manifest)),
            None => self.manifest_at_rest(repo, digest).await,
        }
    }

    /// The same from the database itself, whatever is remembered.
    pub async fn manifest_at_rest(
        &self,
        repo: &RepoName,
        digest: &Digest,
    ) -> Result<Option<StoredManifest>, MetaError> {
        let at = self.shared.cache.stamps.now();
        let (name, digest) = (repo.clone(), *digest);
        let found = self.look(move |db| {
            let sql = "SELECT n.digest, m.media_type, p.payload, m.schema1, m.expressible,
                           r.id, n.id
                       FROM repositories r JOIN blobs n
                       JOIN manifests m ON m.repository_id = r.id AND m.blob_id = n.id
                       JOIN manifest_payloads p ON p.manifest_id = m.id
                       WHERE r.name = $1 AND n.digest = $2";
            db.one(sql, (name.as_str(), digest.to_bytes()), |row| {
                Ok((StoredManifest::read(row)?, Numbers::read(row)?))
            })
        });
        let found = found.await?;
        if let Some((manifest, numbers)) = &found {
            self.remember_manifest(repo, manifest, *numbers, at);
        }
        Ok(found.map(|(manifest, _)| manifest))
    }

    /// The manifest that `tag` names.
    pub async fn manifest_by_tag(
        &self,
        repo: &RepoName,
        tag: &Tag,
    ) -> Result<TagLookup, MetaError> {
        if let Some(manifest) = self.remembered_tag(repo, tag) {
            return Ok(TagLookup::Found(manifest));
        }
        let at = self.shared.cache.stamps.now();
        let (name, tag_name) = (repo.clone(), tag.clone());
        let found = self.look(move |db| {
            let sql = "SELECT n.digest, m.media_type, p.payload, m.schema1, m.expressible,
                           r.id, n.id
                       FROM repositories r
                       JOIN tags t ON t.repository_id = r.id
                       JOIN blobs n ON n.id = t.blob_id
                       LEFT JOIN manifests m
                           ON m.repository_id = r.id AND m.blob_id = t.blob_id
                       LEFT JOIN manifest_payloads p ON p.manifest_id = m.id
                       WHERE r.name = $1 AND t.name = $2";
            db.one(sql, (name.as_str(), tag_name.as_str()), |row| {
                Ok((TagLookup::read(row)?, Numbers::read(row)?))
            })
        });
        let Some((lookup, numbers)) = found.await? else {
            return Ok(TagLookup::NoTag);
        };
        if let TagLookup::Found(manifest) = &lookup {
            self.remember_tag(repo, tag, manifest, numbers, at);
        }
        Ok(lookup)
    }

    /// Removes a manifest and every tag that names it; those tags, or `None` if there is no
    /// such manifest. What else names it, an index or a referrer, stays.
    ///
    /// `tell` renders what is told of it, given the tags that went with it.
    pub async fn delete_manifest<F>(
        &self,
        repo: &RepoName,
        digest: &Digest,
        tell: F,
    ) -> Result<Option<Vec<Tag>>, MetaError>
    where
        F: Fn(&[Tag]) -> Vec<Event> + Send + 'static,
    {
        let (repo, digest) = (repo.clone(), *digest);
        self.write(move |tx| {
            let Some(mut repository) = repositories::find(tx, &repo)? else {
                return Ok(None);
            };
            let Some(blob) = digests::find(tx, &digest)? else {
                return Ok(None);
            };
            releases::review_manifest(tx, &repository, blob)?;
            if !remove(tx, &repository, &digest)? {
                return Ok(None);
            }
            let tags = remove_tags(tx, &repository, &digest)?;
            repositories::unlist_if_empty(tx, &mut repository)?;
            projections::queue(tx, &repository, &Key::revision(&repository, blob))?;
            events::record(tx, &tell(&tags))?;
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

fn commit(tx: &Write<'_>, push: &CommitManifest) -> rusqlite::Result<Commit> {
    let found = repositories::find(tx, &push.repo)?;
    // Every look at a name of the manifest goes by what this one finds.
    let held = held(tx, found.as_ref(), &push.manifest)?;
    if !push.sparse {
        let mut unknown = unknown(tx, found.as_ref(), &push.manifest, &held)?;
        unknown.retain(|digest| !push.may_lack.contains(digest));
        if !unknown.is_empty() {
            return Ok(Commit::UnknownBlobs(unknown));
        }
    }
    let mut repository = match found {
        Some(repository) => repository,
        None => repositories::ensure(tx, &push.repo)?,
    };
    let digest = push.manifest.digest();
    let expressed = expressible(tx, repository.id, &digest)?.unwrap_or(true);
    let blob = store_held(tx, &repository, &push.manifest, &held, tx.now)?;
    repositories::list(tx, &mut repository)?;
    hold_targets(tx, &repository, &held)?;
    projections::queue(tx, &repository, &Key::revision(&repository, blob))?;
    if push.manifest.distribution_expresses() != expressed {
        // Tags that name it already move between distribution's tree and our own.
        queue_tags(tx, &repository, &digest)?;
    }
    for tag in &push.tags {
        tags::set_number(tx, &repository, tag, blob, tx.now)?;
        projections::queue(tx, &repository, &Key::tag(&repository, tag))?;
    }
    if push.tags.is_empty() {
        reviews::manifest_came(tx, &repository, blob)?;
    }
    events::record(tx, &push.events)?;
    Ok(Commit::Done)
}

/// What `repository` holds under the names of the edges of `manifest`, in their order.
fn held(
    tx: &Write<'_>,
    repository: Option<&Repository>,
    manifest: &Manifest,
) -> rusqlite::Result<Vec<Option<Held>>> {
    let held = |edge: &Edge| match repository {
        Some(repository) => blobs::held(tx, repository.id, &edge.digest),
        None => Ok(None),
    };
    manifest.edges().iter().map(held).collect()
}

/// What `manifest` needs and the repository does not hold, each once, in the manifest's order.
fn unknown(
    tx: &Write<'_>,
    repository: Option<&Repository>,
    manifest: &Manifest,
    held: &[Option<Held>],
) -> rusqlite::Result<Vec<Digest>> {
    let mut listed = HashSet::new();
    let mut unknown = Vec::new();
    for (edge, held) in manifest.edges().iter().zip(held) {
        if edge.optional || held.as_ref().is_some_and(|held| held.size.is_some()) {
            continue;
        }
        let is_manifest = match repository {
            Some(repository) => is_manifest(tx, repository, edge)?,
            None => false,
        };
        if !is_manifest && listed.insert(edge.digest) {
            unknown.push(edge.digest);
        }
    }
    Ok(unknown)
}

/// Whether `edge` may name a manifest, and `repository` has it. An index may list blobs beside manifests.
fn is_manifest(tx: &Write<'_>, repository: &Repository, edge: &Edge) -> rusqlite::Result<bool> {
    match edge.kind {
        EdgeKind::Child | EdgeKind::Subject | EdgeKind::Unknown => {
            Ok(expressible(tx, repository.id, &edge.digest)?.is_some())
        }
        EdgeKind::Config | EdgeKind::Layer => Ok(false),
    }
}

/// Lets `repository` hold also the blobs behind the aliases that a manifest names, so that they
/// are held for as long as it is.
fn hold_targets(
    tx: &Write<'_>,
    repository: &Repository,
    held: &[Option<Held>],
) -> rusqlite::Result<()> {
    for alias in held.iter().flatten() {
        if alias.target != alias.name && blobs::link(tx, repository.id, alias.target)?.is_none() {
            blobs::hold(tx, repository, alias.target, alias.target)?;
        }
    }
    Ok(())
}

fn queue_tags(tx: &Write<'_>, repository: &Repository, digest: &Digest) -> rusqlite::Result<()> {
    for tag in tags::naming(tx, repository, digest)? {
        projections::queue(tx, repository, &Key::tag(repository, &tag))?;
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
        projections::queue(tx, repository, &Key::tag(repository, tag))?;
    }
    Ok(removed)
}

#[cfg(test)]
mod tests;
