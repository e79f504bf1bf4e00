//! Writing many files that are synced together, by the filesystem that they are on.
//!
//! A file gets its final name at once where its folder is new, because then nothing can be there that it would replace; only blobs do not.
//! A crash may leave such a link cut short.
//! Nobody takes it for a good one: the change that it belongs to still waits, so the database is asked and the link is written again; and should the database be lost as well, a link that holds no digest is a finding, and as good as the absent one that a crash a moment earlier would have left.
//! A blob that is cut short would be worse than an absent one, because the tree says nothing of its size.
//! So blobs, and whatever replaces a file, are synced under another name first.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::batch::{NewFile, Rank, Stage};
use crate::disk::{Disk, PathError};
use crate::folder::Folder;
use crate::look;
use crate::small_file::{discard, temporary};

/// What was made, and must be made anew if it could not be synced.
#[derive(Debug, Default)]
struct Made {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

/// A place in the trees: the folders from an anchor down to one, all open.
#[derive(Debug)]
struct Place<'a> {
    disk: &'a Disk,
    anchors: &'a [PathBuf],
    path: PathBuf,
    open: Vec<Opened>,
}

#[derive(Debug)]
struct Opened {
    folder: OwnedFd,
    is_new: bool,
}

impl Folder {
    /// Writes the files of a stage, and syncs their filesystems instead of each.
    pub(crate) fn write_at_once(&self, stage: &Stage) -> io::Result<()> {
        let mut made = Made::default();
        let written = self.write_in_two_steps(stage, &mut made);
        // A failed sync is not tried again: what it was about is made anew.
        written.inspect_err(|_| made.take_back(&self.inner.disk))
    }

    fn write_in_two_steps(&self, stage: &Stage, made: &mut Made) -> io::Result<()> {
        let disk = &self.inner.disk;
        let filesystems = self.inner.filesystems.watch()?;
        let prepared = self.prepare(stage, made)?;
        if !prepared.is_empty() {
            filesystems.sync(disk)?;
        }
        for file in &stage.files {
            let path = file.path.as_path();
            if prepared.contains(path) {
                disk.rename(&temporary(path), path)?;
            } else {
                made.files.push(path.to_owned());
                write(disk, path, &file.content)?;
            }
        }
        filesystems.sync(disk)
    }

    /// Makes all folders, and writes under another name what may not be cut short; answers which files that are.
    fn prepare<'s>(&self, stage: &'s Stage, made: &mut Made) -> io::Result<HashSet<&'s Path>> {
        let (disk, anchors) = (&self.inner.disk, self.inner.layout.anchors());
        let mut place = Place::above(disk, &anchors);
        for folder in &stage.folders {
            place.enter(folder, made)?;
        }
        let mut prepared = HashSet::new();
        for file in by_path(&stage.files) {
            let folder = file.path.parent().unwrap_or(&file.path);
            let is_new = place.enter(folder, made)?;
            if !is_new || file.rank == Rank::Blob {
                let temporary = temporary(&file.path);
                made.files.push(temporary.clone());
                write(disk, &temporary, &file.content)?;
                prepared.insert(file.path.as_path());
            }
        }
        Ok(prepared)
    }
}

/// Neighbours share the folders above them.
fn by_path(files: &[NewFile]) -> Vec<&NewFile> {
    let mut sorted: Vec<&NewFile> = files.iter().collect();
    sorted.sort_unstable_by(|one, other| one.bytes_of_path().cmp(other.bytes_of_path()));
    sorted
}

fn write(disk: &Disk, path: &Path, content: &[u8]) -> io::Result<()> {
    let file = disk.create_file_anew(path)?;
    disk.write(&file, path, content, 0)
}

impl Made {
    fn take_back(&self, disk: &Disk) {
        for file in &self.files {
            discard(disk, file);
        }
        for folder in self.folders.iter().rev() {
            // Whoever uses the folder already keeps it.
            let _ = disk.remove_folder(folder);
        }
    }
}

impl<'a> Place<'a> {
    /// Outside of the trees.
    fn above(disk: &'a Disk, anchors: &'a [PathBuf]) -> Self {
        Self {
            disk,
            anchors,
            path: PathBuf::new(),
            open: Vec::new(),
        }
    }

    /// Goes to a folder, and makes what is missing on the way; answers whether it is new.
    fn enter(&mut self, folder: &Path, made: &mut Made) -> io::Result<bool> {
        while !self.open.is_empty() && !folder.starts_with(&self.path) {
            self.open.pop();
            self.path.pop();
        }
        if self.open.is_empty() {
            self.enter_anchor(folder)?;
        }
        let below = folder.strip_prefix(&self.path).unwrap_or(folder).to_owned();
        for name in &below {
            self.enter_child(name, made)?;
        }
        Ok(self.open.last().is_some_and(|last| last.is_new))
    }

    fn enter_anchor(&mut self, folder: &Path) -> io::Result<()> {
        let above = self.anchors.iter().find(|above| folder.starts_with(above));
        let opened = above.and_then(|above| Some((above, look::open_folder(above).transpose()?)));
        let Some((above, anchor)) = opened else {
            let absent = io::ErrorKind::NotFound.into();
            return Err(PathError::wrap("use folder", folder, absent));
        };
        self.path.clone_from(above);
        self.open.push(Opened {
            folder: anchor?,
            is_new: false,
        });
        Ok(())
    }

    fn enter_child(&mut self, name: &OsStr, made: &mut Made) -> io::Result<()> {
        let Some(above) = self.open.last() else {
            return Ok(());
        };
        self.path.push(name);
        let is_new = self
            .disk
            .create_folder_in(&above.folder, name, &self.path)?;
        if is_new {
            made.folders.push(self.path.clone());
        }
        let folder = look::open_child(&above.folder, name, &self.path)?;
        self.open.push(Opened { folder, is_new });
        Ok(())
    }
}
