//! Tags: names that move from digest to digest.

use boxyard_oci::{Digest, RepoName, Tag};
use rusqlite::Connection;

use crate::{
    Event, Meta, MetaError,
    cache::{Asked, Names, stamps::Part},
    clock::Timestamp,
    column, digests, events,
    projections::{self, Key},
    repositories::{self, Repository},
    reviews,
    statements::Statements,
    writer::Write,
};

impl Meta {
    /// What `tag` names, whether or not there is such a manifest.
    pub async fn tag(&self, repo: &RepoName, tag: &Tag) -> Result<Option<Digest>, MetaError> {
        let (repo, tag) = (repo.clone(), tag.clone());
        self.look(move |db| {
            let sql = "SELECT n.digest FROM repositories r
                       JOIN tags t ON t.repository_id = r.id
                       JOIN blobs n ON n.id = t.blob_id
                       WHERE r.name = $1 AND t.name = $2";
            db.one(sql, (repo.as_str(), tag.as_str()), |row| {
                column::digest(row, 0)
            })
        })
        .await
    }

    /// The tags of `repo`, bytewise after `after`.
    pub async fn tags(
        &self,
        repo: &RepoName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Tag>, MetaError> {
        let (repo, after) = (repo.clone(), after.unwrap_or_default().to_owned());
        self.page(limit, move |db| {
            let sql = "SELECT name FROM tags
                       WHERE repository_id = (SELECT id FROM repositories WHERE name = $1)
                       AND name > $2 ORDER BY name LIMIT $3";
            let params = (repo.as_str(), after, column::limit(limit));
            db.all(sql, params, |row| column::tag(row, 0))
        })
        .await
    }

    /// The same as they are sent, which is remembered.
    pub async fn tag_names(
        &self,
        repo: &RepoName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Names, MetaError> {
        let after = after.unwrap_or_default();
        let key = Asked::Tags(repo.clone(), after.into(), limit);
        if let Some(names) = self.remembered_names(&key) {
            return Ok(names);
        }
        let at = self.shared.cache.stamps.now();
        let (repo, after) = (repo.clone(), after.to_owned());
        let read = self.page(limit, move |db| {
            let sql = "SELECT name, repository_id FROM tags
                       WHERE repository_id = (SELECT id FROM repositories WHERE name = $1)
                       AND name > $2 ORDER BY name LIMIT $3";
            let params = (repo.as_str(), after, column::limit(limit));
            let mut repository = None;
            let names = db.all(sql, params, |row| {
                repository = Some(row.get(1)?);
                column::tag(row, 0)
            })?;
            Ok((Names::of(names), repository))
        });
        let (names, repository) = read.await?;
        if let Some(repository) = repository {
            self.remember_names(key, &names, Part::Tags(repository), at);
        }
        Ok(names)
    }

    /// The tags of `repo` with what they name, bytewise after `after`.
    pub async fn all_tags(
        &self,
        repo: &RepoName,
        after: Option<&Tag>,
        limit: usize,
    ) -> Result<Vec<(Tag, Digest)>, MetaError> {
        let after = after.map(|tag| tag.as_str().to_owned()).unwrap_or_default();
        let repo = repo.clone();
        self.read(move |db| {
            let sql = "SELECT t.name, n.digest FROM tags t JOIN blobs n ON n.id = t.blob_id
                       WHERE t.repository_id = (SELECT id FROM repositories WHERE name = $1)
                       AND t.name > $2 ORDER BY t.name LIMIT $3";
            let params = (repo.as_str(), after, column::limit(limit));
            db.all(sql, params, |row| {
                Ok((column::tag(row, 0)?, column::digest(row, 1)?))
            })
        })
        .await
    }

    /// Removes `tag` and nothing else; whether there was such a tag, of which `events` tell then.
    pub async fn delete_tag(
        &self,
        repo: &RepoName,
        tag: &Tag,
        events: Vec<Event>,
    ) -> Result<bool, MetaError> {
        let (repo, tag) = (repo.clone(), tag.clone());
        self.write(move |tx| {
            let Some(mut repository) = repositories::find(tx, &repo)? else {
                return Ok(false);
            };
            if !remove(tx, &repository, &tag)? {
                return Ok(false);
            }
            repositories::unlist_if_empty(tx, &mut repository)?;
            projections::queue(tx, &repository, &Key::tag(&repository, &tag))?;
            events::record(tx, &events)?;
            Ok(true)
        })
        .await
    }
}

/// What `tag` names in the repository with the id `repository`.
pub(crate) fn target(
    db: &Connection,
    repository: i64,
    tag: &Tag,
) -> rusqlite::Result<Option<Digest>> {
    Ok(named(db, repository, tag)?.map(|(_, digest)| digest))
}

/// The same with the number of that digest.
pub(crate) fn named(
    db: &Connection,
    repository: i64,
    tag: &Tag,
) -> rusqlite::Result<Option<(i64, Digest)>> {
    let sql = "SELECT n.id, n.digest FROM tags t JOIN blobs n ON n.id = t.blob_id
               WHERE t.repository_id = $1 AND t.name = $2";
    db.one(sql, (repository, tag.as_str()), |row| {
        Ok((row.get(0)?, column::digest(row, 1)?))
    })
}

/// Points `tag` at the digest with the number `blob`, as of `time`. The caller lists the repository.
pub(crate) fn set_number(
    tx: &Write<'_>,
    repository: &Repository,
    tag: &Tag,
    blob: i64,
    time: Timestamp,
) -> rusqlite::Result<()> {
    let before = number(tx, repository, tag)?;
    place(tx, repository, tag, before, blob, time)
}

/// Points `tag` at `digest` for who knows already what it named before.
pub(crate) fn move_from(
    tx: &Write<'_>,
    repository: &Repository,
    tag: &Tag,
    before: Option<i64>,
    digest: &Digest,
    time: Timestamp,
) -> rusqlite::Result<()> {
    let blob = digests::number(tx, digest)?;
    place(tx, repository, tag, before, blob, time)
}

fn place(
    tx: &Write<'_>,
    repository: &Repository,
    tag: &Tag,
    before: Option<i64>,
    blob: i64,
    time: Timestamp,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO tags (repository_id, name, blob_id, created_at, updated_at)
               VALUES ($1, $2, $3, $4, $4)
               ON CONFLICT (repository_id, name)
               DO UPDATE SET blob_id = excluded.blob_id, updated_at = excluded.updated_at";
    let parts = [Part::Tag(repository.id, tag), Part::Tags(repository.id)];
    // A tag that moves leaves the list as it is.
    let parts = &parts[..if before.is_some() { 1 } else { 2 }];
    tx.change_of(parts, sql, (repository.id, tag.as_str(), blob, time))?;
    reviews::tag_came(tx, repository, blob)?;
    match before {
        Some(before) if before != blob => reviews::tag_left(tx, repository, before),
        _ => Ok(()),
    }
}

/// The number of what `tag` names.
fn number(tx: &Write<'_>, repository: &Repository, tag: &Tag) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT blob_id FROM tags WHERE repository_id = $1 AND name = $2";
    tx.one(sql, (repository.id, tag.as_str()), |row| row.get(0))
}

/// Removes the row of `tag`; whether there was one. The caller sees to the catalog.
pub(crate) fn remove(tx: &Write<'_>, repository: &Repository, tag: &Tag) -> rusqlite::Result<bool> {
    let Some(blob) = number(tx, repository, tag)? else {
        return Ok(false);
    };
    let sql = "DELETE FROM tags WHERE repository_id = $1 AND name = $2";
    let parts = [Part::Tag(repository.id, tag), Part::Tags(repository.id)];
    tx.change_of(&parts, sql, (repository.id, tag.as_str()))?;
    reviews::tag_left(tx, repository, blob)?;
    Ok(true)
}

/// The tags that name `digest`.
pub(crate) fn naming(
    tx: &Write<'_>,
    repository: &Repository,
    digest: &Digest,
) -> rusqlite::Result<Vec<Tag>> {
    let sql = "SELECT name FROM tags WHERE repository_id = $1
               AND blob_id = (SELECT id FROM blobs WHERE digest = $2) ORDER BY name";
    tx.all(sql, (repository.id, digest.to_bytes()), |row| {
        column::tag(row, 0)
    })
}

#[cfg(test)]
mod tests;
