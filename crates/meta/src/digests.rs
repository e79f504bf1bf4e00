//! Digests as the other tables refer to them: by the number of their row in `blobs`.

use boxyard_oci::Digest;
use rusqlite::Connection;

use crate::{column, statements::Statements, writer::Write};

/// The number of `digest`; `None` if nothing here is about it.
pub(crate) fn find(db: &Connection, digest: &Digest) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT id FROM blobs WHERE digest = $1";
    db.one(sql, [digest.to_bytes()], |row| row.get(0))
}

/// The number of `digest`, given to it now if it has none.
pub(crate) fn number(tx: &Write<'_>, digest: &Digest) -> rusqlite::Result<i64> {
    if let Some(id) = find(tx, digest)? {
        return Ok(id);
    }
    let sql = "INSERT INTO blobs (digest, size, state, verified, state_since)
               VALUES ($1, 0, 0, 0, $2)";
    tx.insert_new(sql, (digest.to_bytes(), tx.now))
}

/// Where a page begins that follows `after`: behind the number 0 for the first page, and also
/// if the digest is gone, since a page too many is better than one too few.
pub(crate) fn position(db: &Connection, after: Option<&Digest>) -> rusqlite::Result<i64> {
    match after {
        Some(digest) => Ok(find(db, digest)?.unwrap_or(0)),
        None => Ok(0),
    }
}

/// The digest with this number.
pub(crate) fn digest(db: &Connection, id: i64) -> rusqlite::Result<Option<Digest>> {
    let sql = "SELECT digest FROM blobs WHERE id = $1";
    db.one(sql, [id], |row| column::digest(row, 0))
}
