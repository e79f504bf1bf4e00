//! The rows of blobs, and of what repositories hold under which names.

use boxyard_oci::{Digest, RepoName};
use bytes::Bytes;
use rusqlite::{Connection, Row};

use super::BlobState;
use crate::{
    cache::stamps::Part,
    column, findings,
    projections::{self, Key},
    repositories::Repository,
    reviews,
    statements::Statements,
    writer::Write,
};

/// What `blobs` says of a digest.
pub(crate) struct Known {
    pub(crate) id: i64,
    pub(crate) size: u64,
    /// `None` for a digest that is only named.
    pub(crate) state: Option<BlobState>,
    /// Whether this registry has hashed it.
    pub(crate) verified: bool,
}

pub(crate) fn known(db: &Connection, digest: &Digest) -> rusqlite::Result<Option<Known>> {
    let sql = "SELECT id, size, state, verified FROM blobs WHERE digest = $1";
    db.one(sql, [digest.to_bytes()], |row| {
        Ok(Known {
            id: row.get(0)?,
            size: column::size(row, 1)?,
            state: BlobState::read(row, 2)?,
            verified: row.get(3)?,
        })
    })
}

/// What a repository holds under a name.
pub(crate) struct Held {
    /// The number of the name.
    pub(crate) name: i64,
    /// The number of the blob, which is another one for an alias.
    pub(crate) target: i64,
    /// The blob's size, unless it is bad.
    pub(crate) size: Option<u64>,
}

impl Held {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let present = BlobState::read(row, 3)? == Some(BlobState::Present);
        let size = column::size(row, 2)?;
        Ok(Self {
            name: row.get(0)?,
            target: row.get(1)?,
            size: present.then_some(size),
        })
    }
}

/// What `repository` holds under the name `digest`.
pub(crate) fn held(
    db: &Connection,
    repository: i64,
    digest: &Digest,
) -> rusqlite::Result<Option<Held>> {
    let sql = "SELECT h.blob_id, h.target_id, b.size, b.state FROM blobs n
               JOIN repository_blobs h ON h.blob_id = n.id
               JOIN blobs b ON b.id = h.target_id
               WHERE h.repository_id = $1 AND n.digest = $2";
    db.one(sql, (repository, digest.to_bytes()), Held::read)
}

/// The same where only the name of the repository is known.
pub(crate) fn held_by(
    db: &Connection,
    repository: &RepoName,
    digest: &Digest,
) -> rusqlite::Result<Option<Held>> {
    let sql = "SELECT h.blob_id, h.target_id, b.size, b.state
               FROM repositories r
               JOIN blobs n
               JOIN repository_blobs h ON h.repository_id = r.id AND h.blob_id = n.id
               JOIN blobs b ON b.id = h.target_id
               WHERE r.name = $1 AND n.digest = $2";
    db.one(sql, (repository.as_str(), digest.to_bytes()), Held::read)
}

/// What the link of the name `name` in `repository` says; `None` if the repository does not hold it.
pub(crate) fn link(
    db: &Connection,
    repository: i64,
    name: i64,
) -> rusqlite::Result<Option<Digest>> {
    let sql = "SELECT t.digest FROM repository_blobs h
               JOIN blobs t ON t.id = h.target_id
               WHERE h.repository_id = $1 AND h.blob_id = $2";
    db.one(sql, (repository, name), |row| column::digest(row, 0))
}

/// Lets `repository` hold `target` under the name `name`, and queues the link.
pub(crate) fn hold(
    tx: &Write<'_>,
    repository: &Repository,
    name: i64,
    target: i64,
) -> rusqlite::Result<()> {
    let key = Key::layer(repository, name);
    let is_new = set_link(tx, repository, name, target)?;
    reviews::blob_came(tx, repository, name)?;
    if is_new {
        projections::queue(tx, repository, &key)
    } else {
        projections::queue_again(tx, repository, &key)
    }
}

/// The same for a blob whose number was just given to it: so far nothing can name it.
pub(crate) fn hold_new(tx: &Write<'_>, repository: &Repository, blob: i64) -> rusqlite::Result<()> {
    set_link(tx, repository, blob, blob)?;
    reviews::new_blob_came(tx, repository, blob)?;
    projections::queue(tx, repository, &Key::layer(repository, blob))
}

