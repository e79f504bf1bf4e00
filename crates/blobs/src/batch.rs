//! Changes to the tree that are made durable together.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use boxyard_oci::{Digest, RepoName, Tag};
use bytes::Bytes;

use crate::action::Action;
use crate::folder::Folder;
use crate::layout::{LAYERS, MANIFESTS, Tree, UPLOADS};
use crate::link::Link;
use crate::look;
use crate::remove::{remove_tree, sync_absence};
use crate::small_file::{discard, temporary, write_synced};
use crate::together;
use crate::walk::has_link;

/// Changes to links, and to the blobs that they need.
///
/// Nothing happens before [`Batch::finish`], which may be repeated with the same changes after it failed anywhere.
/// Each file and each folder is then synced once, however many of the changes touch it, or all of them together.
/// What leads to something is written after it and removed before it; apart from that the order of the calls counts.
#[derive(Debug)]
pub struct Batch {
    folder: Folder,
    stages: Vec<Stage>,
    // The last repository whose folder was looked for in our own tree, and whether it was there.
    looked_for: Option<(RepoName, bool)>,
}

/// The order in which files appear; they disappear in the opposite one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    Repository,
    Blob,
    Layer,
    Revision,
    TagIndex,
    TagCurrent,
}

/// A file to be written.
#[derive(Debug)]
pub(crate) struct NewFile {
    pub(crate) rank: Rank,
    pub(crate) path: PathBuf,
    pub(crate) content: Bytes,
}

/// Writes, and then removals.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    pub(crate) folders: BTreeSet<PathBuf>,
    // In the order of the calls, until the batch is finished.
    pub(crate) files: Vec<NewFile>,
    pub(crate) blobs: BTreeSet<Digest>,
    removals: BTreeSet<(Rank, Removal)>,
    // The folders of the removals; a write below one of them must come after it.
    removed: BTreeSet<PathBuf>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Removal {
    Folder(PathBuf),
    EmptyRepository(Tree, RepoName),
}

impl Folder {
    /// Begins to collect changes.
    pub fn batch(&self) -> Batch {
        Batch {
            folder: self.clone(),
            stages: vec![Stage::default()],
            looked_for: None,
        }
    }
}

impl Batch {
    /// Writes a blob's file.
    pub fn write_blob(&mut self, digest: &Digest, bytes: Bytes) {
        let path = self.folder.inner.layout.blob(digest);
        self.write(Rank::Blob, path, bytes).blobs.insert(*digest);
    }

    /// Makes the folders of layers and tags, which may stay empty.
    ///
    /// Distribution's collectors walk both in every repository that has manifests, and stop at one that lacks them.
    pub fn make_repository(&mut self, tree: Tree, repo: &RepoName) {
        let layout = &self.folder.inner.layout;
        for folder in [layout.layers(tree, repo), layout.tags(tree, repo)] {
            self.stage_for(&folder).folders.insert(folder);
        }
    }

    /// Makes a link lead to `target`.
    pub fn write_link(&mut self, tree: Tree, link: &Link<'_>, target: &Digest) {
        let rank = match link {
            Link::Layer { .. } => Rank::Layer,
            Link::Revision { .. } => Rank::Revision,
            Link::TagIndex { .. } => Rank::TagIndex,
            Link::TagCurrent { .. } => Rank::TagCurrent,
        };
        let path = link.path(&self.folder.inner.layout, tree);
        self.write(rank, path, target.to_string().into());
    }

    /// Records the media type of a manifest in our own tree, for one whose payload does not tell it.
    pub fn write_media_type(&mut self, repo: &RepoName, digest: &Digest, media_type: &str) {
        let path = self.folder.inner.layout.media_type(repo, digest);
        // Before the revision's link, so that who finds that knows the type.
        self.write(Rank::Layer, path, media_type.to_owned().into());
    }

