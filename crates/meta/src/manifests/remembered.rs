//! Manifests and tags that were read lately.

use boxyard_oci::{Digest, RepoName, Tag};
use rusqlite::Row;

use super::StoredManifest;
use crate::{
    Meta,
    cache::{
        Asked, Remembered,
        stamps::{Moment, Part},
    },
};

/// The numbers of the rows from which a manifest was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    repository: i64,
    blob: i64,
}

impl Numbers {
    /// The last columns of a row that is read as a manifest.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            repository: row.get(5)?,
            blob: row.get(6)?,
        })
    }
}

impl Meta {
    pub(super) fn remembered_manifest(
        &self,
        repo: &RepoName,
        digest: &Digest,
    ) -> Option<StoredManifest> {
        let key = Asked::Manifest(repo.clone(), *digest);
        match self.shared.cache.get(&key)? {
            Remembered::Manifest(manifest) => Some(manifest),
            _ => None,
        }
    }

    pub(super) fn remember_manifest(
        &self,
        repo: &RepoName,
        manifest: &StoredManifest,
        numbers: Numbers,
        at: Moment,
    ) {
        let cache = &self.shared.cache;
        let part = Part::Manifest(numbers.repository, numbers.blob);
        cache.keep(
            Asked::Manifest(repo.clone(), manifest.digest),
            Remembered::Manifest(manifest.clone()),
            cache.stamps.seen_one(at, part),
        );
    }

    /// The manifest that `tag` names, if both are remembered.
    ///
    /// A manifest that many tags name is kept once, so the two are looked up one after the
    /// other. The tag has to hold still when the manifest was found: then both held at once.
    pub(super) fn remembered_tag(&self, repo: &RepoName, tag: &Tag) -> Option<StoredManifest> {
        let cache = &self.shared.cache;
        let key = Asked::Tag(repo.clone(), tag.clone());
        let (Remembered::Tag(digest), seen) = cache.get_seen(&key)? else {
            return None;
        };
        let manifest = self.remembered_manifest(repo, &digest)?;
        cache.stamps.hold(&seen).then_some(manifest)
    }

    pub(super) fn remember_tag(
        &self,
        repo: &RepoName,
        tag: &Tag,
        manifest: &StoredManifest,
        numbers: Numbers,
        at: Moment,
    ) {
        let cache = &self.shared.cache;
        cache.keep(
            Asked::Tag(repo.clone(), tag.clone()),
            Remembered::Tag(manifest.digest),
            cache
                .stamps
                .seen_one(at, Part::Tag(numbers.repository, tag)),
        );
        self.remember_manifest(repo, manifest, numbers, at);
    }
}
