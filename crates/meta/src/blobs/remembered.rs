//! Blobs that were read lately, as repositories hold them, and the bytes of small ones.

use boxyard_oci::{Digest, RepoName};
use bytes::Bytes;
use rusqlite::Row;

use super::HeldBlob;
use crate::{
    Meta,
    cache::{
        Asked, Remembered, Seen,
        stamps::{Moment, Part},
    },
};

/// The numbers of the rows from which a held blob was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    repository: i64,
    name: i64,
    target: i64,
}

impl Numbers {
    /// The last columns of a row that is read as a held blob.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            repository: row.get(5)?,
            name: row.get(6)?,
            target: row.get(7)?,
        })
    }
}

impl Meta {
    pub(super) fn seen_blob(&self, numbers: Numbers, at: Moment) -> Seen {
        let link = Part::Link(numbers.repository, numbers.name);
        let stamps = &self.shared.cache.stamps;
        stamps.seen(at, link, Part::Blob(numbers.target))
    }

    pub(super) fn remembered_blob(&self, repo: &RepoName, digest: &Digest) -> Option<HeldBlob> {
        let key = Asked::Held(repo.clone(), *digest);
        match self.shared.cache.get(&key)? {
            Remembered::Held(held) => Some(held),
            _ => None,
        }
    }

    pub(super) fn remember_blob(&self, repo: &RepoName, digest: &Digest, held: &HeldBlob) {
        self.shared.cache.keep(
            Asked::Held(repo.clone(), *digest),
            Remembered::Held(held.clone()),
            held.seen,
        );
    }

    /// The bytes of a blob, if they are remembered and the blob has not changed since.
    pub fn remembered_content(&self, held: &HeldBlob) -> Option<Bytes> {
        match self.shared.cache.get(&Asked::Content(held.target))? {
            Remembered::Content(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Remembers bytes that were hashed and are those of `held`, until the blob changes.
    pub fn remember_content(&self, held: &HeldBlob, bytes: Bytes) {
        let key = Asked::Content(held.target);
        self.shared
            .cache
            .keep(key, Remembered::Content(bytes), held.seen);
    }
}
