//! Copies of the database, made beside a running server, and what they name.

use std::path::{Path, PathBuf};

use boxyard_oci::Digest;
use rusqlite::{Connection, OpenFlags};

use crate::{
    BlobState, Meta, MetaError, Owner, PresentBlob, column,
    connection::{self, Purpose},
    error::OpenError,
    migrate,
    projections::{self, Key},
    statements::Statements,
};

/// A copy of the database as it was at one moment.
#[derive(Debug)]
pub struct Snapshot {
    db: Connection,
    path: PathBuf,
}

impl Snapshot {
    /// Copies the database at `path` to the new file `into`, whether or not a server has it open.
    ///
    /// Blocks. The copy holds everything that was acknowledged before this was called.
    pub fn take(path: &Path, into: &Path) -> Result<(), OpenError> {
        let failed = |source| OpenError::of(path, source);
        let text = into.to_string_lossy().into_owned();
        let db = connection::open(path, Purpose::Write).map_err(failed)?;
        db.execute("VACUUM INTO $1", [&text]).map_err(failed)?;
        // A file alone, without a log beside it.
        let copy = Connection::open(into).map_err(failed)?;
        copy.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
            .map_err(failed)
    }

    /// Opens a copy for reading.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::of(path, source);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(failed)?;
        migrate::refuse_unknown(&db, path)?;
        Ok(Self {
            db,
            path: path.to_owned(),
        })
    }

    /// The blobs that are files, after the one with the number `after`.
    pub fn files(&self, after: i64, limit: usize) -> Result<Vec<PresentBlob>, OpenError> {
        let sql = "SELECT b.id, b.digest, b.size FROM blobs b
                   WHERE b.id > $1 AND b.state = $2
                   AND NOT EXISTS (SELECT 1 FROM blob_bytes w WHERE w.blob_id = b.id)
                   ORDER BY b.id LIMIT $3";
        let params = (after, BlobState::Present.stored(), column::limit(limit));
        let found = self.db.all(sql, params, |row| {
            Ok(PresentBlob {
                id: row.get(0)?,
                digest: column::digest(row, 1)?,
                size: column::size(row, 2)?,
            })
        });
        found.map_err(|source| OpenError::of(&self.path, source))
    }

    /// How many bytes the present blobs have.
    pub fn bytes(&self) -> Result<u64, OpenError> {
        let sql = "SELECT COALESCE(SUM(size), 0) FROM blobs WHERE state = 1";
        let bytes = self.db.one(sql, [], |row| column::size(row, 0));
        let bytes = bytes.map_err(|source| OpenError::of(&self.path, source))?;
        Ok(bytes.unwrap_or(0))
    }

    /// Whether the copy knows a present blob of this digest.
    pub fn has(&self, digest: &Digest) -> Result<bool, OpenError> {
        let sql = "SELECT 1 FROM blobs WHERE digest = $1 AND state = $2";
        let params = (digest.to_bytes(), BlobState::Present.stored());
        let found = self.db.one(sql, params, |_| Ok(()));
        let found = found.map_err(|source| OpenError::of(&self.path, source))?;
        Ok(found.is_some())
    }
}

impl Meta {
    /// Queues the paths of all `owners` that these tables know, as of a tree that has none of them.
    pub async fn queue_owners(&self, owners: Vec<Owner>) -> Result<(), MetaError> {
        self.write(move |tx| {
            for owner in &owners {
                if let Some(key) = Key::of(tx, owner)? {
                    projections::insert_missing(tx, &key)?;
                }
            }
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests;
