//! Opening a storage folder.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use rustix::fs::{Access, AtFlags, CWD};
use rustix::process::{getegid, geteuid};

use crate::disk::{Disk, Faults, PathError};
use crate::folder::{Folder, Inner};
use crate::folders::Folders;
use crate::journal::Journal;
use crate::layout::Layout;
use crate::syncing::Filesystems;
use crate::{claims::Claims, fence::Fences};

/// Why a storage folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The user that this process runs as may not write there.
    #[error(
        "`{}` is not writable by user {user} (group {group}); make it so with `chown -R {user}:{group} {}`",
        .path.display(), .root.display()
    )]
    NotWritable {
        /// The folder that refuses.
        path: PathBuf,
        /// The storage root.
        root: PathBuf,
        /// The user that this process runs as.
        user: u32,
        /// That user's group.
        group: u32,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The filesystem is mounted for reading alone.
    #[error("`{}` is on a filesystem that is mounted read-only", .path.display())]
    ReadOnly {
        /// The folder that refuses.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Anything else.
    #[error("open storage folder `{}`", .path.display())]
    Unusable {
        /// The storage root.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Folder {
    /// Opens the storage folder at `root`, and makes what is missing of it.
    pub fn open(root: &Path, faults: Arc<dyn Faults>) -> Result<Self, OpenError> {
        let disk = Disk::new(faults);
        let unusable = |source| OpenError::Unusable {
            path: root.to_owned(),
            source,
        };
        let root = &std::path::absolute(root).map_err(unusable)?;
        let mut synced = HashSet::new();
        for path in Layout::folders(root) {
            make_all(&disk, root, &path, &mut synced)
                .map_err(|(path, source)| refused(root, path, source))?;
        }
        let layout = Layout::resolve(root).map_err(unusable)?;
        for path in Layout::folders(root) {
            check_writable(&path).map_err(|source| refused(root, path, source))?;
        }
        Ok(Self {
            inner: Arc::new(Inner {
                folders: Folders::new(layout.anchors()),
                filesystems: Filesystems::of(&layout.anchors()),
                journal: Journal::new(layout.young()),
                young: Arc::default(),
                layout,
                disk,
                claims: Claims::default(),
                fences: Arc::new(Fences::default()),
                links: Mutex::default(),
                stopwatch: OnceLock::new(),
            }),
        })
    }
}

/// Makes a folder and all above it durably; links among them are the administrator's and followed.
///
/// What is there already, from the root down, is synced too: whoever made it may have been killed before.
/// That is once for each folder and not for each below it, because every start waits for it.
fn make_all(
    disk: &Disk,
    root: &Path,
    path: &Path,
    synced: &mut HashSet<PathBuf>,
) -> Result<(), (PathBuf, io::Error)> {
    let mut missing: Vec<&Path> = Vec::new();
    let mut present: Vec<&Path> = Vec::new();
    for above in path.ancestors() {
        if !above.is_dir() {
            missing.push(above);
        } else if above.starts_with(root) && above != path {
            present.push(above);
        }
    }
    for folder in present.into_iter().rev() {
        if synced.insert(folder.to_owned()) {
            sync(disk, folder)?;
        }
    }
    for folder in missing.into_iter().rev() {
        let parent = folder.parent().unwrap_or(folder);
        let created = disk.create_folder(folder);
        created.map_err(|source| (parent.to_owned(), source))?;
        sync(disk, parent)?;
    }
    Ok(())
}

fn sync(disk: &Disk, folder: &Path) -> Result<(), (PathBuf, io::Error)> {
    let resolved = folder.canonicalize();
    let synced = resolved.and_then(|resolved| disk.sync_folder(&resolved));
    synced.map_err(|source| (folder.to_owned(), source))
}

fn check_writable(path: &Path) -> io::Result<()> {
    let access = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    rustix::fs::accessat(CWD, path, access, AtFlags::EACCESS)
        .map_err(|errno| PathError::wrap("use folder", path, errno.into()))
}

fn refused(root: &Path, path: PathBuf, source: io::Error) -> OpenError {
    match source.kind() {
        io::ErrorKind::PermissionDenied => OpenError::NotWritable {
            path,
            root: root.to_owned(),
            user: geteuid().as_raw(),
            group: getegid().as_raw(),
            source,
        },
        io::ErrorKind::ReadOnlyFilesystem => OpenError::ReadOnly { path, source },
        _ => OpenError::Unusable {
            path: root.to_owned(),
            source,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::NoFaults;

    #[test]
    fn what_is_missing_is_made_and_what_is_there_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("not/there/yet");

        let folder = Folder::open(&root, Arc::new(NoFaults)).unwrap();
        fs::write(folder.own().join("keep"), b"").unwrap();
        let again = Folder::open(&root, Arc::new(NoFaults)).unwrap();

        assert!(root.join("docker/registry/v2/repositories").is_dir());
        assert_eq!(again.own(), again.root().join("boxyard"));
        assert!(again.own().join("keep").exists());
        assert!(again.free().unwrap().bytes > 0);
        assert!(again.free().unwrap().inodes > 0);
    }

    #[test]
    fn a_refusal_says_which_folder_and_how_to_allow_it() {
        let root = Path::new("/data");
        let denied = io::ErrorKind::PermissionDenied.into();

        let error = refused(root, root.join("boxyard"), denied);

        let (user, group) = (geteuid().as_raw(), getegid().as_raw());
        assert_eq!(
            error.to_string(),
            format!(
                "`/data/boxyard` is not writable by user {user} (group {group}); \
                 make it so with `chown -R {user}:{group} /data`"
            )
        );
    }

    #[test]
    fn a_folder_that_the_user_may_not_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        Folder::open(dir.path(), Arc::new(NoFaults)).unwrap();
        let blobs = dir.path().join("docker/registry/v2/blobs");
        fs::set_permissions(&blobs, Permissions::from_mode(0o555)).unwrap();

        let opened = Folder::open(dir.path(), Arc::new(NoFaults));

        // To root every folder is writable.
        let is_root = geteuid().is_root();
        let is_refused =
            matches!(opened, Err(OpenError::NotWritable { path, .. }) if path == blobs);
        assert_eq!(is_refused, !is_root);
    }

    #[test]
    fn a_file_in_the_place_of_a_folder_is_no_storage() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("docker"), b"").unwrap();

        let error = Folder::open(dir.path(), Arc::new(NoFaults)).unwrap_err();

        assert!(matches!(error, OpenError::Unusable { .. }));
    }
}
