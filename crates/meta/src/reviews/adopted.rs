//! What an adopted folder holds without need. Its dates begin when the whole folder is known.

use boxyard_oci::{Digest, RepoName};
use rusqlite::Connection;

use super::{ReviewKind, queue, uses};
use crate::{
    Meta, MetaError, clock::Timestamp, column, digests, releases, repositories,
    statements::Statements,
};

impl Meta {
    /// Whether `repo` was read whole by an earlier run; what is new in it queues itself.
    pub async fn was_adopted(&self, repo: &RepoName) -> Result<bool, MetaError> {
        let repo = repo.clone();
        self.read(move |db| {
            let found = repositories::find(db, &repo)?;
            Ok(found.is_some_and(|repository| repository.adopted))
        })
        .await
    }

    /// Looks at those of a page of blobs and manifests of `repo` that nothing uses; where the
    /// next page begins, if there is one.
    pub async fn review_adopted(
        &self,
        repo: &RepoName,
        after: i64,
        limit: usize,
    ) -> Result<Option<i64>, MetaError> {
        let repo = repo.clone();
        self.write(move |tx| {
            let Some(repository) = repositories::find(tx, &repo)? else {
                return Ok(None);
            };
            let held = "SELECT blob_id FROM repository_blobs
                        WHERE repository_id = $1 AND blob_id > $2 ORDER BY blob_id LIMIT $3";
            let made = "SELECT blob_id FROM manifests
                        WHERE repository_id = $1 AND blob_id > $2 ORDER BY blob_id LIMIT $3";
            let page = (repository.id, after, column::limit(limit));
            let held: Vec<i64> = tx.all(held, page, |row| row.get(0))?;
            let made: Vec<i64> = tx.all(made, page, |row| row.get(0))?;
            let ends = [&held, &made].map(|page| {
                let is_full = page.len() == limit;
                page.last().copied().filter(|_| is_full)
            });
            // Up to where both pages reach; the rest comes with the next one.
            let end = ends.into_iter().flatten().min();
            let within = |blob: &&i64| end.is_none_or(|end| **blob <= end);
            for blob in held.iter().filter(within) {
                if !uses::names_blob(tx, repository.id, *blob)? {
                    queue(
                        tx,
                        repository.id,
                        *blob,
                        ReviewKind::Blob,
                        Timestamp::LATEST,
                    )?;
                }
            }
            for blob in made.iter().filter(within) {
                if !uses::keeps_manifest(tx, repository.id, *blob)? {
                    let kind = ReviewKind::Manifest;
                    queue(tx, repository.id, *blob, kind, Timestamp::LATEST)?;
                }
            }
            Ok(end)
        })
        .await
    }

    /// Looks at those of `files` that nobody holds: all that is known of them is their names.
    pub async fn review_files(&self, files: &[Digest]) -> Result<(), MetaError> {
        let files = files.to_vec();
        // Nearly all are needed, which is found out without holding up the writer.
        let unheld = move |db: &Connection| {
            let mut unheld = files;
            let mut failed = None;
            unheld.retain(|digest| match is_held(db, digest) {
                Ok(held) => !held,
                Err(error) => {
                    failed.get_or_insert(error);
                    false
                }
            });
            failed.map_or(Ok(unheld), Err)
        };
        let unheld = self.read(unheld).await?;
        if unheld.is_empty() {
            return Ok(());
        }
        self.write(move |tx| {
            for digest in &unheld {
                if !is_held(tx, digest)? {
                    let blob = digests::number(tx, digest)?;
                    queue(tx, 0, blob, ReviewKind::File, Timestamp::LATEST)?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Begins the time of some reviews that waited for the whole folder to be known; how many.
    pub async fn begin_adopted_reviews(
        &self,
        kind: ReviewKind,
        limit: usize,
    ) -> Result<usize, MetaError> {
        self.write(move |tx| {
            let sql = "UPDATE reviews SET since = $1
                       WHERE kind = $2 AND (blob_id, repository_id) IN (
                           SELECT blob_id, repository_id FROM reviews
                           WHERE kind = $2 AND since = $3 LIMIT $4
                       )";
            let limit = column::limit(limit);
            tx.change(sql, (tx.now, kind.stored(), Timestamp::LATEST, limit))
        })
        .await
    }
}

fn is_held(db: &Connection, digest: &Digest) -> rusqlite::Result<bool> {
    match digests::find(db, digest)? {
        Some(blob) => releases::is_needed(db, blob),
        None => Ok(false),
    }
}
