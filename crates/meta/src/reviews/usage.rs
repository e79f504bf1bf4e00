//! What is kept and what waits to go, for those who want to look at it.

use std::time::SystemTime;

use boxyard_oci::{Digest, EdgeKind, RepoName};
use rusqlite::Row;

use super::ReviewKind;
use crate::{
    Meta, MetaError, clock::Timestamp, column, digests, repositories, statements::Statements,
};

/// What of a repository waits to be collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What it is.
    pub kind: ReviewKind,
    /// How many there are.
    pub count: u64,
    /// The bytes of those whose sizes are known.
    pub bytes: u64,
    /// Since when the first of them waits; `None` while the folder is being read.
    pub first: Option<SystemTime>,
    /// Since when the last of them waits.
    pub last: Option<SystemTime>,
}

/// A manifest and what it keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The manifest's digest.
    pub manifest: Digest,
    /// What it names, without a subject.
    pub names: Vec<Digest>,
}

impl Waiting {
    fn read(kind: ReviewKind, row: &Row<'_>) -> rusqlite::Result<Self> {
        let time = |index| {
            let time: Option<Timestamp> = row.get(index)?;
            let begun = time.filter(|time| *time != Timestamp::LATEST);
            Ok::<_, rusqlite::Error>(begun.map(Timestamp::system))
        };
        Ok(Self {
            kind,
            count: column::size(row, 0)?,
            bytes: column::size(row, 1)?,
            first: time(2)?,
            last: time(3)?,
        })
    }
}

/// Sums up what waits of a kind in a repository.
///
/// It goes through all that the repository has, because reviews are in the order of blobs.
fn of_repository(kind: ReviewKind) -> &'static str {
    match kind {
        ReviewKind::Blob => {
            "SELECT COUNT(*), COALESCE(SUM(b.size), 0), MIN(v.since), MAX(v.since)
             FROM repository_blobs h CROSS JOIN reviews v
                 ON v.blob_id = h.blob_id AND v.repository_id = h.repository_id
             JOIN blobs b ON b.id = v.blob_id
             WHERE h.repository_id = $1 AND v.kind = $2"
        }
        ReviewKind::Manifest => {
            "SELECT COUNT(*), COALESCE(SUM(b.size), 0), MIN(v.since), MAX(v.since)
             FROM manifests m CROSS JOIN reviews v
                 ON v.blob_id = m.blob_id AND v.repository_id = m.repository_id
             JOIN blobs b ON b.id = v.blob_id
             WHERE m.repository_id = $1 AND v.kind = $2"
        }
        ReviewKind::File => {
            "SELECT COUNT(*), COALESCE(SUM(b.size), 0), MIN(v.since), MAX(v.since)
             FROM reviews v JOIN blobs b ON b.id = v.blob_id
             WHERE v.repository_id = $1 AND v.kind = $2"
        }
    }
}

impl Meta {
    /// What of `repo` waits to be collected, one item a kind; without a name, files that nobody
    /// holds.
    pub async fn waiting_reviews(
        &self,
        repo: Option<&RepoName>,
    ) -> Result<Vec<Waiting>, MetaError> {
        let repo = repo.cloned();
        self.read(move |db| {
            let (repository, kinds): (_, &[ReviewKind]) = match repo {
                None => (0, &[ReviewKind::File]),
                Some(repo) => match repositories::find(db, &repo)? {
                    Some(repository) => (repository.id, &[ReviewKind::Blob, ReviewKind::Manifest]),
                    None => return Ok(Vec::new()),
                },
            };
            let mut waiting = Vec::new();
            for kind in kinds.iter().copied() {
                let row = db.one(of_repository(kind), (repository, kind.stored()), |row| {
                    Waiting::read(kind, row)
                })?;
                waiting.extend(row.filter(|waiting| waiting.count > 0));
            }
            Ok(waiting)
        })
        .await
    }

    /// How much of a kind waits, and since when the first of it.
    pub async fn review_backlog(
        &self,
        kind: ReviewKind,
    ) -> Result<(u64, Option<SystemTime>), MetaError> {
        self.read(move |db| {
            let sql = "SELECT COUNT(*), MIN(since) FROM reviews WHERE kind = $1";
            let found = db.one(sql, [kind.stored()], |row| {
                let first: Option<Timestamp> = row.get(1)?;
                let begun = first.filter(|time| *time != Timestamp::LATEST);
                Ok((column::size(row, 0)?, begun.map(Timestamp::system)))
            })?;
            Ok(found.unwrap_or((0, None)))
        })
        .await
    }

    /// The manifests of `repo` with what they keep, in a stable order, after `after`.
    pub async fn kept(
        &self,
        repo: &RepoName,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Vec<Kept>, MetaError> {
        let (repo, after) = (repo.clone(), after.copied());
        self.read(move |db| {
            let sql = "SELECT m.id, n.digest FROM manifests m JOIN blobs n ON n.id = m.blob_id
                       WHERE m.repository_id = (SELECT id FROM repositories WHERE name = $1)
                       AND m.blob_id > $2 ORDER BY m.blob_id LIMIT $3";
            let position = digests::position(db, after.as_ref())?;
            let params = (repo.as_str(), position, column::limit(limit));
            let page: Vec<(i64, Digest)> = db.all(sql, params, |row| {
                Ok((row.get(0)?, column::digest(row, 1)?))
            })?;
            let names = "SELECT n.digest FROM edges e JOIN blobs n ON n.id = e.blob_id
                         WHERE e.manifest_id = $1 AND e.kind <> $2";
            let subject = EdgeKind::Subject.as_u8();
            page.into_iter()
                .map(|(id, manifest)| {
                    let names = db.all(names, (id, subject), |row| column::digest(row, 0))?;
                    Ok(Kept { manifest, names })
                })
                .collect()
        })
        .await
    }

    /// How many bytes `repo` holds that no other repository holds.
    pub async fn bytes_held_alone(&self, repo: &RepoName) -> Result<u64, MetaError> {
        let repo = repo.clone();
        self.read(move |db| {
            let sql = "SELECT COALESCE(SUM(b.size), 0) FROM repository_blobs h
                       JOIN blobs b ON b.id = h.target_id
                       WHERE h.repository_id = (SELECT id FROM repositories WHERE name = $1)
                       AND h.blob_id = h.target_id AND NOT EXISTS (
                           SELECT 1 FROM repository_blobs o
                           WHERE o.blob_id = h.blob_id AND o.repository_id <> h.repository_id
                       )";
            Ok(db
                .one(sql, [repo.as_str()], |row| column::size(row, 0))?
                .unwrap_or(0))
        })
        .await
    }
}
