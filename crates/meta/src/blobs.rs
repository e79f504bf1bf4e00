//! Blobs: what is known of each, and which repository holds which.

use boxyard_oci::{Digest, EdgeKind, RepoName};
use bytes::Bytes;
use rusqlite::{Connection, Row, types::Type};

use crate::{
    Finding, Meta, MetaError, column, findings,
    projections::{self, Key},
    repositories::{self, Repository},
    statements::Statements,
    writer::Write,
};

/// Whether a blob's content can be served.
///
/// Stored as 1 and 2. A bad blob becomes present by a push of its digest; no blob leaves these
/// states yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobState {
    /// Its content is there.
    Present,
    /// Its file was found to be another than its digest says.
    Bad,
}

impl BlobState {
    pub(crate) const fn stored(self) -> i64 {
        match self {
            Self::Present => 1,
            Self::Bad => 2,
        }
    }

    fn read(row: &Row<'_>, index: usize) -> rusqlite::Result<Self> {
        match row.get(index)? {
            1 => Ok(Self::Present),
            2 => Ok(Self::Bad),
            _ => Err(column::malformed(index, Type::Integer, "state of a blob")),
        }
    }
}

/// What is known of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobRow {
    /// The length of its content.
    pub size: u64,
    /// Whether it can be served.
    pub state: BlobState,
    /// Its content while that is durable here and not yet in a file.
    pub bytes: Option<Bytes>,
}

/// A blob as a repository holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBlob {
    /// What is known of it.
    pub row: BlobRow,
    /// The digest that its file bears; another than the one asked for where that is an alias.
    pub target: Digest,
}

/// What became of a request to delete a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeleteBlob {
    /// The repository does not hold it any more.
    Deleted,
    /// The repository did not hold it.
    NotFound,
    /// This manifest of the repository names it, perhaps among others.
    NamedBy(Digest),
}

impl Meta {
    /// Records that `repo` holds `digest`, whose verified content is durable in its file or is
    /// `bytes`. Heals a blob that was bad.
    pub async fn hold_blob(
        &self,
        repo: &RepoName,
        digest: &Digest,
        size: u64,
        bytes: Option<Bytes>,
    ) -> Result<(), MetaError> {
        let (repo, digest) = (repo.clone(), *digest);
        self.write(move |tx| {
            verify(tx, &digest, size)?;
            if let Some(bytes) = bytes {
                keep_bytes(tx, &digest, &bytes)?;
            }
            let repository = repositories::ensure(tx, &repo)?;
            hold(tx, &repository, &digest, &digest)
        })
        .await
    }

    /// Lets `repo` hold `target` under the name `alias` too; false if there is no such blob.
    pub async fn alias_blob(
        &self,
        repo: &RepoName,
        alias: &Digest,
        target: &Digest,
    ) -> Result<bool, MetaError> {
        let (repo, alias, target) = (repo.clone(), *alias, *target);
        self.write(move |tx| {
            if row(tx, &target)?.is_none() {
                return Ok(false);
            }
            let repository = repositories::ensure(tx, &repo)?;
            hold(tx, &repository, &alias, &target)?;
            Ok(true)
        })
        .await
    }

    /// The blob that `repo` holds under the name `digest`, also if it is bad.
    pub async fn blob(
        &self,
        repo: &RepoName,
        digest: &Digest,
    ) -> Result<Option<HeldBlob>, MetaError> {
        let (repo, digest) = (repo.clone(), *digest);
        self.read(move |db| {
            let sql = "SELECT b.size, b.state, w.bytes, h.target
                       FROM repositories r
                       JOIN repository_blobs h ON h.repository_id = r.id
                       JOIN blobs b ON b.digest = h.target
                       LEFT JOIN blob_bytes w ON w.digest = h.target
                       WHERE r.name = $1 AND h.digest = $2";
            db.one(sql, (repo.as_str(), digest.to_bytes()), |row| {
                Ok(HeldBlob {
                    row: BlobRow::read(row)?,
                    target: column::digest(row, 3)?,
                })
            })
        })
        .await
    }

