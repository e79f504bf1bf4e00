//! The folder that keeps the account and the certificates from run to run.
//!
//! Files are called as Go's `autocert` calls them: the account is `acme_account+key`, a certificate has the name of its host.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file of the account's key.
const ACCOUNT: &str = "acme_account+key";
/// More than any key with its chain of certificates has.
const MOST_BYTES: u64 = 256 << 10;

/// A folder that only we read.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Makes the folder unless it is there.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        // Whether files can be listed tells a folder that is another's from one that is empty.
        fs::read_dir(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// The key of the account, as PEM.
    pub(super) fn account(&self) -> io::Result<Option<String>> {
        self.read(ACCOUNT)
    }

    pub(super) fn keep_account(&self, pem: &str) -> io::Result<()> {
        self.write(ACCOUNT, pem)
    }

    /// Where the key of the account lies.
    pub(super) fn account_path(&self) -> PathBuf {
        self.folder.join(ACCOUNT)
    }

    /// The key and the chain of a host, as PEM.
    pub(super) fn certificate(&self, host: &str) -> io::Result<Option<String>> {
        self.read(host)
    }

    pub(super) fn keep_certificate(&self, host: &str, pem: &str) -> io::Result<()> {
        self.write(host, pem)
    }

    fn read(&self, name: &str) -> io::Result<Option<String>> {
        let file = match File::open(self.folder.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut text = String::new();
        file.take(MOST_BYTES).read_to_string(&mut text)?;
        Ok(Some(text))
    }

    /// Writes beside and renames, so that a crash leaves the old file or the new one.
    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let beside = self.folder.join(format!("{name}+new"));
        // One that a crash has left may have been made by another, with another mode.
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, self.folder.join(name))?;
        File::open(&self.folder)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_was_kept_is_found_by_the_next_run_and_by_nobody_else() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("a/b");

        let cache = Cache::open(&folder).unwrap();
        cache.keep_account("account").unwrap();
        cache.keep_certificate("host.example", "old").unwrap();
        cache.keep_certificate("host.example", "new").unwrap();

        let cache = Cache::open(&folder).unwrap();
        assert_eq!(cache.account().unwrap().as_deref(), Some("account"));
        let kept = cache.certificate("host.example").unwrap();
        assert_eq!(kept.as_deref(), Some("new"));
        assert_eq!(cache.certificate("other.example").unwrap(), None);
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join("host.example")), 0o600);
        assert_eq!(mode(&folder.join(ACCOUNT)), 0o600);
    }

    #[test]
    fn what_is_no_folder_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "").unwrap();

        assert!(Cache::open(&file).is_err());
    }
}
