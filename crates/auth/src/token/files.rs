//! The files that the trusted keys come from.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::keys::{KeysError, TrustedKeys};

/// The largest file that is read.
const BYTES: u64 = 4 * 1024 * 1024;

/// Where the trusted keys come from.
#[derive(Clone, Debug, Default)]
pub struct KeyFiles {
    /// Certificates in PEM.
    pub certificates: Option<PathBuf>,
    /// A set of JSON Web Keys.
    pub set: Option<PathBuf>,
}

/// Why the keys of the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// A file cannot be read.
    #[error("read the keys of `{}`", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why it cannot.
        #[source]
        source: io::Error,
    },
    /// A file is larger than any with keys.
    #[error("the file of keys `{}` is larger than {} MiB", .path.display(), BYTES >> 20)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// What is in a file is not what it should be.
    #[error("the file of keys `{}` cannot be used", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: KeysError,
    },
    /// The files are there, and no key in them is for signatures.
    #[error(
        "no key that may sign tokens is in {}: expected certificates in PEM, or JSON Web Keys",
        named(.0)
    )]
    Empty(Vec<PathBuf>),
}

/// What a file looked like when it was read; one that looks different is read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp(Vec<Option<Look>>);

/// Device, number, size and time of the last change of a file.
type Look = (u64, u64, u64, i64, i64);

fn named(paths: &[PathBuf]) -> String {
    let names: Vec<_> = paths
        .iter()
        .map(|path| format!("`{}`", path.display()))
        .collect();
    names.join(" and ")
}

impl KeyFiles {
    /// Reads all keys.
    pub fn load(&self) -> Result<TrustedKeys, KeyFileError> {
        let mut keys = TrustedKeys::default();
        self.add_certificates(&mut keys)?;
        self.add_set(&mut keys)?;
        if keys.is_empty() {
            return Err(KeyFileError::Empty(self.paths().cloned().collect()));
        }
        Ok(keys)
    }

    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.paths().next().is_none()
    }

    /// Everything that is wrong with them, of which [`load`](Self::load) says the first.
    pub fn problems(&self) -> Vec<KeyFileError> {
        let mut keys = TrustedKeys::default();
        let added = [self.add_certificates(&mut keys), self.add_set(&mut keys)];
        let mut problems: Vec<_> = added.into_iter().filter_map(Result::err).collect();
        if problems.is_empty() && keys.is_empty() {
            problems.push(KeyFileError::Empty(self.paths().cloned().collect()));
        }
        problems
    }

    fn add_certificates(&self, keys: &mut TrustedKeys) -> Result<(), KeyFileError> {
        let Some(path) = &self.certificates else {
            return Ok(());
        };
        let added = keys.add_certificates(&read(path)?);
        added.map_err(|source| malformed(path, source))
    }

    fn add_set(&self, keys: &mut TrustedKeys) -> Result<(), KeyFileError> {
        let Some(path) = &self.set else {
            return Ok(());
        };
        let added = keys.add_set(&read(path)?);
        added.map_err(|source| malformed(path, source))
    }

    /// What the files look like now.
    pub fn stamp(&self) -> Stamp {
        let looks = |path: &PathBuf| fs::metadata(path).ok().map(|metadata| look(&metadata));
        Stamp(self.paths().map(looks).collect())
    }

    fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.certificates.iter().chain(&self.set)
    }
}

impl KeyFileError {
    /// The file, unless it is about all of them.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Unreadable { path, .. }
            | Self::TooLarge { path }
            | Self::Malformed { path, .. } => Some(path),
            Self::Empty(_) => None,
        }
    }
}

fn look(metadata: &Metadata) -> Look {
    (
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        // What copies files keeps the time of their content, but nobody chooses this one.
        metadata.ctime(),
        metadata.ctime_nsec(),
    )
}

fn read(path: &Path) -> Result<Vec<u8>, KeyFileError> {
    let unreadable = |source| KeyFileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut text = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(BYTES + 1)
        .read_to_end(&mut text)
        .map_err(unreadable)?;
    if text.len() as u64 > BYTES {
        return Err(KeyFileError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(text)
}

fn malformed(path: &Path, source: KeysError) -> KeyFileError {
    KeyFileError::Malformed {
        path: path.to_owned(),
        source,
    }
}