    /// The blob with this digest, whoever holds it.
    pub async fn blob_anywhere(&self, digest: &Digest) -> Result<Option<BlobRow>, MetaError> {
        let digest = *digest;
        self.read(move |db| row(db, &digest)).await
    }

    /// The repositories that hold `digest`, in the order in which they came to be, after the
    /// one named `after`.
    pub async fn holders(
        &self,
        digest: &Digest,
        after: Option<&RepoName>,
        limit: usize,
    ) -> Result<Vec<RepoName>, MetaError> {
        let (digest, after) = (*digest, after.cloned());
        self.read(move |db| {
            let after = after
                .map(|name| repositories::find(db, &name))
                .transpose()?
                .flatten();
            let after = after.map_or(0, |repository| repository.id);
            let sql = "SELECT r.name FROM repository_blobs h
                       JOIN repositories r ON r.id = h.repository_id
                       WHERE h.digest = $1 AND h.repository_id > $2
                       ORDER BY h.repository_id LIMIT $3";
            let params = (digest.to_bytes(), after, column::limit(limit));
            db.all(sql, params, |row| column::repo(row, 0))
        })
        .await
    }

    /// Lets `to` hold what `from` holds under the name `digest`; its size, unless it is absent
    /// or bad there.
    pub async fn mount_blob(
        &self,
        from: &RepoName,
        to: &RepoName,
        digest: &Digest,
    ) -> Result<Option<u64>, MetaError> {
        let (from, to, digest) = (from.clone(), to.clone(), *digest);
        self.write(move |tx| {
            let Some(from) = repositories::find(tx, &from)? else {
                return Ok(None);
            };
            let Some((target, size)) = present(tx, from.id, &digest)? else {
                return Ok(None);
            };
            let to = repositories::ensure(tx, &to)?;
            hold(tx, &to, &digest, &target)?;
            Ok(Some(size))
        })
        .await
    }

    /// Stops `digest` from being served anywhere until a push heals it, and records why.
    ///
    /// A blob whose bytes are still here stays: it is not served from the file.
    pub async fn mark_blob_bad(&self, digest: &Digest, finding: &Finding) -> Result<(), MetaError> {
        let (digest, finding) = (*digest, finding.clone());
        self.write(move |tx| {
            if waiting(tx, &digest)?.is_some() {
                return Ok(());
            }
            set_state(tx, &digest, BlobState::Bad)?;
            findings::record(tx, &finding)
        })
        .await
    }

    /// Takes `digest` from `repo`, unless a manifest of `repo` names it, under whichever name.
    pub async fn delete_blob(
        &self,
        repo: &RepoName,
        digest: &Digest,
    ) -> Result<DeleteBlob, MetaError> {
        let (repo, digest) = (repo.clone(), *digest);
        self.write(move |tx| {
            let Some(repository) = repositories::find(tx, &repo)? else {
                return Ok(DeleteBlob::NotFound);
            };
            if link(tx, repository.id, &digest)?.is_none() {
                return Ok(DeleteBlob::NotFound);
            }
            if let Some(manifest) = naming(tx, &repository, &digest)? {
                return Ok(DeleteBlob::NamedBy(manifest));
            }
            release(tx, &repository, &digest)?;
            projections::queue(tx, &repository, Key::layer(&repository, &digest))?;
            Ok(DeleteBlob::Deleted)
        })
        .await
    }

