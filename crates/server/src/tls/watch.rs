//! Files that may be replaced while the server runs.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// What tells one content of files from another without reading them.
///
/// Links are followed, so a link that leads elsewhere is a change: this is how Kubernetes replaces what it mounts.
/// The time of the last change of the inode moves when a file is renamed into place or written, whatever the tool does with the other times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamps(Vec<Option<Stamp>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl Stamps {
    /// Looks at the files; one that is not there differs from one that is.
    pub(super) fn of(files: &[PathBuf]) -> Self {
        let stamp = |path| {
            let file = fs::metadata(path).ok()?;
            Some(Stamp {
                device: file.dev(),
                inode: file.ino(),
                length: file.len(),
                changed: (file.ctime(), file.ctime_nsec()),
            })
        };
        Self(files.iter().map(stamp).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_link_that_leads_elsewhere_is_a_change() {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["one", "two"] {
            fs::create_dir(path(name)).unwrap();
            fs::write(path(name).join("tls.crt"), "same").unwrap();
        }
        symlink("one", path("data")).unwrap();
        let watched = [path("data").join("tls.crt")];

        let before = Stamps::of(&watched);
        symlink("two", path("data.new")).unwrap();
        fs::rename(path("data.new"), path("data")).unwrap();
        let after = Stamps::of(&watched);

        assert_ne!(before, after);
        assert_eq!(after, Stamps::of(&watched));
    }

    #[test]
    fn a_file_that_comes_or_goes_is_a_change() {
        let folder = TempDir::new().unwrap();
        let watched = [folder.path().join("a")];

        let before = Stamps::of(&watched);
        fs::write(&watched[0], "x").unwrap();

        assert_ne!(before, Stamps::of(&watched));
    }
}
