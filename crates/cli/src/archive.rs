//! Archives of images, as a folder or a tar file, read where they lie: nothing is unpacked, so nothing can be unpacked to a wrong place.

mod members;
mod path;
mod piece;
mod spool;

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use members::Member;
pub(crate) use piece::Piece;
pub(crate) use spool::{Counted, check};

/// How many links may lead to a file.
const LINKS: usize = 8;

/// An archive of images that is being read.
#[derive(Debug)]
pub(crate) struct Archive {
    name: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Folder(File),
    Tar {
        file: Arc<File>,
        members: HashMap<String, Member>,
    },
}

impl Archive {
    /// Opens a folder, a tar file, one that is packed by gzip, or standard input where the path is `-`.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            let file = spool::standard_input()?;
            return Self::of_tar("standard input".to_owned(), file);
        }
        let name = format!("`{}`", path.display());
        let file = File::open(path).with_context(|| format!("open {name}"))?;
        let kind = file.metadata().with_context(|| format!("look at {name}"))?;
        if kind.is_dir() {
            let place = Place::Folder(file);
            return Ok(Self { name, place });
        }
        let file = spool::seekable(file).with_context(|| format!("read {name}"))?;
        Self::of_tar(name, file)
    }

    fn of_tar(name: String, file: File) -> anyhow::Result<Self> {
        let members = members::list(&file).with_context(|| format!("read {name}"))?;
        let file = Arc::new(file);
        let place = Place::Tar { file, members };
        Ok(Self { name, place })
    }

    /// What messages call it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A file of the archive; links are followed as long as they stay inside.
    pub(crate) fn find(&self, path: &str) -> anyhow::Result<Option<Piece>> {
        let path = path::inside(path).with_context(|| format!("look into {}", self.name))?;
        match &self.place {
            Place::Folder(folder) => self.open_in(folder, &path),
            Place::Tar { file, members } => self.follow(file, members, path),
        }
    }

    /// The whole of a file of the archive that is not long.
    pub(crate) fn read(&self, path: &str, limit: u64) -> anyhow::Result<Option<Vec<u8>>> {
        let Some(piece) = self.find(path)? else {
            return Ok(None);
        };
        piece.read(limit).map(Some)
    }

    fn open_in(&self, folder: &File, path: &str) -> anyhow::Result<Option<Piece>> {
        // A fifo in the place of a file would keep us waiting.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let opened = openat2(folder.as_fd(), path, flags, Mode::empty(), beneath);
        let place = format!("`{path}` of {}", self.name);
        let file = match opened {
            Ok(file) => File::from(file),
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(Errno::XDEV) => bail!("{place} is a link that leads out of the folder"),
            Err(error) => return Err(error).with_context(|| format!("open {place}")),
        };
        let found = file.metadata();
        let found = found.with_context(|| format!("look at {place}"))?;
        ensure!(found.is_file(), "{place} is no file");
        Ok(Some(Piece::new(Arc::new(file), 0, found.len(), place)))
    }

    fn follow(
        &self,
        file: &Arc<File>,
        members: &HashMap<String, Member>,
        mut path: String,
    ) -> anyhow::Result<Option<Piece>> {
        let place = format!("`{path}` of {}", self.name);
        for _ in 0..LINKS {
            match members.get(&path) {
                None => return Ok(None),
                Some(Member::File { offset, size }) => {
                    return Ok(Some(Piece::new(Arc::clone(file), *offset, *size, place)));
                }
                Some(Member::Link(target)) => path.clone_from(target),
                Some(Member::Strayed(target)) => {
                    bail!("{place} is a link that leads out of the archive, to `{target}`")
                }
                Some(Member::Other) => bail!("{place} is no file"),
            }
        }
        bail!("{place} is a link that leads nowhere, in a circle")
    }
}

/// Reads as much as there is, up to the length of the buffer.
pub(crate) fn fill(input: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
