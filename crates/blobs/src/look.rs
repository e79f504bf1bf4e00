//! Reading the tree without following symbolic links.
//!
//! Names in the tree come from strangers and from other programs; a link among them could lead anywhere.
//! Only the folders above the tree may be links: they are resolved once, when the folder is opened.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use crate::disk::PathError;

/// Older kernels and some sandboxes refuse `openat2`.
static WITHOUT_OPENAT2: AtomicBool = AtomicBool::new(false);

/// What an entry of a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    /// A symbolic link, a device, a socket: nothing that belongs here.
    Other,
}

/// An entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: OsString,
    pub(crate) kind: Kind,
}

/// Opens a plain file for reading; anything else counts as absent.
pub(crate) fn open_file(path: &Path) -> io::Result<Option<File>> {
    Ok(open_sized(path)?.map(|(file, _)| file))
}

/// Opens a plain file, and says its size.
pub(crate) fn open_sized(path: &Path) -> io::Result<Option<(File, u64)>> {
    // A pipe under that name would otherwise block until somebody writes to it.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    plain_file(path, open(path, flags)?)
}

/// Opens a plain file for reading and writing.
pub(crate) fn open_to_write(path: &Path) -> io::Result<Option<(File, u64)>> {
    plain_file(path, open(path, OFlags::RDWR | OFlags::NONBLOCK)?)
}

fn plain_file(path: &Path, opened: Option<OwnedFd>) -> io::Result<Option<(File, u64)>> {
    let Some(fd) = opened else {
        return Ok(None);
    };
    let stat = rustix::fs::fstat(&fd).map_err(|errno| in_context(path, errno))?;
    Ok(size_of_file(&stat).map(|size| (File::from(fd), size)))
}

/// Opens a folder.
pub(crate) fn open_folder(path: &Path) -> io::Result<Option<OwnedFd>> {
    open(path, OFlags::RDONLY | OFlags::DIRECTORY)
}

/// Opens a folder in an open one, if it is one and on the same filesystem.
///
/// The path is for the error alone.
pub(crate) fn open_child(folder: &OwnedFd, name: &OsStr, path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    rustix::fs::openat2(folder, name, flags, Mode::empty(), resolve)
        .map_err(|errno| in_context(path, errno))
}

/// The same where there may be nothing.
pub(crate) fn find_child(
    folder: &OwnedFd,
    name: &OsStr,
    path: &Path,
) -> io::Result<Option<OwnedFd>> {
    match open_child(folder, name, path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

/// Whether the system opens paths without crossing to another filesystem.
pub(crate) fn can_stay_on_a_filesystem(folder: &OwnedFd) -> bool {
    open_child(folder, OsStr::new("."), Path::new(".")).is_ok()
}

/// Whether there is a folder.
pub(crate) fn is_folder(path: &Path) -> io::Result<bool> {
    let opened = open(path, OFlags::PATH | OFlags::DIRECTORY)?;
    Ok(opened.is_some())
}

/// The number of the filesystem that something is on.
pub(crate) fn device(path: &Path) -> io::Result<Option<u64>> {
    Ok(stat(path)?.map(|stat| stat.st_dev))
}

/// The size of a plain file.
pub(crate) fn file_size(path: &Path) -> io::Result<Option<u64>> {
    Ok(stat(path)?.as_ref().and_then(size_of_file))
}

/// When a plain file was last written.
pub(crate) fn file_modified(path: &Path) -> io::Result<Option<SystemTime>> {
    let stat = stat(path)?.filter(|stat| size_of_file(stat).is_some());
    Ok(stat.and_then(|stat| modified_time(&stat)))
}

/// When a file or folder was last changed.
pub(crate) fn modified(path: &Path) -> io::Result<Option<SystemTime>> {
    Ok(stat(path)?.as_ref().and_then(modified_time))
}

/// Reads a plain file of at most `max` bytes; a longer one gives its first `max + 1` bytes, so that the caller can tell.
pub(crate) fn read_bounded(path: &Path, max: u64) -> io::Result<Option<Vec<u8>>> {
    let Some((file, size)) = open_sized(path)? else {
        return Ok(None);
    };
    let limit = max.saturating_add(1);
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(limit)).unwrap_or_default());
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|source| PathError::wrap("read", path, source))?;
    Ok(Some(bytes))
}

/// A small file, and when it was written.
pub(crate) type Dated = (Vec<u8>, Option<SystemTime>);

