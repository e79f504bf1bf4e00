//! The rows of manifests, with their payloads and edges.

use boxyard_oci::{Digest, Edge, Kind, Manifest};
use rusqlite::Connection;

use super::StoredManifest;
use crate::{
    blobs::Held, cache::stamps::Part, clock::Timestamp, column, digests, repositories::Repository,
    reviews, statements::Statements, writer::Write,
};

/// The manifest with the number `blob` of the repository with the number `repository`.
pub(crate) fn stored(
    db: &Connection,
    repository: i64,
    blob: i64,
) -> rusqlite::Result<Option<StoredManifest>> {
    let sql = "SELECT n.digest, m.media_type, p.payload, m.schema1, m.expressible
               FROM manifests m JOIN blobs n ON n.id = m.blob_id
               JOIN manifest_payloads p ON p.manifest_id = m.id
               WHERE m.repository_id = $1 AND m.blob_id = $2";
    db.one(sql, (repository, blob), StoredManifest::read)
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
    store_held(tx, repository, manifest, &[], time).map(drop)
}

/// The same where it was looked up what the repository holds under the names of the edges, in
/// their order; the number of the manifest's digest.
pub(crate) fn store_held(
    tx: &Write<'_>,
    repository: &Repository,
    manifest: &Manifest,
    held: &[Option<Held>],
    time: Timestamp,
) -> rusqlite::Result<i64> {
    let blob = digests::number(tx, &manifest.digest())?;
    let sql = "SELECT id, media_type = $1 FROM manifests WHERE repository_id = $2 AND blob_id = $3";
    let params = (manifest.media_type().as_str(), repository.id, blob);
    let manifest_id = match tx.one(sql, params, |row| Ok((row.get(0)?, row.get(1)?)))? {
        Some((_, true)) => return Ok(blob),
        Some((id, false)) => {
            update(tx, repository, blob, id, manifest)?;
            id
        }
        None => insert(tx, repository, blob, manifest, time)?,
    };
    for (position, edge) in manifest.edges().iter().enumerate() {
        let named = match held.get(position) {
            Some(Some(held)) => held.name,
            _ => digests::number(tx, &edge.digest)?,
        };
        add_edge(tx, repository, manifest_id, edge, named)?;
    }
    reviews::edges_came(tx, repository, manifest_id)?;
    Ok(blob)
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
    let id = tx.insert_new(sql, params)?;
    let payload = "INSERT INTO manifest_payloads (manifest_id, payload) VALUES ($1, $2)";
    tx.change_of(&[], payload, (id, manifest.payload().as_ref()))?;
    Ok(id)
}

/// Replaces what was read out of the payload under another media type.
fn update(
    tx: &Write<'_>,
    repository: &Repository,
    blob: i64,
    id: i64,
    manifest: &Manifest,
) -> rusqlite::Result<()> {
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
    tx.change_of(&[Part::Manifest(repository.id, blob)], sql, params)?;
    let named = drop_edges(tx, id)?;
    reviews::gone(tx, repository, blob, &named)
}

/// Removes the edges of a manifest; the numbers of what it named.
fn drop_edges(tx: &Write<'_>, manifest: i64) -> rusqlite::Result<Vec<i64>> {
    let sql = "SELECT blob_id FROM edges WHERE manifest_id = $1";
    let named = tx.all(sql, [manifest], |row| row.get(0))?;
    tx.change("DELETE FROM edges WHERE manifest_id = $1", [manifest])?;
    Ok(named)
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
    let sql = "SELECT m.id, m.blob_id FROM blobs n JOIN manifests m ON m.blob_id = n.id
               WHERE m.repository_id = $1 AND n.digest = $2";
    let params = (repository.id, digest.to_bytes());
    let removed = tx.one(sql, params, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some((id, blob)) = removed else {
        return Ok(false);
    };
    let parts = [Part::Manifest(repository.id, blob)];
    tx.change_of(&parts, "DELETE FROM manifests WHERE id = $1", [id])?;
    tx.change_of(
        &parts,
        "DELETE FROM manifest_payloads WHERE manifest_id = $1",
        [id],
    )?;
    let named = drop_edges(tx, id)?;
    reviews::gone(tx, repository, blob, &named)?;
    Ok(true)
}

fn add_edge(
    tx: &Write<'_>,
    repository: &Repository,
    manifest: i64,
    edge: &Edge,
    named: i64,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO edges (manifest_id, kind, blob_id, repository_id, size)
               VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (manifest_id, kind, blob_id) DO NOTHING";
    let size = edge.size.map(column::integer);
    let params = (manifest, edge.kind.as_u8(), named, repository.id, size);
    tx.change(sql, params).map(drop)
}
