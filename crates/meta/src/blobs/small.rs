//! Small blobs, whose content is durable here before it is a file.

use boxyard_oci::{Digest, RepoName};
use bytes::Bytes;

use super::{
    BlobState, hold, keep_bytes, known,
    rows::{hold_new, verify_known},
};
use crate::{
    Event, Meta, MetaError, column, events, projections, repositories, statements::Statements,
    writer::Write,
};

/// Where the content of a blob is that was just pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// In the database since this push, until the tree has its file.
    Here,
    /// The same since an earlier push.
    HereBefore,
    /// In its file, which an earlier push has made and at which nobody has looked.
    InFile,
}

/// A blob that a repository holds, without its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldSize {
    /// The digest that its file bears.
    pub target: Digest,
    /// The length of its content.
    pub size: u64,
    /// Whether the content is here and not yet in a file.
    pub is_waiting: bool,
}

impl Meta {
    /// What `repo` holds under each of `digests` and can be served, in their order.
    ///
    /// Of more than one, each may be of another moment.
    pub async fn held_sizes(
        &self,
        repo: &RepoName,
        digests: &[Digest],
    ) -> Result<Vec<Option<HeldSize>>, MetaError> {
        let (repo, digests) = (repo.clone(), digests.to_vec());
        self.page(digests.len(), move |db| {
            let held = |digest: &Digest| {
                let sql = "SELECT b.digest, b.size, w.blob_id IS NOT NULL
                           FROM repositories r
                           JOIN blobs n
                           JOIN repository_blobs h ON h.repository_id = r.id AND h.blob_id = n.id
                           JOIN blobs b ON b.id = h.target_id
                           LEFT JOIN blob_bytes w ON w.blob_id = h.target_id
                           WHERE r.name = $1 AND n.digest = $2 AND b.state = $3";
                let present = BlobState::Present.stored();
                db.one(sql, (repo.as_str(), digest.to_bytes(), present), |row| {
                    Ok(HeldSize {
                        target: column::digest(row, 0)?,
                        size: column::size(row, 1)?,
                        is_waiting: row.get(2)?,
                    })
                })
            };
            digests.iter().map(held).collect()
        })
        .await
    }

    /// Records that `repo` holds `digest`, whose verified content is `bytes`, and keeps these
    /// unless an earlier push has stored them. Heals a blob that was bad. `events` tell of it.
    ///
    /// Who asks has claimed the blob, so that the answer stays true.
    pub async fn hold_small(
        &self,
        repo: &RepoName,
        digest: &Digest,
        bytes: Bytes,
        events: Vec<Event>,
    ) -> Result<Stored, MetaError> {
        let (repo, digest) = (repo.clone(), *digest);
        self.write(move |tx| {
            let size = bytes.len() as u64;
            let before = known(tx, &digest)?;
            let is_stored = before.as_ref().is_some_and(|blob| {
                blob.verified && blob.size == size && blob.state == Some(BlobState::Present)
            });
            let is_new = before.is_none();
            let blob = verify_known(tx, before, &digest, size)?;
            let stored = if !is_stored {
                keep_bytes(tx, blob, &bytes)?;
                projections::queue_blob(tx, blob)?;
                Stored::Here
            } else if is_waiting(tx, blob)? {
                Stored::HereBefore
            } else {
                Stored::InFile
            };
            let repository = repositories::ensure(tx, &repo)?;
            if is_new {
                hold_new(tx, &repository, blob)?;
            } else {
                hold(tx, &repository, blob, blob)?;
            }
            events::record(tx, &events)?;
            Ok(stored)
        })
        .await
    }

    /// Keeps the verified content of a blob whose file is not what it should be, so that the
    /// tree gets it anew.
    pub async fn restore_small(&self, digest: &Digest, bytes: Bytes) -> Result<(), MetaError> {
        let digest = *digest;
        self.write(move |tx| {
            let before = known(tx, &digest)?;
            let blob = verify_known(tx, before, &digest, bytes.len() as u64)?;
            keep_bytes(tx, blob, &bytes)?;
            projections::queue_blob(tx, blob)
        })
        .await
    }
}

/// Whether the content of the blob with this number is here and not yet in a file.
pub(crate) fn is_waiting(tx: &Write<'_>, blob: i64) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM blob_bytes WHERE blob_id = $1";
    Ok(tx.one(sql, [blob], |_| Ok(()))?.is_some())
}

#[cfg(test)]
mod tests;
