//! Reviews: what its repository may not need any more, with the date since when.
//!
//! Whatever takes a last use away, or brings something that nothing uses yet, makes a row in its
//! own transaction; whatever brings a use removes it. So the rows are what may be collected, and
//! finding it costs nothing but them. Whether it is needed is asked again when its turn comes.

mod adopted;
mod collect;
mod plan;
mod usage;
mod uses;

use std::time::SystemTime;

use boxyard_oci::{Digest, RepoName};
use rusqlite::{Connection, Row, types::Type};

use crate::{
    Meta, MetaError, clock::Timestamp, column, repositories::Repository, statements::Statements,
    writer::Write,
};

pub use self::collect::{Collected, CollectionPlan, Condemned};
pub use self::usage::{Kept, Waiting};
pub(crate) use self::uses::{edges_came, gone, manifest_came, tag_came, tag_left};

/// What is looked at. Stored as 1, 2 and 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReviewKind {
    /// A blob that its repository holds and no manifest there names.
    Blob,
    /// A manifest that no tag, no index and no subject keeps.
    Manifest,
    /// A file of the tree that no repository holds.
    File,
}

impl ReviewKind {
    const fn stored(self) -> i64 {
        match self {
            Self::Blob => 1,
            Self::Manifest => 2,
            Self::File => 3,
        }
    }

    fn read(row: &Row<'_>, index: usize) -> rusqlite::Result<Self> {
        match row.get(index)? {
            1 => Ok(Self::Blob),
            2 => Ok(Self::Manifest),
            3 => Ok(Self::File),
            _ => Err(column::malformed(index, Type::Integer, "kind of review")),
        }
    }
}

/// Something that may not be needed any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// What it is.
    pub kind: ReviewKind,
    /// The repository that has it; none for a file.
    pub repo: Option<RepoName>,
    /// Its digest.
    pub digest: Digest,
    /// Since when nothing uses it.
    pub since: SystemTime,
    /// Its place in the order of the queue.
    pub position: Position,
}

/// A place in the order of the queue: by date, and then by what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    since: Timestamp,
    repository: i64,
    blob: i64,
}

impl Position {
    const FIRST: Self = Self {
        since: Timestamp::EARLIEST,
        repository: -1,
        blob: -1,
    };
}

impl Meta {
    /// The first reviews of a kind whose date is not after `until`, oldest first, after `after`.
    pub async fn reviews(
        &self,
        kind: ReviewKind,
        until: SystemTime,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Review>, MetaError> {
        let until = Timestamp::from_system(until);
        self.read(move |db| page(db, kind, until, after, limit))
            .await
    }

    /// Gives up on some reviews for now: they are looked at again as if they began now.
    pub async fn postpone_reviews(&self, reviews: &[Review]) -> Result<(), MetaError> {
        let reviews = reviews.to_vec();
        self.write(move |tx| {
            reviews.iter().try_for_each(|review| {
                let Position {
                    repository, blob, ..
                } = review.position;
                let sql = "UPDATE reviews SET since = $1
                           WHERE blob_id = $2 AND repository_id = $3 AND kind = $4";
                let params = (tx.now, blob, repository, review.kind.stored());
                tx.change(sql, params).map(drop)
            })
        })
        .await
    }
}

impl Review {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let kind = ReviewKind::read(row, 0)?;
        let since: Timestamp = row.get(3)?;
        let is_file = kind == ReviewKind::File;
        Ok(Self {
            kind,
            repo: (!is_file).then(|| column::repo(row, 1)).transpose()?,
            digest: column::digest(row, 2)?,
            since: since.system(),
            position: Position {
                since,
                repository: row.get(4)?,
                blob: row.get(5)?,
            },
        })
    }
}

fn page(
    db: &Connection,
    kind: ReviewKind,
    until: Timestamp,
    after: Option<Position>,
    limit: usize,
) -> rusqlite::Result<Vec<Review>> {
    let sql = "SELECT v.kind, r.name, n.digest, v.since, v.repository_id, v.blob_id
               FROM reviews v JOIN blobs n ON n.id = v.blob_id
               LEFT JOIN repositories r ON r.id = v.repository_id
               WHERE v.kind = $1 AND v.since <= $2
               AND (v.since, v.repository_id, v.blob_id) > ($3, $4, $5)
               ORDER BY v.since, v.repository_id, v.blob_id LIMIT $6";
    let at = after.unwrap_or(Position::FIRST);
    let after = (at.since, at.repository, at.blob);
    let params = (
        kind.stored(),
        until,
        after.0,
        after.1,
        after.2,
        column::limit(limit),
    );
    db.all(sql, params, Review::read)
}

/// Looks at `blob` from `since` on; a later date takes the place of an earlier one.
fn queue(
    tx: &Write<'_>,
    repository: i64,
    blob: i64,
    kind: ReviewKind,
    since: Timestamp,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO reviews (blob_id, repository_id, kind, since) VALUES ($1, $2, $3, $4)
               ON CONFLICT (blob_id, repository_id, kind) DO UPDATE SET since = excluded.since";
    tx.change(sql, (blob, repository, kind.stored(), since))
        .map(drop)
}

/// Forgets that `blob` may not be needed.
fn forget(tx: &Write<'_>, repository: i64, blob: i64, kind: ReviewKind) -> rusqlite::Result<()> {
    let sql = "DELETE FROM reviews WHERE blob_id = $1 AND repository_id = $2 AND kind = $3";
    tx.change(sql, (blob, repository, kind.stored())).map(drop)
}

/// Looks at a blob that `repository` has begun to hold, unless one of its manifests names it.
pub(crate) fn blob_came(
    tx: &Write<'_>,
    repository: &Repository,
    blob: i64,
) -> rusqlite::Result<()> {
    if uses::names_blob(tx, repository.id, blob)? {
        return Ok(());
    }
    queue(tx, repository.id, blob, ReviewKind::Blob, tx.now)
}

/// The same for one that no manifest can name yet.
pub(crate) fn new_blob_came(
    tx: &Write<'_>,
    repository: &Repository,
    blob: i64,
) -> rusqlite::Result<()> {
    queue(tx, repository.id, blob, ReviewKind::Blob, tx.now)
}

/// Forgets what `repository` does not hold any more.
pub(crate) fn blob_left(
    tx: &Write<'_>,
    repository: &Repository,
    blob: i64,
) -> rusqlite::Result<()> {
    forget(tx, repository.id, blob, ReviewKind::Blob)
}

#[cfg(test)]
mod tests;