/// The same for a file below a folder that is open already, which `path` names for errors; with the time at which it was written.
///
/// One that is as long as it says is read at once, without asking whether more comes.
pub(crate) fn read_below(
    folder: BorrowedFd<'_>,
    path: &Path,
    below: &Path,
    max: u64,
) -> io::Result<Option<Dated>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    let context = |errno| in_context(&path.join(below), errno);
    let Some(fd) = open_at(folder, below, flags).map_err(context)? else {
        return Ok(None);
    };
    let stat = rustix::fs::fstat(&fd).map_err(context)?;
    let Some(size) = size_of_file(&stat) else {
        return Ok(None);
    };
    let wanted = usize::try_from(size.min(max.saturating_add(1))).unwrap_or_default();
    let mut bytes = vec![0; wanted];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match rustix::io::read(&fd, rest) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(PathError::wrap("read", &path.join(below), errno.into())),
        }
    }
    bytes.truncate(filled);
    Ok(Some((bytes, modified_time(&stat))))
}

/// The entries of a folder in the order of their bytes; of an absent folder none.
pub(crate) fn entries(path: &Path) -> io::Result<Vec<Entry>> {
    let mut found = Vec::new();
    each_entry(path, |entry| {
        found.push(entry);
        true
    })?;
    found.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// Hands out the entries of a folder as they come, until `visit` has seen enough.
pub(crate) fn each_entry(path: &Path, mut visit: impl FnMut(Entry) -> bool) -> io::Result<()> {
    let Some(fd) = open_folder(path)? else {
        return Ok(());
    };
    let mut dir = Dir::new(fd).map_err(|errno| in_context(path, errno))?;
    while let Some(entry) = dir.read() {
        let entry = entry.map_err(|errno| in_context(path, errno))?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let kind = match entry.file_type() {
            // Not every filesystem tells the kind along with the name.
            FileType::Unknown => {
                let fd = dir.fd().map_err(|errno| in_context(path, errno))?;
                match rustix::fs::statat(fd, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => kind_of(FileType::from_raw_mode(stat.st_mode)),
                    Err(Errno::NOENT) => continue,
                    Err(errno) => return Err(in_context(path, errno)),
                }
            }
            known => kind_of(known),
        };
        let name = OsString::from_vec(name.to_bytes().to_vec());
        if !visit(Entry { name, kind }) {
            break;
        }
    }
    Ok(())
}

fn kind_of(file_type: FileType) -> Kind {
    match file_type {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        _ => Kind::Other,
    }
}

fn stat(path: &Path) -> io::Result<Option<Stat>> {
    let Some(fd) = open(path, OFlags::PATH)? else {
        return Ok(None);
    };
    let stat = rustix::fs::fstat(&fd).map_err(|errno| in_context(path, errno))?;
    Ok(Some(stat))
}

fn size_of_file(stat: &Stat) -> Option<u64> {
    (FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
        .then(|| u64::try_from(stat.st_size).unwrap_or_default())
}

fn modified_time(stat: &Stat) -> Option<SystemTime> {
    let seconds = u64::try_from(stat.st_mtime).ok()?;
    let nanoseconds = u32::try_from(stat.st_mtime_nsec).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds))
}

/// Opens an absolute path in which nothing may be a symbolic link; what is not there, or behind one, is `None`.
fn open(path: &Path, flags: OFlags) -> io::Result<Option<OwnedFd>> {
    open_at(CWD, path, flags).map_err(|errno| in_context(path, errno))
}

