//! What the tests of the storage folder share.
#![expect(dead_code, reason = "each test program uses a part of it")]

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use boxyard_blobs::testing::CrashAt;
use boxyard_blobs::{Faults, Folder, NoFaults, Sidecar, Syncing, Upload, UploadId};
use boxyard_oci::{Algorithm, Digest, RepoName, Tag};
use tempfile::TempDir;

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Algorithm::Sha256.digest(bytes)
}

pub(crate) fn repo(name: &str) -> RepoName {
    name.parse().unwrap()
}

pub(crate) fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

pub(crate) fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

/// A storage folder that is removed at the end of the test.
pub(crate) struct Storage {
    dir: TempDir,
}

impl Storage {
    pub(crate) fn new() -> Self {
        // In memory where that can be had: these tests sync thousands of times, and nobody cuts the power.
        let dir = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new());
        Self { dir: dir.unwrap() }
    }

    /// An empty folder on the same filesystem.
    pub(crate) fn beside(&self) -> TempDir {
        TempDir::new_in(self.root().parent().unwrap()).unwrap()
    }

    pub(crate) fn open(&self) -> Folder {
        self.open_with(Arc::new(NoFaults)).unwrap()
    }

    pub(crate) fn open_with(&self, faults: Arc<dyn Faults>) -> io::Result<Folder> {
        Folder::open(self.dir.path(), faults).map_err(io::Error::other)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    pub(crate) fn v2(&self) -> PathBuf {
        self.root().join("docker/registry/v2")
    }

    /// Writes a file as another program would, with the folders that it needs.
    pub(crate) fn plant(&self, path: &str, content: &[u8]) -> PathBuf {
        let path = self.v2().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// All files below the root, with what is in them.
    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.root()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(self.root()).unwrap();
                    found.push((name.display().to_string(), fs::read(&path).unwrap()));
                }
            }
        }
        found.sort();
        found
    }

    /// All folders below the root in which there is nothing.
    pub(crate) fn empty_folders(&self) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        let mut folders = vec![self.root()];
        while let Some(folder) = folders.pop() {
            let entries: Vec<_> = fs::read_dir(&folder).unwrap().collect();
            if entries.is_empty() {
                found.insert(folder);
                continue;
            }
            let paths = entries.into_iter().map(|entry| entry.unwrap().path());
            folders.extend(paths.filter(|path| path.is_dir()));
        }
        found
    }

    /// Fails if a writer left a file that it did not finish.
    pub(crate) fn assert_nothing_unfinished(&self) {
        for (name, _) in self.files() {
            let is_unfinished = Path::new(&name).extension().is_some_and(|end| end == "tmp");
            assert!(!is_unfinished, "{name} is left");
        }
    }
}

/// Ends `operate` after each of its steps in turn, in both ways of syncing; each time the folder is opened again, checked, and the operation repeated.
pub(crate) fn crash_everywhere(
    prepare: impl Fn(&Folder),
    operate: impl Fn(&Folder) -> io::Result<()>,
    check: impl Fn(&Folder),
    check_done: impl Fn(&Folder),
) {
    for syncing in [Syncing::Each, Syncing::Whole] {
        let operate = |folder: &Folder| {
            folder.sync_by(syncing);
            operate(folder)
        };
        crash_at_each_step(&prepare, operate, &check, &check_done);
    }
}

fn crash_at_each_step(
    prepare: impl Fn(&Folder),
    operate: impl Fn(&Folder) -> io::Result<()>,
    check: impl Fn(&Folder),
    check_done: impl Fn(&Folder),
) {
    let mut survived = false;
    for step in 0..1000 {
        let storage = Storage::new();
        prepare(&storage.open());
        let crash = Arc::new(CrashAt::new(step));
        let done = storage
            .open_with(crash.clone())
            .and_then(|folder| operate(&folder));
        survived = !crash.has_crashed();
        assert!(done.is_ok() || !survived, "without a crash: {done:?}");
        let folder = storage.open();
        check(&folder);
        if done.is_ok() {
            check_done(&folder);
        }
        operate(&folder).unwrap_or_else(|error| panic!("repeat after step {step}: {error:?}"));
        check_done(&folder);
        storage.assert_nothing_unfinished();
        if survived {
            break;
        }
    }
    assert!(survived, "the operation has an end");
}

pub(crate) fn begin(folder: &Folder, repo: &RepoName) -> io::Result<Upload> {
    folder.begin_upload(repo, &UploadId::random(), &Sidecar::default(), noon())
}

/// A whole push of a blob.
pub(crate) fn push(folder: &Folder, repo: &RepoName, bytes: &[u8]) -> io::Result<()> {
    let mut upload = begin(folder, repo)?;
    for piece in bytes.chunks(4) {
        upload.append(piece)?;
    }
    folder.promote(upload, repo, &digest(bytes))
}

pub(crate) fn content(folder: &Folder, digest: &Digest) -> Option<Vec<u8>> {
    folder.read_blob(digest, 1 << 20).unwrap()
}

/// Removes blobs, each of which must be gone.
pub(crate) fn remove(folder: &Folder, digests: &[Digest]) -> io::Result<()> {
    let failed = folder.remove_blobs(digests)?;
    failed
        .into_iter()
        .next()
        .map_or(Ok(()), |(_, error)| Err(error))
}