    /// Removes the link of a blob.
    pub fn remove_layer(&mut self, tree: Tree, repo: &RepoName, digest: &Digest) {
        let folder = self.folder.inner.layout.layer(tree, repo, digest);
        self.remove(Rank::Layer, folder);
    }

    /// Whether our own tree may hold anything of a repository; in most it holds nothing.
    pub fn is_in_own_tree(&mut self, repo: &RepoName) -> bool {
        if let Some((last, is_there)) = &self.looked_for
            && last == repo
        {
            return *is_there;
        }
        let path = self.folder.inner.layout.repository(Tree::Own, repo);
        // What cannot be looked at is told by who tries to remove it.
        let is_there = look::is_folder(&path).unwrap_or(true);
        self.looked_for = Some((repo.clone(), is_there));
        is_there
    }

    /// Removes the link of a manifest, and its media type.
    pub fn remove_revision(&mut self, tree: Tree, repo: &RepoName, digest: &Digest) {
        let folder = self.folder.inner.layout.revision(tree, repo, digest);
        self.remove(Rank::Revision, folder);
    }

    /// Removes a tag with its index.
    pub fn remove_tag(&mut self, tree: Tree, repo: &RepoName, tag: &Tag) {
        let folder = self.folder.inner.layout.tag(tree, repo, tag);
        self.remove(Rank::TagCurrent, folder);
    }

    /// Removes a repository's own folders if they hold no link and no upload, then the empty folders above them.
    ///
    /// Repositories below it stay as they are.
    pub fn remove_repository_if_empty(&mut self, tree: Tree, repo: &RepoName) {
        let folder = self.folder.inner.layout.repository(tree, repo);
        let stage = self.stage();
        for own in [LAYERS, MANIFESTS] {
            stage.removed.insert(folder.join(own));
        }
        let removal = Removal::EmptyRepository(tree, repo.clone());
        stage.removals.insert((Rank::Repository, removal));
    }

    /// Makes all the changes, durably.
    pub fn finish(self) -> io::Result<()> {
        let inner = Arc::clone(&self.folder.inner);
        let _alone = inner.links.lock().unwrap_or_else(PoisonError::into_inner);
        let Self {
            folder, mut stages, ..
        } = self;
        stages.iter_mut().for_each(Stage::sort);
        folder.timed(Action::PutContent, || {
            stages.iter().try_for_each(|stage| {
                folder.make_writes(stage)?;
                folder.make_removals(stage)
            })
        })
    }

    fn stage(&mut self) -> &mut Stage {
        let last = self.stages.len() - 1;
        &mut self.stages[last]
    }

    /// The stage in which `path` may appear: after what is above it has been removed.
    fn stage_for(&mut self, path: &Path) -> &mut Stage {
        let removed = &self.stage().removed;
        if !removed.is_empty() && path.ancestors().any(|above| removed.contains(above)) {
            self.stages.push(Stage::default());
        }
        self.stage()
    }

    fn write(&mut self, rank: Rank, path: PathBuf, content: Bytes) -> &mut Stage {
        let stage = self.stage_for(&path);
        let file = NewFile {
            rank,
            path,
            content,
        };
        stage.files.push(file);
        stage
    }

    fn remove(&mut self, rank: Rank, folder: PathBuf) {
        let stage = self.stage();
        stage.removed.insert(folder.clone());
        stage.removals.insert((rank, Removal::Folder(folder)));
    }
}

impl NewFile {
    fn key(&self) -> (Rank, &[u8]) {
        (self.rank, self.bytes_of_path())
    }

    /// Comparing them is much cheaper than comparing paths by their components.
    pub(crate) fn bytes_of_path(&self) -> &[u8] {
        self.path.as_os_str().as_bytes()
    }
}

impl Stage {
    /// Leaves the last content of each path, in the order in which the files appear.
    fn sort(&mut self) {
        self.files.reverse();
        self.files.sort_by(|one, other| one.key().cmp(&other.key()));
        self.files.dedup_by(|next, kept| next.path == kept.path);
    }
}

