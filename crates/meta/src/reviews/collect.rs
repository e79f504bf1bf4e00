//! Deciding what goes.

use boxyard_oci::{Digest, RepoName};

use super::{Position, Review, ReviewKind, forget, queue, uses};
use crate::{
    FindingKind, Meta, MetaError, blobs, column, manifests,
    projections::{self, Key},
    releases,
    repositories::{self, Repository},
    statements::Statements,
    writer::Write,
};

/// What became of one review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Collected {
    /// It is needed, or is not there any more.
    Needed,
    /// Its repository has a manifest that cannot be read and may name it.
    Doubtful,
    /// It went.
    Gone(Condemned),
}

/// Something that went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condemned {
    /// What it was.
    pub kind: ReviewKind,
    /// The repository that had it; none for a file.
    pub repo: Option<RepoName>,
    /// Its digest.
    pub digest: Digest,
    /// Bytes that nobody needs any more with it, whose file goes next.
    pub freed: Option<u64>,
}

impl Meta {
    /// Removes each of `reviews` that is not needed, in one transaction with that question.
    ///
    /// The files of what nobody needs are queued for release. Other writers wait for a batch:
    /// keep it to some hundred.
    pub async fn collect(&self, reviews: Vec<Review>) -> Result<Vec<Collected>, MetaError> {
        self.write(move |tx| reviews.iter().map(|review| collect(tx, review)).collect())
            .await
    }
}

/// What a collection would come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionPlan {
    /// What would go.
    pub gone: Vec<Condemned>,
    /// How much would stay because somebody relies on it.
    pub promised: u64,
    /// How much would stay because its repository has a manifest that cannot be read.
    pub doubtful: u64,
}

/// Decides one review.
pub(super) fn collect(tx: &Write<'_>, review: &Review) -> rusqlite::Result<Collected> {
    if !is_queued(tx, review)? {
        return Ok(Collected::Needed);
    }
    let Some(repo) = &review.repo else {
        return file(tx, review);
    };
    let Some(mut repository) = repositories::find(tx, repo)? else {
        drop_review(tx, review)?;
        return Ok(Collected::Needed);
    };
    if has_unreadable(tx, repo)? {
        return Ok(Collected::Doubtful);
    }
    match review.kind {
        ReviewKind::Blob => blob(tx, review, &repository),
        ReviewKind::Manifest => manifest(tx, review, &mut repository),
        ReviewKind::File => file(tx, review),
    }
}

/// Whether the review stands as it was read: a use or a later date has changed it otherwise.
fn is_queued(tx: &Write<'_>, review: &Review) -> rusqlite::Result<bool> {
    let Position {
        since,
        repository,
        blob,
    } = review.position;
    let sql = "SELECT 1 FROM reviews
               WHERE blob_id = $1 AND repository_id = $2 AND kind = $3 AND since = $4";
    let params = (blob, repository, review.kind.stored(), since);
    Ok(tx.one(sql, params, |_| Ok(()))?.is_some())
}

fn has_unreadable(tx: &Write<'_>, repo: &RepoName) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM findings WHERE repository = $1 AND kind = $2 LIMIT 1";
    let params = (repo.as_str(), FindingKind::ManifestUnreadable.as_str());
    Ok(tx.one(sql, params, |_| Ok(()))?.is_some())
}

fn drop_review(tx: &Write<'_>, review: &Review) -> rusqlite::Result<()> {
    let Position {
        repository, blob, ..
    } = review.position;
    forget(tx, repository, blob, review.kind)
}

/// The repository stops holding a blob that none of its manifests names.
fn blob(tx: &Write<'_>, review: &Review, repository: &Repository) -> rusqlite::Result<Collected> {
    drop_review(tx, review)?;
    let Some(held) = blobs::held(tx, repository.id, &review.digest)? else {
        return Ok(Collected::Needed);
    };
    if uses::names_blob(tx, repository.id, held.name)? {
        return Ok(Collected::Needed);
    }
    blobs::release(tx, repository, held.name)?;
    projections::queue(tx, repository, &Key::layer(repository, held.name))?;
    releases::review(tx, held.name)?;
    if held.target != held.name {
        // What was held for the sake of this name alone is looked at by itself.
        releases::review(tx, held.target)?;
        queue(tx, repository.id, held.target, ReviewKind::Blob, tx.now)?;
    }
    gone(tx, review, size_of(tx, &review.digest)?)
}

/// A manifest goes that nothing keeps.
fn manifest(
    tx: &Write<'_>,
    review: &Review,
    repository: &mut Repository,
) -> rusqlite::Result<Collected> {
    drop_review(tx, review)?;
    let blob = review.position.blob;
    if uses::keeps_manifest(tx, repository.id, blob)? {
        return Ok(Collected::Needed);
    }
    let sql = "SELECT size FROM manifests WHERE repository_id = $1 AND blob_id = $2";
    let size = tx.one(sql, (repository.id, blob), |row| column::size(row, 0))?;
    releases::review_manifest(tx, repository, blob)?;
    if !manifests::remove(tx, repository, &review.digest)? {
        return Ok(Collected::Needed);
    }
    if blobs::held(tx, repository.id, &review.digest)?.is_some() {
        // By such a link old registries would bring the manifest back.
        blobs::release(tx, repository, blob)?;
        forget(tx, repository.id, blob, ReviewKind::Blob)?;
        projections::queue(tx, repository, &Key::layer(repository, blob))?;
    }
    repositories::unlist_if_empty(tx, repository)?;
    projections::queue(tx, repository, &Key::revision(repository, blob))?;
    gone(tx, review, size.unwrap_or(0))
}

/// A file goes that nobody holds.
fn file(tx: &Write<'_>, review: &Review) -> rusqlite::Result<Collected> {
    drop_review(tx, review)?;
    let blob = review.position.blob;
    if releases::is_needed(tx, blob)? {
        return Ok(Collected::Needed);
    }
    releases::review(tx, blob)?;
    gone(tx, review, size_of(tx, &review.digest)?)
}

fn gone(tx: &Write<'_>, review: &Review, size: u64) -> rusqlite::Result<Collected> {
    let needed = releases::is_needed(tx, review.position.blob)?;
    Ok(Collected::Gone(Condemned {
        kind: review.kind,
        repo: review.repo.clone(),
        digest: review.digest,
        freed: (!needed).then_some(size),
    }))
}

fn size_of(tx: &Write<'_>, digest: &Digest) -> rusqlite::Result<u64> {
    Ok(blobs::known(tx, digest)?.map_or(0, |known| known.size))
}
