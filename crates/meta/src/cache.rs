//! What was read lately, in memory, for as long as it holds.
//!
//! This process alone changes the tables, so it knows when what it remembers holds no longer:
//! see [`stamps`]. Every change of a table from which something is remembered goes through
//! [`crate::writer::Write::change_of`], which says what it touches; one that does not makes
//! everything be forgotten, and fails in a build for tests.

mod names;
mod shelf;
pub(crate) mod stamps;

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use boxyard_oci::{Digest, RepoName, Tag};
use bytes::Bytes;

pub use self::{names::Names, stamps::Seen};
use self::{
    shelf::Shelf,
    stamps::{Moment, Part, Stamps},
};
use crate::{HeldBlob, Meta, StoredManifest};

/// Locks that share the load; each is held for a fraction of a microsecond.
const SHELVES: usize = 8;

/// By what something is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Asked {
    /// What a tag names.
    Tag(RepoName, Tag),
    /// A manifest.
    Manifest(RepoName, Digest),
    /// A blob as a repository holds it.
    Held(RepoName, Digest),
    /// The bytes of a blob.
    Content(Digest),
    /// So many tags of a repository after a name.
    Tags(RepoName, Box<str>, usize),
    /// So many repositories of the catalog after a name.
    Catalog(Box<str>, usize),
}

/// What is remembered.
#[derive(Clone, Debug)]
pub(crate) enum Remembered {
    Tag(Digest),
    Manifest(StoredManifest),
    Held(HeldBlob),
    Content(Bytes),
    Names(Names),
}

/// What the cache has done since the start, and what it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheVitals {
    /// Reads that were answered from memory.
    pub hits: u64,
    /// Reads that went to the database.
    pub misses: u64,
    /// What is remembered, in bytes.
    pub bytes: u64,
}

/// The cache of a database.
#[derive(Debug)]
pub(crate) struct Cache {
    pub(crate) stamps: Arc<Stamps>,
    hasher: RandomState,
    shelves: Vec<Mutex<Shelf>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Cache {
    /// Remembers at most `most` bytes; nothing with 0.
    pub(crate) fn new(stamps: Arc<Stamps>, most: usize) -> Self {
        let shelf = || Mutex::new(Shelf::new(most / SHELVES));
        Self {
            stamps,
            hasher: RandomState::new(),
            shelves: (0..SHELVES).map(|_| shelf()).collect(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// What is remembered under `key`, if it holds.
    pub(crate) fn get(&self, key: &Asked) -> Option<Remembered> {
        self.get_seen(key).map(|(value, _)| value)
    }

    /// The same with when it was seen.
    pub(crate) fn get_seen(&self, key: &Asked) -> Option<(Remembered, Seen)> {
        let hash = self.hasher.hash_one(key);
        let found = {
            let mut among = self.shelf(hash);
            among
                .get(hash, key)
                .filter(|(_, seen)| self.stamps.hold(seen))
                .map(|(value, seen)| (value.clone(), *seen))
        };
        let tally = if found.is_some() {
            &self.hits
        } else {
            &self.misses
        };
        tally.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// Remembers what was seen, unless it does not hold any more.
    pub(crate) fn keep(&self, key: Asked, value: Remembered, seen: Seen) {
        if self.stamps.hold(&seen) {
            let hash = self.hasher.hash_one(&key);
            self.shelf(hash).keep(hash, key, value, seen);
        }
    }

    pub(crate) fn vitals(&self) -> CacheVitals {
        let bytes = |one: &Mutex<Shelf>| {
            let one = one.lock().unwrap_or_else(PoisonError::into_inner);
            one.bytes() as u64
        };
        CacheVitals {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            bytes: self.shelves.iter().map(bytes).sum(),
        }
    }

    fn shelf(&self, hash: u64) -> std::sync::MutexGuard<'_, Shelf> {
        // The upper half, since the map of the shelf begins with the lower one.
        let at = usize::try_from(hash >> 32).unwrap_or(0) % SHELVES;
        self.shelves[at]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Meta {
    pub(crate) fn remembered_names(&self, key: &Asked) -> Option<Names> {
        match self.shared.cache.get(key)? {
            Remembered::Names(names) => Some(names),
            _ => None,
        }
    }

    pub(crate) fn remember_names(&self, key: Asked, names: &Names, part: Part<'_>, at: Moment) {
        let cache = &self.shared.cache;
        let seen = cache.stamps.seen_one(at, part);
        cache.keep(key, Remembered::Names(names.clone()), seen);
    }

    /// What the cache has done since the start, and what it has.
    pub fn cache_vitals(&self) -> CacheVitals {
        self.shared.cache.vitals()
    }
}

impl Asked {
    /// What it costs beside its own size, which counts as part of the slot, about.
    fn bytes(&self) -> usize {
        match self {
            Self::Tag(repo, tag) => repo.as_str().len() + tag.as_str().len() + 32,
            Self::Manifest(repo, _) | Self::Held(repo, _) => repo.as_str().len() + 16,
            Self::Content(_) => 0,
            Self::Tags(repo, after, _) => repo.as_str().len() + after.len() + 16,
            Self::Catalog(after, _) => after.len(),
        }
    }
}

impl Remembered {
    fn bytes(&self) -> usize {
        match self {
            Self::Tag(_) => 0,
            Self::Manifest(manifest) => {
                manifest.payload.len() + manifest.media_type.as_str().len() + 64
            }
            Self::Held(held) => held.row.bytes.as_ref().map_or(0, |bytes| bytes.len() + 32),
            Self::Content(bytes) => bytes.len() + 32,
            Self::Names(names) => names.bytes() + 32,
        }
    }
}

#[cfg(test)]
mod tests;
