//! Opening a storage folder.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Access, AtFlags, CWD};
use rustix::process::{getegid, geteuid};

use crate::disk::{Disk, Faults, PathError};
use crate::folder::{Folder, Inner};
use crate::folders::Folders;
use crate::layout::Layout;
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
        for path in Layout::folders(root) {
            make_all(&disk, root, &path).map_err(|(path, source)| refused(root, path, source))?;
        }
        let layout = Layout::resolve(root).map_err(unusable)?;
        for path in Layout::folders(root) {
            check_writable(&path).map_err(|source| refused(root, path, source))?;
        }
        let anchors = vec![
            layout.blobs.clone(),
            layout.repositories(crate::Tree::Distribution).to_owned(),
            layout.repositories(crate::Tree::Own).to_owned(),
            layout.own.clone(),
        ];
        Ok(Self {
            inner: Arc::new(Inner {
                layout,
                disk,
                folders: Folders::new(anchors),
                claims: Claims::default(),
                fences: Arc::new(Fences::default()),
                links: std::sync::Mutex::default(),
            }),
        })
    }
}

/// Makes a folder and all above it durably; links among them are the administrator's and followed.
///
/// What is there already, from the root down, is synced too: whoever made it may have been killed before.
fn make_all(disk: &Disk, root: &Path, path: &Path) -> Result<(), (PathBuf, io::Error)> {
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
        sync(disk, folder)?;
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
