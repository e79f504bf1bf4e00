//! Releases: digests that may have lost their last use, and whose files go if they have.
//!
//! Whatever takes a use away queues the digest in its own transaction.
//! Whether it is needed is asked again when its turn comes, so a digest may be queued in vain.
//! First its row says that there is no such blob, then its file goes, then it leaves the queue:
//! a crash in between leaves a file that is still queued.

use boxyard_oci::{Digest, EdgeKind};
use rusqlite::Connection;

use crate::{
    Meta, MetaError,
    blobs::{self, BlobState},
    cache::stamps::Part,
    column, digests, findings, projections,
    repositories::Repository,
    statements::Statements,
    writer::Write,
};

impl Meta {
    /// Queues a digest whose file nobody may need.
    pub async fn review_blob(&self, digest: &Digest) -> Result<(), MetaError> {
        let digest = *digest;
        self.write(move |tx| {
            let blob = digests::number(tx, &digest)?;
            review(tx, blob)
        })
        .await
    }

    /// The first digests of the queue, of those that were queued before `until`.
    pub async fn releases(&self, until: i64, limit: usize) -> Result<Vec<Digest>, MetaError> {
        self.read(move |db| {
            let sql = "SELECT n.digest FROM releases x JOIN blobs n ON n.id = x.blob_id
                       WHERE x.sequence < $1 ORDER BY x.sequence LIMIT $2";
            db.all(sql, (until, column::limit(limit)), |row| {
                column::digest(row, 0)
            })
        })
        .await
    }

    /// Lets go of each of `digests` that nobody needs, and answers which these are.
    ///
    /// From then on there is no such blob, and its file may go. What is needed leaves the queue.
    pub async fn release_blobs(&self, digests: &[Digest]) -> Result<Vec<Digest>, MetaError> {
        let digests = digests.to_vec();
        self.write(move |tx| {
            let mut released = Vec::new();
            for digest in &digests {
                if release(tx, digest)? {
                    released.push(*digest);
                }
            }
            Ok(released)
        })
        .await
    }

    /// Takes from the queue what was let go of and has no file any more.
    pub async fn end_releases(&self, digests: &[Digest]) -> Result<(), MetaError> {
        let digests = digests.to_vec();
        self.write(move |tx| digests.iter().try_for_each(|digest| end(tx, digest)))
            .await
    }

    /// Puts digests whose files could not be removed behind all others.
    pub async fn postpone_releases(&self, digests: &[Digest]) -> Result<(), MetaError> {
        let digests = digests.to_vec();
        self.write(move |tx| {
            let mut numbers = Vec::new();
            for digest in &digests {
                numbers.extend(digests::find(tx, digest)?);
            }
            numbers.into_iter().try_for_each(|blob| review(tx, blob))
        })
        .await
    }
}

/// Queues the blob with the number `blob`, which has just lost a use.
pub(crate) fn review(tx: &Write<'_>, blob: i64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO releases (blob_id, sequence) VALUES ($1, $2)
               ON CONFLICT (blob_id) DO UPDATE SET sequence = excluded.sequence";
    tx.change(sql, (blob, tx.next_sequence())).map(drop)
}

/// Queues a manifest that is about to go, and what it names that no repository holds: such a
/// blob was kept for the manifest's sake alone.
pub(crate) fn review_manifest(
    tx: &Write<'_>,
    repository: &Repository,
    blob: i64,
) -> rusqlite::Result<()> {
    let sql = "SELECT e.blob_id FROM manifests m JOIN edges e ON e.manifest_id = m.id
               WHERE m.repository_id = $1 AND m.blob_id = $2 AND NOT EXISTS (
                   SELECT 1 FROM repository_blobs h WHERE h.blob_id = e.blob_id
               )";
    let kept: Vec<i64> = tx.all(sql, (repository.id, blob), |row| row.get(0))?;
    review(tx, blob)?;
    kept.into_iter().try_for_each(|blob| review(tx, blob))
}

/// Whether the blob was let go of; one that is needed leaves the queue.
fn release(tx: &Write<'_>, digest: &Digest) -> rusqlite::Result<bool> {
    let Some(blob) = blobs::known(tx, digest)? else {
        return Ok(false);
    };
    if is_needed(tx, blob.id)? {
        leave(tx, blob.id)?;
        return Ok(false);
    }
    if blob.state == Some(BlobState::Bad) {
        // Nobody has to heal what nobody wants.
        findings::resolve(tx, &digest.to_string())?;
    }
    if blob.state.is_some() {
        let sql = "UPDATE blobs SET state = 0, verified = 0, state_since = $1 WHERE id = $2";
        tx.change_of(&[Part::Blob(blob.id)], sql, (tx.now, blob.id))?;
    }
    blobs::drop_bytes(tx, blob.id)?;
    projections::drop_blob(tx, blob.id)?;
    Ok(true)
}

/// Whether a repository holds the blob, under any name, or has it as a manifest, or a manifest
/// of any repository names it. A subject is not needed: a referrer outlives it.
pub(crate) fn is_needed(db: &Connection, blob: i64) -> rusqlite::Result<bool> {
    let uses = [
        "SELECT 1 FROM repository_blobs WHERE blob_id = $1 LIMIT 1",
        "SELECT 1 FROM repository_blobs WHERE target_id = $1 AND target_id <> blob_id LIMIT 1",
        "SELECT 1 FROM manifests WHERE blob_id = $1 LIMIT 1",
    ];
    for sql in uses {
        if db.one(sql, [blob], |_| Ok(()))?.is_some() {
            return Ok(true);
        }
    }
    let named = "SELECT 1 FROM edges WHERE blob_id = $1 AND kind <> $2 LIMIT 1";
    let params = (blob, EdgeKind::Subject.as_u8());
    Ok(db.one(named, params, |_| Ok(()))?.is_some())
}

/// Ends a release, unless the blob has come back meanwhile and left again.
fn end(tx: &Write<'_>, digest: &Digest) -> rusqlite::Result<()> {
    match blobs::known(tx, digest)? {
        Some(blob) if blob.state.is_none() => leave(tx, blob.id),
        _ => Ok(()),
    }
}

fn leave(tx: &Write<'_>, blob: i64) -> rusqlite::Result<()> {
    tx.change("DELETE FROM releases WHERE blob_id = $1", [blob])
        .map(drop)
}

#[cfg(test)]
mod tests;