    /// The names under which `repo` holds blobs, after `after`, each with the blob's size or
    /// `None` where it is bad.
    pub async fn all_layers(
        &self,
        repo: &RepoName,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Vec<(Digest, Option<u64>)>, MetaError> {
        let after = after.map(Digest::to_bytes).unwrap_or_default();
        let repo = repo.clone();
        self.read(move |db| {
            let sql = "SELECT b.size, b.state, h.digest FROM repository_blobs h
                       JOIN blobs b ON b.digest = h.target
                       WHERE h.repository_id = (SELECT id FROM repositories WHERE name = $1)
                       AND h.digest > $2 ORDER BY h.digest LIMIT $3";
            let params = (repo.as_str(), after, column::limit(limit));
            db.all(sql, params, |row| {
                let present = BlobState::read(row, 1)? == BlobState::Present;
                let size = column::size(row, 0)?;
                Ok((column::digest(row, 2)?, present.then_some(size)))
            })
        })
        .await
    }
}

impl BlobRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let bytes = column::optional_bytes(row, 2)?;
        Ok(Self {
            size: column::size(row, 0)?,
            state: BlobState::read(row, 1)?,
            bytes,
        })
    }
}

/// What `repository` holds under the name `digest` and can serve: its own digest and size.
pub(crate) fn present(
    db: &Connection,
    repository: i64,
    digest: &Digest,
) -> rusqlite::Result<Option<(Digest, u64)>> {
    let sql = "SELECT h.target, b.size FROM repository_blobs h JOIN blobs b ON b.digest = h.target
               WHERE h.repository_id = $1 AND h.digest = $2 AND b.state = $3";
    let params = (repository, digest.to_bytes(), BlobState::Present.stored());
    db.one(sql, params, |row| {
        Ok((column::digest(row, 0)?, column::size(row, 1)?))
    })
}

/// What the link of `digest` in `repository` says; `None` if the repository does not hold it.
pub(crate) fn link(
    db: &Connection,
    repository: i64,
    digest: &Digest,
) -> rusqlite::Result<Option<Digest>> {
    let sql = "SELECT target FROM repository_blobs WHERE repository_id = $1 AND digest = $2";
    db.one(sql, (repository, digest.to_bytes()), |row| {
        column::digest(row, 0)
    })
}

/// Lets `repository` hold `target` under the name `digest`, and queues the link.
pub(crate) fn hold(
    tx: &Write<'_>,
    repository: &Repository,
    digest: &Digest,
    target: &Digest,
) -> rusqlite::Result<()> {
    let key = Key::layer(repository, digest);
    if set_link(tx, repository, digest, target)? {
        projections::queue(tx, repository, key)
    } else {
        projections::queue_again(tx, repository, key)
    }
}

/// Sets what the link of `digest` says; whether that is new. The caller knows the tree has it.
pub(crate) fn set_link(
    tx: &Write<'_>,
    repository: &Repository,
    digest: &Digest,
    target: &Digest,
) -> rusqlite::Result<bool> {
    let sql = "INSERT INTO repository_blobs (repository_id, digest, target) VALUES ($1, $2, $3)
               ON CONFLICT (repository_id, digest) DO UPDATE SET target = excluded.target
               WHERE target <> excluded.target";
    Ok(tx.change(sql, (repository.id, digest.to_bytes(), target.to_bytes()))? > 0)
}

/// Lets `repository` hold nothing under the name `digest`. The blob itself stays.
pub(crate) fn release(
    tx: &Write<'_>,
    repository: &Repository,
    digest: &Digest,
) -> rusqlite::Result<()> {
    let sql = "DELETE FROM repository_blobs WHERE repository_id = $1 AND digest = $2";
    tx.change(sql, (repository.id, digest.to_bytes())).map(drop)
}

/// What the tree says of a blob's file when nothing better is known.
pub(crate) fn adopt(tx: &Write<'_>, digest: &Digest, size: u64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO blobs (digest, size, state, verified, state_since)
               VALUES ($1, $2, $3, 0, $4)
               ON CONFLICT (digest) DO UPDATE SET size = excluded.size
               WHERE verified = 0 AND size <> excluded.size";
    let state = BlobState::Present.stored();
    tx.change(
        sql,
        (digest.to_bytes(), column::integer(size), state, tx.now),
    )
    .map(drop)
}

