//! Whether the folder is still there, and can be written.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::disk::PathError;
use crate::folder::Folder;
use crate::lock::FolderLock;
use crate::{look, small_file};

/// What is written and read again.
const CONTENT: &[u8] = b"written to see whether the folder can be written\n";

impl Folder {
    /// Writes, syncs, reads and removes a small file, in the very folder that was opened. Blocks.
    ///
    /// A folder that was put in its place, or the empty one below a lost mount, is not it.
    pub fn probe(&self, lock: &FolderLock) -> io::Result<()> {
        let layout = &self.inner.layout;
        same_file(&lock.file.metadata()?, &layout.own.join("lock"))?;
        for folder in layout.anchors() {
            look_at(&folder)?;
        }
        let disk = &self.inner.disk;
        let path = small_file::temporary(&layout.own.join("probe"));
        let written = small_file::write_synced(disk, &path, CONTENT)
            .and_then(|()| look::read_bounded(&path, CONTENT.len() as u64 + 1));
        // Without room for a file there may still be room for its name.
        small_file::discard(disk, &path);
        match written?.as_deref() {
            Some(CONTENT) => Ok(()),
            _ => Err(PathError::wrap(
                "read back",
                &path,
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    "what is read is not what was written",
                ),
            )),
        }
    }
}

fn look_at(path: &Path) -> io::Result<Metadata> {
    fs::metadata(path).map_err(|source| PathError::wrap("look at", path, source))
}

fn same_file(held: &Metadata, path: &Path) -> io::Result<()> {
    let found = look_at(path)?;
    if (held.dev(), held.ino()) == (found.dev(), found.ino()) {
        return Ok(());
    }
    let source = io::Error::other("it is not the file that this process has locked");
    Err(PathError::wrap("look at", path, source))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;
    use crate::{Faults, NoFaults, Step};

    fn opened(root: &Path, faults: Arc<dyn Faults>) -> (Folder, FolderLock) {
        let folder = Folder::open(root, faults).unwrap();
        let lock = folder.lock(Duration::ZERO).unwrap();
        (folder, lock)
    }

    #[test]
    fn a_folder_that_is_well_is_left_as_it_was() {
        let home = TempDir::new().unwrap();
        let (folder, lock) = opened(home.path(), Arc::new(NoFaults));
        let names = || {
            let entries = fs::read_dir(folder.own()).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let before = names();

        folder.probe(&lock).unwrap();

        assert_eq!(names(), before);
    }

    #[test]
    fn a_folder_that_is_gone_is_noticed() {
        let home = TempDir::new().unwrap();
        let (folder, lock) = opened(home.path(), Arc::new(NoFaults));
        fs::remove_dir_all(home.path().join("docker")).unwrap();

        let error = folder.probe(&lock).unwrap_err();

        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn another_folder_in_its_place_is_noticed() {
        let home = TempDir::new().unwrap();
        let root = home.path().join("registry");
        let (folder, lock) = opened(&root, Arc::new(NoFaults));
        fs::rename(&root, home.path().join("aside")).unwrap();
        let _other = opened(&root, Arc::new(NoFaults));

        let error = folder.probe(&lock).unwrap_err();

        assert!(error.to_string().contains("lock"), "{error}");
    }

    #[derive(Debug)]
    struct ReadOnly;

    impl Faults for ReadOnly {
        fn before(&self, step: Step, path: &Path) -> io::Result<()> {
            let probes = path.to_string_lossy().contains("probe");
            if probes && step == Step::CreateFile {
                return Err(io::ErrorKind::ReadOnlyFilesystem.into());
            }
            Ok(())
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_noticed() {
        let home = TempDir::new().unwrap();
        let (folder, lock) = opened(home.path(), Arc::new(ReadOnly));

        let error = folder.probe(&lock).unwrap_err();

        assert_eq!(error.kind(), io::ErrorKind::ReadOnlyFilesystem);
    }
}
