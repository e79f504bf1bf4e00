//! Blobs: what is known of each, and which repository holds which.

mod remembered;
mod rows;
mod small;

use boxyard_oci::{Digest, EdgeKind, RepoName};
use bytes::Bytes;
use rusqlite::{Row, types::Type};

use self::remembered::Numbers;
use crate::{
    Event, Finding, Meta, MetaError,
    cache::Seen,
    column, digests, events, findings,
    projections::{self, Key},
    releases,
    repositories::{self, Repository},
    statements::Statements,
    writer::Write,
};

pub(crate) use self::rows::{
    Held, Known, add, drop_bytes, held, held_by, hold, keep_bytes, known, link, release, set_link,
    set_present, set_state, verify, waiting,
};
pub(crate) use self::small::is_waiting;
pub use self::small::{HeldSize, Stored};

/// Whether a blob's content can be served.
///
/// Stored as 1 and 2; 0 is a digest that is only named. A bad blob becomes present by a push of
/// its digest, and either is only named again when it is let go of, before its file goes.
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

    fn read(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Self>> {
        match row.get(index)? {
            0 => Ok(None),
            1 => Ok(Some(Self::Present)),
            2 => Ok(Some(Self::Bad)),
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
    /// Whether this registry has hashed its content and made it durable.
    pub verified: bool,
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
    /// When this was read.
    pub(crate) seen: Seen,
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
    /// `bytes`. Heals a blob that was bad. `events` tell of it.
    pub async fn hold_blob(
        &self,
        repo: &RepoName,
        digest: &Digest,
        size: u64,
        bytes: Option<Bytes>,
        events: Vec<Event>,
    ) -> Result<(), MetaError> {
        let (repo, digest) = (repo.clone(), *digest);
        self.write(move |tx| {
            let blob = verify(tx, &digest, size)?;
            if let Some(bytes) = &bytes {
                keep_bytes(tx, blob, bytes)?;
                projections::queue_blob(tx, blob)?;
            }
            let repository = repositories::ensure(tx, &repo)?;
            hold(tx, &repository, blob, blob)?;
            events::record(tx, &events)
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
            let Some(Known {
                id: target,
                state: Some(_),
                ..
            }) = known(tx, &target)?
            else {
                return Ok(false);
            };
            let repository = repositories::ensure(tx, &repo)?;
            let name = digests::number(tx, &alias)?;
            hold(tx, &repository, name, target)?;
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
        if let Some(held) = self.remembered_blob(repo, digest) {
            return Ok(Some(held));
        }
        let at = self.shared.cache.stamps.now();
        let (name, digest) = (repo.clone(), *digest);
        let found = self.look(move |db| {
            let sql = "SELECT b.size, b.state, w.bytes, b.verified, b.digest, r.id, n.id, b.id
                       FROM repositories r
                       JOIN blobs n
                       JOIN repository_blobs h ON h.repository_id = r.id AND h.blob_id = n.id
                       JOIN blobs b ON b.id = h.target_id
                       LEFT JOIN blob_bytes w ON w.blob_id = h.target_id
                       WHERE r.name = $1 AND n.digest = $2";
            db.one(sql, (name.as_str(), digest.to_bytes()), |row| {
                let held = BlobRow::read(row)?;
                let (target, numbers) = (column::digest(row, 4)?, Numbers::read(row)?);
                Ok(held.map(|held| (held, target, numbers)))
            })
        });
        let Some((row, target, numbers)) = found.await?.flatten() else {
            return Ok(None);
        };
        let seen = self.seen_blob(numbers, at);
        let held = HeldBlob { row, target, seen };
        self.remember_blob(repo, &digest, &held);
        Ok(Some(held))
    }

    /// The blob with this digest, whoever holds it.
    pub async fn blob_anywhere(&self, digest: &Digest) -> Result<Option<BlobRow>, MetaError> {
        let digest = *digest;
        self.look(move |db| {
            let sql = "SELECT b.size, b.state, w.bytes, b.verified FROM blobs b
                       LEFT JOIN blob_bytes w ON w.blob_id = b.id WHERE b.digest = $1";
            Ok(db.one(sql, [digest.to_bytes()], BlobRow::read)?.flatten())
        })
        .await
    }

    /// The repositories that hold something under the name `digest`, in the order in which they
    /// came to be, after the one named `after`.
    pub async fn holders(
        &self,
        digest: &Digest,
        after: Option<&RepoName>,
        limit: usize,
    ) -> Result<Vec<RepoName>, MetaError> {
        let (digest, after) = (*digest, after.cloned());
        self.read(move |db| {
            let after = after.map(|name| repositories::find(db, &name));
            let after = after.transpose()?.flatten();
            let sql = "SELECT r.name FROM repository_blobs h
                       JOIN repositories r ON r.id = h.repository_id
                       WHERE h.blob_id = (SELECT id FROM blobs WHERE digest = $1)
                       AND h.repository_id > $2
                       ORDER BY h.repository_id LIMIT $3";
            let after = after.map_or(0, |repository| repository.id);
            let params = (digest.to_bytes(), after, column::limit(limit));
            db.all(sql, params, |row| column::repo(row, 0))
        })
        .await
    }

    /// Lets `to` hold what `from` holds under the name `digest`; its size, unless it is absent
    /// or bad there. `events` tell of it, if it is held now.
    pub async fn mount_blob(
        &self,
        from: &RepoName,
        to: &RepoName,
        digest: &Digest,
        events: Vec<Event>,
    ) -> Result<Option<u64>, MetaError> {
        let (from, to, digest) = (from.clone(), to.clone(), *digest);
        self.write(move |tx| {
            let Some(held) = held_by(tx, &from, &digest)? else {
                return Ok(None);
            };
            let Some(size) = held.size else {
                return Ok(None);
            };
            let to = repositories::ensure(tx, &to)?;
            hold(tx, &to, held.name, held.target)?;
            if held.name != held.target {
                // Distribution serves an alias only beside its target.
                hold(tx, &to, held.target, held.target)?;
            }
            events::record(tx, &events)?;
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
            if let Some(blob) = known(tx, &digest)?.filter(|blob| blob.state.is_some()) {
                if is_waiting(tx, blob.id)? {
                    return Ok(());
                }
                set_state(tx, blob.id, BlobState::Bad)?;
            }
            findings::record(tx, &finding)
        })
        .await
    }

    /// Takes `digest` from `repo`, unless a manifest of `repo` names it, under whichever name.
    /// `events` tell of it, if it was deleted.
    pub async fn delete_blob(
        &self,
        repo: &RepoName,
        digest: &Digest,
        events: Vec<Event>,
    ) -> Result<DeleteBlob, MetaError> {
        let (repo, digest) = (repo.clone(), *digest);
        self.write(move |tx| {
            let Some(repository) = repositories::find(tx, &repo)? else {
                return Ok(DeleteBlob::NotFound);
            };
            let Some(Held { name, target, .. }) = held(tx, repository.id, &digest)? else {
                return Ok(DeleteBlob::NotFound);
            };
            if let Some(manifest) = naming(tx, &repository, name)? {
                return Ok(DeleteBlob::NamedBy(manifest));
            }
            release(tx, &repository, name)?;
            projections::queue(tx, &repository, &Key::layer(&repository, name))?;
            releases::review(tx, name)?;
            releases::review(tx, target)?;
            events::record(tx, &events)?;
            Ok(DeleteBlob::Deleted)
        })
        .await
    }

    /// The names under which `repo` holds blobs, each with the blob's size or `None` where it
    /// is bad; in a stable order, after `after`.
    pub async fn all_layers(
        &self,
        repo: &RepoName,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Vec<(Digest, Option<u64>)>, MetaError> {
        let (repo, after) = (repo.clone(), after.copied());
        self.read(move |db| {
            let sql = "SELECT n.digest, b.size, b.state FROM repository_blobs h
                       JOIN blobs n ON n.id = h.blob_id JOIN blobs b ON b.id = h.target_id
                       WHERE h.repository_id = (SELECT id FROM repositories WHERE name = $1)
                       AND h.blob_id > $2 ORDER BY h.blob_id LIMIT $3";
            let position = digests::position(db, after.as_ref())?;
            let params = (repo.as_str(), position, column::limit(limit));
            db.all(sql, params, |row| {
                let present = BlobState::read(row, 2)? == Some(BlobState::Present);
                let size = column::size(row, 1)?;
                Ok((column::digest(row, 0)?, present.then_some(size)))
            })
        })
        .await
    }
}

impl BlobRow {
    /// The blob of a row, unless its digest is only named.
    fn read(row: &Row<'_>) -> rusqlite::Result<Option<Self>> {
        let Some(state) = BlobState::read(row, 1)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            size: column::size(row, 0)?,
            state,
            verified: row.get(3)?,
            bytes: column::optional_bytes(row, 2)?,
        }))
    }
}

/// A manifest of `repository` that needs `blob`, by this name or by one that is its alias.
/// A subject is not needed: a referrer outlives it.
fn naming(tx: &Write<'_>, repository: &Repository, blob: i64) -> rusqlite::Result<Option<Digest>> {
    let sql = "SELECT n.digest FROM edges e
               JOIN manifests m ON m.id = e.manifest_id
               JOIN blobs n ON n.id = m.blob_id
               WHERE e.repository_id = $1 AND e.blob_id IN (
                   SELECT $2
                   UNION ALL
                   SELECT blob_id FROM repository_blobs
                   WHERE target_id = $2 AND repository_id = $1 AND target_id <> blob_id
               ) AND e.kind <> $3 LIMIT 1";
    let params = (repository.id, blob, EdgeKind::Subject.as_u8());
    tx.one(sql, params, |row| column::digest(row, 0))
}

#[cfg(test)]
mod tests;
