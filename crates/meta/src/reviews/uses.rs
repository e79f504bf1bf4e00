//! What uses what: the changes of uses, and the question whether one is left.

use boxyard_oci::EdgeKind;
use rusqlite::Connection;

use super::{ReviewKind, forget, queue};
use crate::{repositories::Repository, statements::Statements, writer::Write};

/// What a manifest names, without its subject, which it does not keep.
const NOT_KEPT: u8 = EdgeKind::Subject as u8;

/// Whether a manifest of the repository names the blob, by this name or by one that is its
/// alias, or is the blob itself.
///
/// It is one statement because each push and each mount asks.
pub(super) fn names_blob(db: &Connection, repository: i64, blob: i64) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (
                   SELECT 1 FROM edges
                   WHERE blob_id = $1 AND repository_id = $2 AND kind <> $3
               ) OR EXISTS (
                   SELECT 1 FROM manifests WHERE repository_id = $2 AND blob_id = $1
               ) OR EXISTS (
                   SELECT 1 FROM repository_blobs a JOIN edges e
                       ON e.blob_id = a.blob_id AND e.repository_id = a.repository_id
                   WHERE a.target_id = $1 AND a.repository_id = $2 AND a.target_id <> a.blob_id
                       AND e.kind <> $3
               )";
    let params = (blob, repository, NOT_KEPT);
    Ok(db.one(sql, params, |row| row.get(0))?.unwrap_or(false))
}

/// Whether a tag, an index or another manifest, or a subject keeps the manifest.
///
/// A referrer lives with its subject. A fallback tag of referrers is a tag of an index, and so
/// keeps what it lists.
pub(super) fn keeps_manifest(
    db: &Connection,
    repository: i64,
    blob: i64,
) -> rusqlite::Result<bool> {
    let tagged = "SELECT 1 FROM tags WHERE repository_id = $1 AND blob_id = $2 LIMIT 1";
    if db.one(tagged, (repository, blob), |_| Ok(()))?.is_some() {
        return Ok(true);
    }
    if is_named(db, repository, blob)? {
        return Ok(true);
    }
    let subject = "SELECT 1 FROM manifests m
                   JOIN manifests s
                       ON s.repository_id = m.repository_id AND s.blob_id = m.subject_id
                   WHERE m.repository_id = $1 AND m.blob_id = $2";
    Ok(db.one(subject, (repository, blob), |_| Ok(()))?.is_some())
}

fn is_named(db: &Connection, repository: i64, blob: i64) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM edges
               WHERE blob_id = $1 AND repository_id = $2 AND kind <> $3 LIMIT 1";
    let params = (blob, repository, NOT_KEPT);
    Ok(db.one(sql, params, |_| Ok(()))?.is_some())
}

fn has_manifest(db: &Connection, repository: i64, blob: i64) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM manifests WHERE repository_id = $1 AND blob_id = $2";
    Ok(db.one(sql, (repository, blob), |_| Ok(()))?.is_some())
}

fn holds(db: &Connection, repository: i64, blob: i64) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM repository_blobs WHERE repository_id = $1 AND blob_id = $2";
    Ok(db.one(sql, (repository, blob), |_| Ok(()))?.is_some())
}

/// Looks at a blob or a manifest that may have lost its last use.
fn lost(tx: &Write<'_>, repository: i64, blob: i64) -> rusqlite::Result<()> {
    if holds(tx, repository, blob)? && !names_blob(tx, repository, blob)? {
        queue(tx, repository, blob, ReviewKind::Blob, tx.now)?;
    }
    if has_manifest(tx, repository, blob)? && !keeps_manifest(tx, repository, blob)? {
        queue(tx, repository, blob, ReviewKind::Manifest, tx.now)?;
    }
    Ok(())
}

/// Whatever `blobs` are, a manifest of `repository` names them now, and its referrers have a
/// subject.
pub(crate) fn edges_came(
    tx: &Write<'_>,
    repository: &Repository,
    manifest: i64,
) -> rusqlite::Result<()> {
    let named = "DELETE FROM reviews WHERE repository_id = $1 AND blob_id IN (
                     SELECT blob_id FROM edges WHERE manifest_id = $2 AND kind <> $3
                 )";
    tx.change(named, (repository.id, manifest, NOT_KEPT))?;
    let aliased = "DELETE FROM reviews WHERE repository_id = $1 AND blob_id IN (
                       SELECT h.target_id FROM edges e JOIN repository_blobs h
                           ON h.repository_id = e.repository_id AND h.blob_id = e.blob_id
                       WHERE e.manifest_id = $2 AND h.target_id <> h.blob_id
                   )";
    tx.change(aliased, (repository.id, manifest))?;
    let referrers = "DELETE FROM reviews WHERE repository_id = $1 AND blob_id IN (
                         SELECT r.blob_id FROM manifests r JOIN manifests m
                             ON m.repository_id = r.repository_id AND m.blob_id = r.subject_id
                         WHERE r.repository_id = $1 AND r.subject_id IS NOT NULL AND m.id = $2
                     )";
    tx.change(referrers, (repository.id, manifest)).map(drop)
}

/// Looks at a manifest that has come, unless something keeps it.
pub(crate) fn manifest_came(
    tx: &Write<'_>,
    repository: &Repository,
    blob: i64,
) -> rusqlite::Result<()> {
    if keeps_manifest(tx, repository.id, blob)? {
        return forget(tx, repository.id, blob, ReviewKind::Manifest);
    }
    queue(tx, repository.id, blob, ReviewKind::Manifest, tx.now)
}

/// Looks at whatever a manifest that has just gone was the last to use: `named` is what it
/// named, and `blob` itself.
pub(crate) fn gone(
    tx: &Write<'_>,
    repository: &Repository,
    blob: i64,
    named: &[i64],
) -> rusqlite::Result<()> {
    forget(tx, repository.id, blob, ReviewKind::Manifest)?;
    lost(tx, repository.id, blob)?;
    for blob in named {
        lost(tx, repository.id, *blob)?;
        let targets = "SELECT target_id FROM repository_blobs
                       WHERE repository_id = $1 AND blob_id = $2 AND target_id <> blob_id";
        let target: Option<i64> = tx.one(targets, (repository.id, blob), |row| row.get(0))?;
        target.map_or(Ok(()), |target| lost(tx, repository.id, target))?;
    }
    let referrers = "SELECT blob_id FROM manifests WHERE repository_id = $1 AND subject_id = $2";
    let referrers: Vec<i64> = tx.all(referrers, (repository.id, blob), |row| row.get(0))?;
    referrers
        .into_iter()
        .try_for_each(|referrer| lost(tx, repository.id, referrer))
}

/// A tag names `blob` now.
pub(crate) fn tag_came(tx: &Write<'_>, repository: &Repository, blob: i64) -> rusqlite::Result<()> {
    forget(tx, repository.id, blob, ReviewKind::Manifest)
}

/// A tag does not name `blob` any more.
pub(crate) fn tag_left(tx: &Write<'_>, repository: &Repository, blob: i64) -> rusqlite::Result<()> {
    if has_manifest(tx, repository.id, blob)? && !keeps_manifest(tx, repository.id, blob)? {
        queue(tx, repository.id, blob, ReviewKind::Manifest, tx.now)?;
    }
    Ok(())
}