impl Folder {
    fn make_writes(&self, stage: &Stage) -> io::Result<()> {
        let inner = &self.inner;
        // In the order of the digests, so that nobody waits for us who holds what we wait for.
        let _claims: Vec<_> = stage
            .blobs
            .iter()
            .map(|blob| inner.claims.claim(blob))
            .collect();
        if inner.filesystems.suit(stage.files.len()) {
            match self.write_at_once(stage) {
                // Something is mounted within the tree.
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {}
                done => return done,
            }
        }
        self.write_each(stage)
    }

    fn write_each(&self, stage: &Stage) -> io::Result<()> {
        let inner = &self.inner;
        let mut plan = inner.folders.plan(&inner.disk);
        for folder in &stage.folders {
            plan.make_lasting(folder)?;
        }
        let mut folders = BTreeSet::new();
        for NewFile { path, .. } in &stage.files {
            let folder = path.parent().unwrap_or(path);
            if folders.insert(folder) {
                plan.make_leaf(folder)?;
            }
        }
        let created = plan.commit()?;
        let written = self.write_and_rename(stage);
        written.inspect_err(|_| inner.folders.take_back(&inner.disk, &created))?;
        let folders = Vec::from_iter(folders);
        together::each(&folders, |folder| inner.disk.sync_folder(folder))
    }

    fn write_and_rename(&self, stage: &Stage) -> io::Result<()> {
        let disk = &self.inner.disk;
        let paths = || stage.files.iter().map(|file| &file.path);
        let written = together::each(&stage.files, |file| {
            write_synced(disk, &temporary(&file.path), &file.content)
        });
        let renamed =
            written.and_then(|()| paths().try_for_each(|path| disk.rename(&temporary(path), path)));
        renamed.inspect_err(|_| paths().for_each(|path| discard(disk, &temporary(path))))
    }

    fn make_removals(&self, stage: &Stage) -> io::Result<()> {
        let inner = &self.inner;
        let watched = inner.filesystems.watch_many(stage.removals.len())?;
        let mut gone: BTreeSet<PathBuf> = BTreeSet::new();
        for (_, removal) in stage.removals.iter().rev() {
            match removal {
                Removal::Folder(folder) => {
                    remove_tree(&inner.disk, &inner.folders, folder)?;
                    gone.insert(folder.clone());
                }
                Removal::EmptyRepository(tree, repo) => {
                    gone.extend(self.remove_empty_repository(*tree, repo)?);
                }
            }
        }
        let gone = gone.iter().map(PathBuf::as_path);
        sync_absence(&inner.disk, watched.as_ref(), gone)
    }

    /// Answers what is gone and not yet durably so.
    fn remove_empty_repository(&self, tree: Tree, repo: &RepoName) -> io::Result<Vec<PathBuf>> {
        let inner = &self.inner;
        let folder = inner.layout.repository(tree, repo);
        let uploads = folder.join(UPLOADS);
        if self.has_any_link(tree, repo)? || !self.is_gone(&uploads)? {
            return Ok(Vec::new());
        }
        let mut gone = vec![uploads];
        for own in [LAYERS, MANIFESTS] {
            remove_tree(&inner.disk, &inner.folders, &folder.join(own))?;
            gone.push(folder.join(own));
        }
        let root = inner.layout.repositories(tree);
        for above in folder.ancestors().take_while(|above| *above != root) {
            if !self.is_gone(above)? {
                break;
            }
            gone.push(above.to_owned());
        }
        Ok(gone)
    }

    /// Removes a folder if nothing is in it, and so never an upload that has just begun.
    fn is_gone(&self, folder: &Path) -> io::Result<bool> {
        Ok(!look::is_folder(folder)? || self.inner.folders.remove(&self.inner.disk, folder)?)
    }

    fn has_any_link(&self, tree: Tree, repo: &RepoName) -> io::Result<bool> {
        let layout = &self.inner.layout;
        Ok(self.has_repository(tree, repo)? || has_link(&layout.layers(tree, repo), 2)?)
    }
}
