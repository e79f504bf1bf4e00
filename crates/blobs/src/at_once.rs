//! Writing many files that are synced together, by the filesystem that they are on.
//!
//! A file gets its final name at once where its folder is new, because then nothing can be there that it would replace; only blobs do not.
//! A crash may leave such a link cut short.
//! Nobody takes it for a good one: the change that it belongs to still waits, so the database is asked and the link is written again; and should the database be lost as well, a link that holds no digest is a finding, and as good as the absent one that a crash a moment earlier would have left.
//! A blob that is cut short would be worse than an absent one, because the tree says nothing of its size.
//! So blobs, and whatever replaces a file, are synced under another name first.
//!
//! Nearly all of the time goes into the kernel, which makes folders and files in that of the thread that asks.
//! So threads share the work, each with neighbours in the tree, and a folder that was made just now is not opened.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::batch::{NewFile, Rank, Stage};
use crate::disk::{Disk, PathError};
use crate::folder::Folder;
use crate::look;
use crate::small_file::{discard, temporary};
use crate::together;

/// A file of a stage, once its folder is there.
struct Placed<'s> {
    file: &'s NewFile,
    /// Whether it is written under another name.
    is_prepared: bool,
}

/// What was made, and must be made anew if it could not be synced.
#[derive(Debug, Default)]
struct Made {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

/// A place in the trees: the folders from an anchor down to one.
#[derive(Debug)]
struct Place<'a> {
    disk: &'a Disk,
    anchors: &'a [PathBuf],
    path: PathBuf,
    levels: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    /// Open, unless it was made just now: nobody can have put a link or a mount there, so what is in it is reached through the one above.
    folder: Option<OwnedFd>,
    /// How much of the path leads there, in bytes.
    length: usize,
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
        let placed = self.prepare(stage, made)?;
        if placed.iter().any(|file| file.is_prepared) {
            filesystems.sync(disk)?;
        }
        // What leads to something is written after all of its kind.
        for rank in placed.chunk_by(|one, other| one.file.rank == other.file.rank) {
            let shown = together::shares(rank, |share| {
                share.iter().try_for_each(|file| file.show(disk))
            });
            shown.into_iter().collect::<io::Result<()>>()?;
        }
        filesystems.sync(disk)
    }

    /// Makes all folders, and writes under another name what may not be cut short.
    fn prepare<'s>(&self, stage: &'s Stage, made: &mut Made) -> io::Result<Vec<Placed<'s>>> {
        let (disk, anchors) = (&self.inner.disk, self.inner.layout.anchors());
        let mut place = Place::above(disk, &anchors);
        for folder in &stage.folders {
            place.enter(folder, made)?;
        }
        let shares = together::shares(&by_path(&stage.files), |share| {
            let mut made = Made::default();
            let mut place = Place::above(disk, &anchors);
            let placed = share.iter().map(|file| place.put(file, &mut made));
            (placed.collect::<io::Result<Vec<_>>>(), made)
        });
        let mut all = Vec::with_capacity(stage.files.len());
        let mut failure = None;
        for (placed, made_of_share) in shares {
            made.add(made_of_share);
            match placed {
                Ok(placed) => all.extend(placed),
                Err(error) => failure = Some(error),
            }
        }
        all.sort_by_key(|placed| placed.file.rank);
        failure.map_or(Ok(all), Err)
    }
}

/// Neighbours share the folders above them.
fn by_path(files: &[NewFile]) -> Vec<&NewFile> {
    let mut sorted: Vec<&NewFile> = files.iter().collect();
    sorted.sort_unstable_by(|one, other| one.bytes_of_path().cmp(other.bytes_of_path()));
    sorted
}

impl Placed<'_> {
    /// Gives the file its name.
    fn show(&self, disk: &Disk) -> io::Result<()> {
        let path = self.file.path.as_path();
        if self.is_prepared {
            return disk.rename(&temporary(path), path);
        }
        let file = disk.create_file_anew(path)?;
        disk.write(&file, path, &self.file.content, 0)
    }
}

