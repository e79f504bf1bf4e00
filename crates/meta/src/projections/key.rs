//! An owner as columns hold it.

use boxyard_oci::{Digest, RepoName, Tag};
use rusqlite::Connection;

use super::Owner;
use crate::{
    digests,
    repositories::{self, Repository},
};

/// An owner as the queue's columns hold it.
pub(crate) struct Key {
    pub(super) kind: i64,
    /// 0 for a tag.
    pub(super) blob: i64,
    /// 0 for a blob.
    pub(super) repository: i64,
    /// Empty for all but a tag.
    pub(super) tag: String,
}

pub(super) const BLOB: i64 = 1;
pub(super) const LAYER: i64 = 2;
pub(super) const REVISION: i64 = 3;
pub(crate) const TAG: i64 = 4;

impl Key {
    pub(super) fn blob(blob: i64) -> Self {
        Self::of_content(BLOB, blob, 0)
    }

    pub(crate) fn layer(repository: &Repository, blob: i64) -> Self {
        Self::of_content(LAYER, blob, repository.id)
    }

    pub(crate) fn revision(repository: &Repository, blob: i64) -> Self {
        Self::of_content(REVISION, blob, repository.id)
    }

    pub(crate) fn tag(repository: &Repository, tag: &Tag) -> Self {
        Self {
            kind: TAG,
            blob: 0,
            repository: repository.id,
            tag: tag.as_str().to_owned(),
        }
    }

    fn of_content(kind: i64, blob: i64, repository: i64) -> Self {
        Self {
            kind,
            blob,
            repository,
            tag: String::new(),
        }
    }

    /// The key of `owner`; `None` if its repository or its digest is unknown, so that there is no row of it.
    pub(crate) fn of(db: &Connection, owner: &Owner) -> rusqlite::Result<Option<Self>> {
        match owner {
            Owner::Blob(digest) => Ok(digests::find(db, digest)?.map(Self::blob)),
            Owner::Layer(repo, digest) => Self::within(db, repo, |repository| {
                Self::find_layer(db, repository, digest)
            }),
            Owner::Revision(repo, digest) => Self::within(db, repo, |repository| {
                Self::find_revision(db, repository, digest)
            }),
            Owner::Tag(repo, tag) => {
                Self::within(db, repo, |repository| Ok(Some(Self::tag(repository, tag))))
            }
        }
    }

    fn within(
        db: &Connection,
        repo: &RepoName,
        key: impl FnOnce(&Repository) -> rusqlite::Result<Option<Self>>,
    ) -> rusqlite::Result<Option<Self>> {
        match repositories::find(db, repo)? {
            Some(repository) => key(&repository),
            None => Ok(None),
        }
    }

    /// The key of a link to a blob; `None` if the digest is unknown.
    pub(crate) fn find_layer(
        db: &Connection,
        repository: &Repository,
        digest: &Digest,
    ) -> rusqlite::Result<Option<Self>> {
        let blob = digests::find(db, digest)?;
        Ok(blob.map(|blob| Self::layer(repository, blob)))
    }

    /// The key of a manifest; `None` if the digest is unknown.
    pub(crate) fn find_revision(
        db: &Connection,
        repository: &Repository,
        digest: &Digest,
    ) -> rusqlite::Result<Option<Self>> {
        let blob = digests::find(db, digest)?;
        Ok(blob.map(|blob| Self::revision(repository, blob)))
    }

    /// How a finding calls it: a tag by its name, all else by its digest.
    pub(super) fn subject(&self, db: &Connection) -> rusqlite::Result<Option<String>> {
        if self.kind == TAG {
            return Ok(Some(self.tag.clone()));
        }
        let digest = digests::digest(db, self.blob)?;
        Ok(digest.map(|digest| digest.to_string()))
    }

    pub(super) fn params(&self) -> (i64, i64, i64, &str) {
        (self.kind, self.blob, self.repository, &self.tag)
    }
}