/// Sets what `repository` holds under the name `name`; whether that is new.
pub(crate) fn set_link(
    tx: &Write<'_>,
    repository: &Repository,
    name: i64,
    target: i64,
) -> rusqlite::Result<bool> {
    let sql = "INSERT INTO repository_blobs (repository_id, blob_id, target_id)
               VALUES ($1, $2, $3)
               ON CONFLICT (repository_id, blob_id) DO UPDATE SET target_id = excluded.target_id
               WHERE target_id <> excluded.target_id";
    let parts = [Part::Link(repository.id, name)];
    Ok(tx.change_of(&parts, sql, (repository.id, name, target))? > 0)
}

/// Lets `repository` hold nothing under the name `name`. The blob itself stays.
pub(crate) fn release(tx: &Write<'_>, repository: &Repository, name: i64) -> rusqlite::Result<()> {
    let sql = "DELETE FROM repository_blobs WHERE repository_id = $1 AND blob_id = $2";
    let parts = [Part::Link(repository.id, name)];
    tx.change_of(&parts, sql, (repository.id, name))?;
    reviews::blob_left(tx, repository, name)
}

/// Records a blob of `size` bytes that was not there before; its number.
pub(crate) fn add(
    tx: &Write<'_>,
    digest: &Digest,
    size: u64,
    verified: bool,
) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO blobs (digest, size, state, verified, state_since)
               VALUES ($1, $2, $3, $4, $5)";
    let (size, state) = (column::integer(size), BlobState::Present.stored());
    tx.insert_new(sql, (digest.to_bytes(), size, state, verified, tx.now))
}

/// Records that a blob is present with `size` bytes, whatever was known of it.
pub(crate) fn set_present(
    tx: &Write<'_>,
    blob: i64,
    size: u64,
    verified: bool,
) -> rusqlite::Result<()> {
    let sql = "UPDATE blobs SET size = $1, state = $2, verified = $3, state_since = $4
               WHERE id = $5";
    let (size, state) = (column::integer(size), BlobState::Present.stored());
    let params = (size, state, verified, tx.now, blob);
    tx.change_of(&[Part::Blob(blob)], sql, params).map(drop)
}

pub(crate) fn set_state(tx: &Write<'_>, blob: i64, state: BlobState) -> rusqlite::Result<()> {
    let sql = "UPDATE blobs SET state = $1, state_since = $2 WHERE id = $3 AND state <> $1";
    let params = (state.stored(), tx.now, blob);
    tx.change_of(&[Part::Blob(blob)], sql, params).map(drop)
}

/// The bytes of a blob that wait for their file.
pub(crate) fn waiting(db: &Connection, blob: i64) -> rusqlite::Result<Option<Bytes>> {
    let sql = "SELECT bytes FROM blob_bytes WHERE blob_id = $1";
    db.one(sql, [blob], |row| column::bytes(row, 0))
}

/// Forgets the bytes of a blob that wait for their file.
pub(crate) fn drop_bytes(tx: &Write<'_>, blob: i64) -> rusqlite::Result<()> {
    let sql = "DELETE FROM blob_bytes WHERE blob_id = $1";
    tx.change_of(&[Part::Blob(blob)], sql, [blob]).map(drop)
}

/// Records that the content of `digest` was hashed and has `size` bytes; its number.
pub(crate) fn verify(tx: &Write<'_>, digest: &Digest, size: u64) -> rusqlite::Result<i64> {
    verify_known(tx, known(tx, digest)?, digest, size)
}

/// The same where it was looked up what is known of the digest.
pub(crate) fn verify_known(
    tx: &Write<'_>,
    known: Option<Known>,
    digest: &Digest,
    size: u64,
) -> rusqlite::Result<i64> {
    let Some(blob) = known else {
        return add(tx, digest, size, true);
    };
    if blob.state == Some(BlobState::Bad) {
        findings::resolve(tx, &digest.to_string())?;
    }
    if !blob.verified || blob.size != size || blob.state != Some(BlobState::Present) {
        set_present(tx, blob.id, size, true)?;
    }
    Ok(blob.id)
}

/// Keeps `bytes` until the projection has made a file of them.
pub(crate) fn keep_bytes(tx: &Write<'_>, blob: i64, bytes: &Bytes) -> rusqlite::Result<()> {
    let sql = "INSERT INTO blob_bytes (blob_id, bytes) VALUES ($1, $2)
               ON CONFLICT (blob_id) DO NOTHING";
    tx.change_of(&[Part::Blob(blob)], sql, (blob, bytes.as_ref()))
        .map(drop)
}