pub(crate) fn set_state(tx: &Write<'_>, digest: &Digest, state: BlobState) -> rusqlite::Result<()> {
    let sql = "UPDATE blobs SET state = $1, state_since = $2 WHERE digest = $3 AND state <> $1";
    tx.change(sql, (state.stored(), tx.now, digest.to_bytes()))
        .map(drop)
}

/// The bytes of `digest` that wait for their file.
pub(crate) fn waiting(db: &Connection, digest: &Digest) -> rusqlite::Result<Option<Bytes>> {
    let sql = "SELECT bytes FROM blob_bytes WHERE digest = $1";
    db.one(sql, [digest.to_bytes()], |row| column::bytes(row, 0))
}

/// Forgets the bytes of `digest`, now that its file is synced.
pub(crate) fn drop_bytes(tx: &Write<'_>, digest: &Digest) -> rusqlite::Result<()> {
    tx.change(
        "DELETE FROM blob_bytes WHERE digest = $1",
        [digest.to_bytes()],
    )
    .map(drop)
}

/// The blob with this digest, whoever holds it.
pub(crate) fn row(db: &Connection, digest: &Digest) -> rusqlite::Result<Option<BlobRow>> {
    let sql = "SELECT b.size, b.state, w.bytes FROM blobs b
               LEFT JOIN blob_bytes w ON w.digest = b.digest WHERE b.digest = $1";
    db.one(sql, [digest.to_bytes()], BlobRow::read)
}

/// Records that the content of `digest` was hashed and has `size` bytes.
fn verify(tx: &Write<'_>, digest: &Digest, size: u64) -> rusqlite::Result<()> {
    let bad = "SELECT 1 FROM blobs WHERE digest = $1 AND state = $2";
    let params = (digest.to_bytes(), BlobState::Bad.stored());
    if tx.one(bad, params, |_| Ok(()))?.is_some() {
        findings::resolve(tx, &digest.to_string())?;
    }
    let sql = "INSERT INTO blobs (digest, size, state, verified, state_since)
               VALUES ($1, $2, $3, 1, $4)
               ON CONFLICT (digest) DO UPDATE SET
                   size = excluded.size, state = excluded.state, verified = 1,
                   state_since = excluded.state_since
               WHERE verified = 0 OR state <> excluded.state OR size <> excluded.size";
    let state = BlobState::Present.stored();
    tx.change(
        sql,
        (digest.to_bytes(), column::integer(size), state, tx.now),
    )
    .map(drop)
}

/// Keeps `bytes` until the projection has made a file of them.
fn keep_bytes(tx: &Write<'_>, digest: &Digest, bytes: &Bytes) -> rusqlite::Result<()> {
    let sql = "INSERT INTO blob_bytes (digest, bytes) VALUES ($1, $2)
               ON CONFLICT (digest) DO NOTHING";
    tx.change(sql, (digest.to_bytes(), bytes.as_ref()))?;
    projections::queue_blob(tx, digest)
}

/// A manifest of `repository` that needs `digest`, by this name or by one that is its alias.
/// A subject is not needed: a referrer outlives it.
fn naming(
    tx: &Write<'_>,
    repository: &Repository,
    digest: &Digest,
) -> rusqlite::Result<Option<Digest>> {
    let sql = "SELECT m.digest FROM edges e JOIN manifests m ON m.id = e.manifest_id
               WHERE e.repository_id = $1 AND e.digest IN (
                   SELECT $2
                   UNION
                   SELECT digest FROM repository_blobs WHERE target = $2 AND repository_id = $1
               ) AND e.kind <> $3 LIMIT 1";
    let params = (repository.id, digest.to_bytes(), EdgeKind::Subject.as_u8());
    tx.one(sql, params, |row| column::digest(row, 0))
}
