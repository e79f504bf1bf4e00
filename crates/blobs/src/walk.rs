//! Walking the repositories of a tree, in the order of the bytes of their names.
//!
//! The order is that of whole names: `a` before `a-b` before `a/b`, because `-` is less than `/`.
//! So a folder stands in the order twice: as a repository under its name, and for those below it under its name and a slash.

use std::io;
use std::path::Path;
use std::vec;

use boxyard_oci::RepoName;

use crate::folder::Folder;
use crate::layout::{LAYERS, MANIFESTS, Tree, UPLOADS};
use crate::look::{self, Kind};
use crate::names::Oddities;

/// Which folders count as repositories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those with a tag or a manifest.
    Listed,
    /// Those with a folder of layers, manifests or uploads, whatever is in it.
    Any,
}

/// Repositories one by one, reading each folder once.
#[derive(Debug)]
pub struct Repositories {
    folder: Folder,
    tree: Tree,
    wanted: Which,
    after: Option<String>,
    // From the root down, what is left of each folder on the way.
    levels: Vec<vec::IntoIter<Stop>>,
    oddities: Oddities,
}

/// A place in the order of names.
#[derive(Debug)]
enum Stop {
    Repository(RepoName),
    Below(RepoName),
}

impl Folder {
    /// At most `limit` repositories with a tag or a manifest, whose names come after `after`.
    pub fn repositories(
        &self,
        tree: Tree,
        after: Option<&str>,
        limit: usize,
    ) -> io::Result<Vec<RepoName>> {
        let walk = self.walk_repositories(tree, Which::Listed, after)?;
        walk.take(limit).collect()
    }

    /// The same with every repository that has any folder of its own.
    pub fn repository_folders(
        &self,
        tree: Tree,
        after: Option<&str>,
        limit: usize,
    ) -> io::Result<Vec<RepoName>> {
        let walk = self.walk_repositories(tree, Which::Any, after)?;
        walk.take(limit).collect()
    }

    /// Walks the repositories whose names come after `after`.
    pub fn walk_repositories(
        &self,
        tree: Tree,
        wanted: Which,
        after: Option<&str>,
    ) -> io::Result<Repositories> {
        let mut walk = Repositories {
            folder: self.clone(),
            tree,
            wanted,
            after: after.map(ToOwned::to_owned),
            levels: Vec::new(),
            oddities: Oddities::default(),
        };
        walk.descend(None)?;
        Ok(walk)
    }

    /// Whether a repository has a tag or a manifest.
    pub fn has_repository(&self, tree: Tree, repo: &RepoName) -> io::Result<bool> {
        let layout = &self.inner.layout;
        if !look::is_folder(&layout.repository(tree, repo).join(MANIFESTS))? {
            return Ok(false);
        }
        Ok(has_tag(&layout.tags(tree, repo))? || has_link(&layout.revisions(tree, repo), 2)?)
    }

    fn has_any_folder(&self, tree: Tree, repo: &RepoName) -> io::Result<bool> {
        let folder = self.inner.layout.repository(tree, repo);
        for name in [MANIFESTS, LAYERS, UPLOADS] {
            if look::is_folder(&folder.join(name))? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Repositories {
    /// What was skipped so far.
    pub fn oddities(&self) -> &Oddities {
        &self.oddities
    }

    fn descend(&mut self, into: Option<&RepoName>) -> io::Result<()> {
        let root = self.folder.inner.layout.repositories(self.tree);
        let path = into.map_or_else(|| root.to_owned(), |name| root.join(name.as_str()));
        let mut stops = Vec::new();
        for entry in look::entries(&path)? {
            // Folders of a repository's own, not of one below it; no name begins like that.
            if into.is_some() && entry.name.as_encoded_bytes().starts_with(b"_") {
                continue;
            }
            let name = entry.name.to_str().and_then(|name| match into {
                Some(above) => format!("{above}/{name}").parse::<RepoName>().ok(),
                None => name.parse().ok(),
            });
            match name {
                Some(name) if entry.kind == Kind::Folder => self.add_stops(name, &mut stops),
                _ => self.oddities.add(&path, &entry),
            }
        }
        stops.sort_unstable_by(|one, other| one.key().cmp(other.key()));
        self.levels.push(stops.into_iter());
        Ok(())
    }

    fn add_stops(&self, name: RepoName, stops: &mut Vec<Stop>) {
        let (is_after, below_is_after) = match &self.after {
            None => (true, true),
            Some(after) => (name.as_str() > after.as_str(), may_follow(after, &name)),
        };
        if is_after {
            stops.push(Stop::Repository(name.clone()));
        }
        if below_is_after {
            stops.push(Stop::Below(name));
        }
    }

    fn is_wanted(&self, repo: &RepoName) -> io::Result<bool> {
        match self.wanted {
            Which::Listed => self.folder.has_repository(self.tree, repo),
            Which::Any => self.folder.has_any_folder(self.tree, repo),
        }
    }

    fn advance(&mut self) -> io::Result<Option<RepoName>> {
        while let Some(level) = self.levels.last_mut() {
            match level.next() {
                None => {
                    self.levels.pop();
                }
                Some(Stop::Repository(name)) if self.is_wanted(&name)? => return Ok(Some(name)),
                Some(Stop::Repository(_)) => {}
                Some(Stop::Below(name)) => self.descend(Some(&name))?,
            }
        }
        Ok(None)
    }
}

impl Iterator for Repositories {
    type Item = io::Result<RepoName>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

impl Stop {
    /// The bytes that it is sorted by.
    fn key(&self) -> impl Iterator<Item = u8> {
        let (name, end) = match self {
            Self::Repository(name) => (name, None),
            Self::Below(name) => (name, Some(b'/')),
        };
        name.as_str().bytes().chain(end)
    }
}

/// Whether a name below `name` may come after `after`.
fn may_follow(after: &str, name: &RepoName) -> bool {
    let below = name.as_str().bytes().chain([b'/']);
    let prefix_len = name.as_str().len() + 1;
    let same_prefix = after.bytes().take(prefix_len);
    below.ge(same_prefix)
}

/// Distribution lists a tag as soon as it has a folder.
fn has_tag(tags: &Path) -> io::Result<bool> {
    let mut found = false;
    look::each_entry(tags, |entry| {
        let name = entry.name.to_str();
        let is_tag = name.is_some_and(|name| name.parse::<boxyard_oci::Tag>().is_ok());
        found = is_tag && entry.kind == Kind::Folder;
        !found
    })?;
    Ok(found)
}

/// Whether there is a file `link` so many folders below.
pub(crate) fn has_link(folder: &Path, depth: u8) -> io::Result<bool> {
    let Some(depth) = depth.checked_sub(1) else {
        return Ok(look::file_size(&folder.join("link"))?.is_some());
    };
    for entry in look::entries(folder)? {
        if entry.kind == Kind::Folder && has_link(&folder.join(&entry.name), depth)? {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