/// The same for a path that begins at `folder`, unless it is absolute.
fn open_at(
    folder: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
) -> rustix::io::Result<Option<OwnedFd>> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let opened = if WITHOUT_OPENAT2.load(Ordering::Relaxed) {
        open_by_component(folder, path, flags)
    } else {
        let resolve = ResolveFlags::NO_SYMLINKS;
        match rustix::fs::openat2(folder, path, flags, Mode::empty(), resolve) {
            Err(Errno::NOSYS | Errno::PERM) => {
                WITHOUT_OPENAT2.store(true, Ordering::Relaxed);
                open_by_component(folder, path, flags)
            }
            opened => opened,
        }
    };
    match opened {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// The same by hand, one component after the other.
fn open_by_component(
    folder: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
) -> rustix::io::Result<OwnedFd> {
    let through = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let begin = if path.is_absolute() { "/" } else { "." };
    let mut at = rustix::fs::openat(folder, begin, through, Mode::empty())?;
    let mut components = path.components().peekable();
    while let Some(component) = components.next() {
        let Component::Normal(name) = component else {
            continue;
        };
        if components.peek().is_none() {
            return rustix::fs::openat(&at, name, flags, Mode::empty());
        }
        at = rustix::fs::openat(&at, name, through, Mode::empty())?;
    }
    rustix::fs::openat(&at, ".", flags, Mode::empty())
}

fn in_context(path: &Path, errno: Errno) -> io::Error {
    PathError::wrap("open", path, errno.into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::fd::AsFd;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Whether a path can be opened at once, and whether by component.
    fn openable(path: &Path, flags: OFlags) -> (bool, bool) {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let resolve = ResolveFlags::NO_SYMLINKS;
        let at_once = rustix::fs::openat2(CWD, path, flags, Mode::empty(), resolve);
        (at_once.is_ok(), open_by_component(CWD, path, flags).is_ok())
    }

    fn tree_with_links() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("real/folder")).unwrap();
        fs::write(root.join("real/folder/file"), b"bytes").unwrap();
        symlink(root.join("real"), root.join("alias")).unwrap();
        symlink(root.join("real/folder/file"), root.join("real/link")).unwrap();
        dir
    }

    #[test]
    fn opening_by_component_sees_what_opening_at_once_sees() {
        let dir = tree_with_links();
        let root = dir.path().canonicalize().unwrap();

        for (path, is_file, is_folder) in [
            ("real/folder/file", true, false),
            ("real/folder", true, true),
            ("real/link", false, false),
            ("real/folder/file/below", false, false),
            ("alias", false, false),
            ("alias/folder/file", false, false),
            ("", true, true),
        ] {
            let path = root.join(path);
            let (file, folder) = (OFlags::RDONLY, OFlags::DIRECTORY);
            assert_eq!(
                openable(&path, file),
                (is_file, is_file),
                "{}",
                path.display()
            );
            assert_eq!(
                openable(&path, folder),
                (is_folder, is_folder),
                "{}",
                path.display()
            );
        }
        assert_eq!(openable(Path::new("/"), OFlags::DIRECTORY), (true, true));
    }

    #[test]
    fn entries_come_in_the_order_of_their_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for name in ["b", "a-b", "a", "B", "a.b", "ä"] {
            fs::write(root.join(name), b"").unwrap();
        }

        let found = entries(&root).unwrap();

        let names: Vec<&str> = found
            .iter()
            .filter_map(|entry| entry.name.to_str())
            .collect();
        assert_eq!(names, ["B", "a", "a-b", "a.b", "b", "ä"]);
        assert!(found.iter().all(|entry| entry.kind == Kind::File));
        assert_eq!(entries(&root.join("absent")).unwrap(), []);
    }

    #[test]
    fn a_longer_file_than_allowed_is_told_by_one_byte_more() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap().join("file");
        fs::write(&path, b"12345").unwrap();

        assert_eq!(read_bounded(&path, 5).unwrap().unwrap(), b"12345");
        assert_eq!(read_bounded(&path, 3).unwrap().unwrap(), b"1234");
        assert_eq!(read_bounded(&path.with_extension("none"), 3).unwrap(), None);
    }

    #[test]
    fn below_an_open_folder_is_read_what_is_read_from_the_root() {
        let dir = tree_with_links();
        let root = dir.path().canonicalize().unwrap();
        let folder = open_folder(&root).unwrap().unwrap();
        let read = |below: &str, max| {
            let read = read_below(folder.as_fd(), &root, Path::new(below), max).unwrap();
            read.map(|(bytes, modified)| (bytes, modified.is_some()))
        };

        assert_eq!(read("real/folder/file", 9), Some((b"bytes".to_vec(), true)));
        assert_eq!(read("real/folder/file", 3), Some((b"byte".to_vec(), true)));
        for absent in [
            "real/folder/none",
            "real/folder",
            "real/link",
            "alias/folder/file",
        ] {
            assert_eq!(read(absent, 9), None, "{absent}");
        }
        let by_component = |path: &str| {
            let flags = OFlags::CLOEXEC | OFlags::NOFOLLOW;
            open_by_component(folder.as_fd(), Path::new(path), flags).is_ok()
        };
        assert!(by_component("real/folder/file"));
        assert!(!by_component("alias/folder/file"));
    }
}