impl Made {
    fn add(&mut self, mut other: Self) {
        self.folders.append(&mut other.folders);
        self.files.append(&mut other.files);
    }

    fn take_back(mut self, disk: &Disk) {
        for file in &self.files {
            discard(disk, file);
        }
        // What is in a folder comes behind it.
        self.folders.sort_unstable();
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
            levels: Vec::new(),
        }
    }

    /// Makes the folder of a file, and writes the file itself under another name if it may not be cut short.
    fn put<'s>(&mut self, file: &'s NewFile, made: &mut Made) -> io::Result<Placed<'s>> {
        let folder = file.path.parent().unwrap_or(&file.path);
        let is_new = self.enter(folder, made)?;
        let is_prepared = !is_new || file.rank == Rank::Blob;
        if is_prepared {
            let temporary = temporary(&file.path);
            made.files.push(temporary.clone());
            let (above, below) = self.reach(&temporary)?;
            let written = self.disk.create_file_in(above, below, &temporary)?;
            self.disk.write(&written, &temporary, &file.content, 0)?;
        } else {
            made.files.push(file.path.clone());
        }
        Ok(Placed { file, is_prepared })
    }

    /// Goes to a folder, and makes what is missing on the way; answers whether it is new.
    fn enter(&mut self, folder: &Path, made: &mut Made) -> io::Result<bool> {
        while !self.levels.is_empty() && !folder.starts_with(&self.path) {
            self.levels.pop();
            self.path.pop();
        }
        if self.levels.is_empty() {
            self.enter_anchor(folder)?;
        }
        let below = folder.strip_prefix(&self.path).unwrap_or(folder);
        let mut names = below.iter().peekable();
        while let Some(name) = names.next() {
            self.enter_child(name, names.peek().is_none(), made)?;
        }
        Ok(self.is_new())
    }

    /// Whether the folder was made just now.
    fn is_new(&self) -> bool {
        self.levels.last().is_some_and(|last| last.folder.is_none())
    }

    fn enter_anchor(&mut self, folder: &Path) -> io::Result<()> {
        let above = self.anchors.iter().find(|above| folder.starts_with(above));
        let opened = above.and_then(|above| Some((above, look::open_folder(above).transpose()?)));
        let Some((above, anchor)) = opened else {
            return Err(absent(folder));
        };
        self.path.clone_from(above);
        self.levels.push(Level {
            folder: Some(anchor?),
            length: above.as_os_str().len(),
        });
        Ok(())
    }

    fn enter_child(&mut self, name: &OsStr, is_last: bool, made: &mut Made) -> io::Result<()> {
        let is_above_new = self.is_new();
        self.path.push(name);
        let (above, below) = self.reach(&self.path)?;
        // Most folders on the way are there, and most at its end are not.
        let there = if is_last || is_above_new {
            None
        } else {
            look::find_child(above, below, &self.path)?
        };
        let folder = match there {
            Some(folder) => Some(folder),
            None if self.disk.create_folder_in(above, below, &self.path)? => None,
            None => Some(look::open_child(above, below, &self.path)?),
        };
        if folder.is_none() {
            made.folders.push(self.path.clone());
        }
        let length = self.path.as_os_str().len();
        self.levels.push(Level { folder, length });
        Ok(())
    }

    /// The nearest open folder above a path in this place, and the way from there.
    fn reach<'p>(&self, path: &'p Path) -> io::Result<(&OwnedFd, &'p OsStr)> {
        let mut levels = self.levels.iter().rev();
        let open = levels.find_map(|level| Some((level.folder.as_ref()?, level.length)));
        let reached = open.and_then(|(folder, length)| {
            let below = path.as_os_str().as_bytes().get(length + 1..)?;
            Some((folder, OsStr::from_bytes(below)))
        });
        reached.ok_or_else(|| absent(path))
    }
}

fn absent(folder: &Path) -> io::Error {
    PathError::wrap("use folder", folder, io::ErrorKind::NotFound.into())
}
