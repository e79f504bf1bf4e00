//! The names in the folders of one repository, and in those of the blobs.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use boxyard_oci::{Algorithm, Digest, RepoName, Tag};

use crate::action::Action;
use crate::folder::Folder;
use crate::layout::{ALGORITHMS, Tree};
use crate::look::{self, Entry, Kind};
use crate::session::UploadId;
use crate::small_file::TEMPORARY;

/// Bounds the memory of a report about a folder full of garbage.
const MOST_ODDITIES: usize = 1000;

/// Something in the tree that does not belong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oddity {
    /// Where it lies.
    pub path: PathBuf,
    /// What is wrong with it.
    pub kind: OddityKind,
}

/// What is wrong with an entry of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddityKind {
    /// A folder whose name nothing in its place can have.
    Name,
    /// A file where folders belong.
    File,
    /// A symbolic link, a device or a socket.
    Special,
    /// A file that a writer did not finish.
    Unfinished,
}

/// Oddities, of which only so many are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Oddities {
    /// The first ones.
    pub found: Vec<Oddity>,
    /// How many more there were.
    pub more: u64,
}

impl Oddities {
    pub(crate) fn add(&mut self, folder: &Path, entry: &Entry) {
        if self.found.len() == MOST_ODDITIES {
            self.more += 1;
            return;
        }
        let unfinished = entry
            .name
            .as_encoded_bytes()
            .ends_with(TEMPORARY.as_bytes());
        let kind = match entry.kind {
            Kind::Folder => OddityKind::Name,
            Kind::File if unfinished => OddityKind::Unfinished,
            Kind::File => OddityKind::File,
            Kind::Other => OddityKind::Special,
        };
        let path = folder.join(&entry.name);
        self.found.push(Oddity { path, kind });
    }
}

impl Folder {
    /// The tags of a repository, in the order of their bytes; what is no tag is skipped.
    pub fn tags(&self, tree: Tree, repo: &RepoName) -> io::Result<Vec<Tag>> {
        let folder = self.inner.layout.tags(tree, repo);
        self.timed(Action::List, || parsed(&folder, &mut Oddities::default()))
    }

    /// The manifests that a repository has a folder for, in the order of their digests.
    ///
    /// Distribution's delete leaves the folder without its link: only [`Folder::read_link`] tells.
    pub fn revisions(&self, tree: Tree, repo: &RepoName) -> io::Result<Vec<Digest>> {
        let folder = self.inner.layout.revisions(tree, repo);
        self.timed(Action::List, || digests(&folder, &mut Oddities::default()))
    }

    /// The blobs that a repository has a folder for, by the digests that they are asked for by; see [`Folder::revisions`].
    pub fn layers(&self, repo: &RepoName) -> io::Result<Vec<Digest>> {
        let folder = self.inner.layout.layers(Tree::Distribution, repo);
        self.timed(Action::List, || digests(&folder, &mut Oddities::default()))
    }

    /// The manifests that a tag has named; see [`Folder::revisions`].
    pub fn tag_index(&self, repo: &RepoName, tag: &Tag) -> io::Result<Vec<Digest>> {
        let folder = self.inner.layout.tag_index(Tree::Distribution, repo, tag);
        self.timed(Action::List, || digests(&folder, &mut Oddities::default()))
    }

    /// The uploads of a repository, among them what is left of finished ones.
    pub fn uploads(&self, repo: &RepoName) -> io::Result<Vec<UploadId>> {
        let folder = self.inner.layout.uploads(repo);
        self.timed(Action::List, || parsed(&folder, &mut Oddities::default()))
    }

    /// What does not belong into the folders of one repository.
    pub fn oddities(&self, tree: Tree, repo: &RepoName) -> io::Result<Oddities> {
        let (layout, mut odd) = (&self.inner.layout, Oddities::default());
        digests(&layout.layers(tree, repo), &mut odd)?;
        digests(&layout.revisions(tree, repo), &mut odd)?;
        for tag in parsed::<Tag>(&layout.tags(tree, repo), &mut odd)? {
            digests(&layout.tag_index(tree, repo, &tag), &mut odd)?;
        }
        if tree == Tree::Distribution {
            parsed::<UploadId>(&layout.uploads(repo), &mut odd)?;
        }
        Ok(odd)
    }

    /// The blobs that have a folder, in the order of their digests, and what does not belong there.
    ///
    /// A page costs the folders that it comes from; the folder may have lost its file.
    pub fn blobs(
        &self,
        after: Option<&Digest>,
        limit: usize,
    ) -> io::Result<(Vec<Digest>, Oddities)> {
        let (mut found, mut odd) = (Vec::new(), Oddities::default());
        for algorithm in ALGORITHMS {
            for first in 0..=u8::MAX {
                if found.len() >= limit {
                    break;
                }
                let last = after.is_some_and(|after| {
                    (after.algorithm(), after.as_bytes()[0]) > (algorithm, first)
                });
                if !last {
                    self.blobs_of_prefix(algorithm, first, &mut found, &mut odd)?;
                    found.retain(|digest| after.is_none_or(|after| digest > after));
                }
            }
        }
        found.truncate(limit);
        Ok((found, odd))
    }

    fn blobs_of_prefix(
        &self,
        algorithm: Algorithm,
        first: u8,
        found: &mut Vec<Digest>,
        odd: &mut Oddities,
    ) -> io::Result<()> {
        let folder = self
            .inner
            .layout
            .blob_prefix(algorithm, &format!("{first:02x}"));
        for entry in look::entries(&folder)? {
            let named = digest(algorithm, &entry.name);
            match named.filter(|digest| digest.as_bytes()[0] == first) {
                Some(digest) if entry.kind == Kind::Folder => found.push(digest),
                _ => odd.add(&folder, &entry),
            }
        }
        Ok(())
    }
}

/// The folders whose names can be read as `T`, sorted.
fn parsed<T: FromStr>(folder: &Path, odd: &mut Oddities) -> io::Result<Vec<T>> {
    let mut found = Vec::new();
    for entry in look::entries(folder)? {
        match entry.name.to_str().and_then(|name| name.parse().ok()) {
            Some(name) if entry.kind == Kind::Folder => found.push(name),
            _ => odd.add(folder, &entry),
        }
    }
    Ok(found)
}

/// The folders `<algorithm>/<hex>` below a folder.
fn digests(folder: &Path, odd: &mut Oddities) -> io::Result<Vec<Digest>> {
    let mut found = BTreeSet::new();
    for entry in look::entries(folder)? {
        let algorithm = entry.name.to_str().and_then(|name| name.parse().ok());
        let (Some(algorithm), Kind::Folder) = (algorithm, entry.kind) else {
            odd.add(folder, &entry);
            continue;
        };
        let inner = folder.join(&entry.name);
        for entry in look::entries(&inner)? {
            match digest(algorithm, &entry.name) {
                Some(digest) if entry.kind == Kind::Folder => {
                    found.insert(digest);
                }
                _ => odd.add(&inner, &entry),
            }
        }
    }
    Ok(found.into_iter().collect())
}

/// A digest from its algorithm and the name of a file or folder.
pub(crate) fn digest(algorithm: Algorithm, hex: &OsStr) -> Option<Digest> {
    let hex = hex.to_str()?;
    format!("{algorithm}:{hex}").parse().ok()
}
