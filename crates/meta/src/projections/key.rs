//! An owner as columns hold it.

use boxyard_oci::{Digest, Tag};
use rusqlite::Connection;

use super::Owner;
use crate::repositories::{self, Repository};

/// An owner as the queue's columns hold it.
pub(crate) struct Key {
    pub(super) repository: i64,
    pub(super) kind: i64,
    pub(super) name: Vec<u8>,
}

pub(super) const BLOB: i64 = 1;
pub(super) const LAYER: i64 = 2;
pub(super) const REVISION: i64 = 3;
pub(crate) const TAG: i64 = 4;

impl Key {
    pub(crate) fn layer(repository: &Repository, digest: &Digest) -> Self {
        Self {
            repository: repository.id,
            kind: LAYER,
            name: digest.to_bytes(),
        }
    }

    pub(crate) fn revision(repository: &Repository, digest: &Digest) -> Self {
        Self {
            repository: repository.id,
            kind: REVISION,
            name: digest.to_bytes(),
        }
    }

    pub(crate) fn tag(repository: &Repository, tag: &Tag) -> Self {
        Self {
            repository: repository.id,
            kind: TAG,
            name: tag.as_str().into(),
        }
    }

    pub(super) fn blob(digest: &Digest) -> Self {
        Self {
            repository: 0,
            kind: BLOB,
            name: digest.to_bytes(),
        }
    }

    /// The key of `owner`; `None` if its repository is unknown.
    pub(crate) fn of(db: &Connection, owner: &Owner) -> rusqlite::Result<Option<Self>> {
        let (repo, key): (_, fn(&Repository, &Owner) -> Self) = match owner {
            Owner::Blob(digest) => return Ok(Some(Self::blob(digest))),
            Owner::Layer(repo, _) | Owner::Revision(repo, _) | Owner::Tag(repo, _) => {
                (repo, Self::within)
            }
        };
        Ok(repositories::find(db, repo)?.map(|repository| key(&repository, owner)))
    }

    fn within(repository: &Repository, owner: &Owner) -> Self {
        match owner {
            Owner::Blob(digest) => Self::blob(digest),
            Owner::Layer(_, digest) => Self::layer(repository, digest),
            Owner::Revision(_, digest) => Self::revision(repository, digest),
            Owner::Tag(_, tag) => Self::tag(repository, tag),
        }
    }

    /// How a finding calls it: a tag by its name, all else by its digest.
    pub(super) fn subject(&self) -> String {
        let digest = (self.kind != TAG).then(|| Digest::from_bytes(&self.name));
        match digest.flatten() {
            Some(digest) => digest.to_string(),
            None => String::from_utf8_lossy(&self.name).into_owned(),
        }
    }

    pub(super) fn params(&self) -> (i64, i64, &[u8]) {
        (self.repository, self.kind, &self.name)
    }
}
