//! The folder of `storage.inmemory`, which goes when the server stops.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::fs::statvfs;

/// Where Linux has memory that looks like a folder.
const MEMORY: &str = "/dev/shm";
/// What must be free there for it to be of use, in bytes; containers often have 64 MiB in all.
const ENOUGH: u64 = 256 << 20;

/// A private folder; dropped, it is removed with all that is in it.
#[derive(Debug)]
pub(crate) struct Memory {
    path: PathBuf,
}

impl Memory {
    /// Makes the folder: in memory where there is room, and else where temporary files are.
    pub(crate) fn make() -> anyhow::Result<Self> {
        let memory = Path::new(MEMORY);
        let temporary = std::env::temp_dir();
        let has_room = free(memory).is_ok_and(|free| free >= ENOUGH);
        let first = has_room.then(|| make_in(memory));
        let path = match first {
            Some(Ok(path)) => path,
            _ => make_in(&temporary).with_context(|| {
                format!(
                    "make a folder for `storage.inmemory` in `{}`; `TMPDIR` names another place",
                    temporary.display()
                )
            })?,
        };
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("error: remove `{}`: {error}", self.path.display());
        }
    }
}

fn free(path: &Path) -> io::Result<u64> {
    let found = statvfs(path)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Nobody else may look into the folder, and none that is there already is taken.
fn make_in(parent: &Path) -> io::Result<PathBuf> {
    let process = std::process::id();
    let mut number = 0;
    loop {
        let path = parent.join(format!("boxyard-inmemory-{process}-{number}"));
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1_000 => {
                number += 1;
            }
            made => return made.map(|()| path),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_folder_is_private_and_goes() {
        let memory = Memory::make().unwrap();
        let path = memory.path().to_owned();
        fs::write(path.join("file"), "content").unwrap();

        let mode = fs::metadata(&path).unwrap().permissions().mode();
        drop(memory);

        assert_eq!(mode & 0o777, 0o700);
        assert!(!path.exists());
    }
}
