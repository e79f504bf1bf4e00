//! A folder as CNCF distribution leaves it, written by hand.

use std::fs;
use std::path::{Path, PathBuf};

use boxyard_testkit::{Blob, Image, Index, sha256};
use tempfile::TempDir;

/// A storage folder that is removed at the end of the test.
pub(crate) struct Tree {
    dir: TempDir,
}

impl Tree {
    /// An empty folder; in memory where that is possible, because these tests are not about lost power.
    pub(crate) fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() {
            TempDir::new_in(memory)
        } else {
            TempDir::new()
        };
        Self { dir: dir.unwrap() }
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    /// A path below `docker/registry/v2`.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root().join("docker/registry/v2").join(relative)
    }

    /// Writes a file with the folders that it needs.
    pub(crate) fn plant(&self, relative: &str, content: impl AsRef<[u8]>) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Removes a file, or a folder with everything in it.
    pub(crate) fn remove(&self, relative: &str) {
        let path = self.path(relative);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }

    pub(crate) fn has(&self, relative: &str) -> bool {
        self.path(relative).exists()
    }

    /// Writes the file of a blob; answers its digest.
    pub(crate) fn blob(&self, bytes: impl AsRef<[u8]>) -> String {
        let digest = sha256(&bytes);
        self.plant(&data(&digest), bytes);
        digest
    }

    /// Lets a repository hold a blob.
    pub(crate) fn layer(&self, repo: &str, digest: &str) {
        self.plant(&layer_link(repo, digest), digest);
    }

    /// Lets a repository hold a manifest.
    pub(crate) fn revision(&self, repo: &str, digest: &str) {
        self.plant(&revision_link(repo, digest), digest);
    }

    /// Points a tag at a manifest.
    pub(crate) fn tag(&self, repo: &str, tag: &str, digest: &str) {
        let (algorithm, hex) = digest.split_once(':').unwrap();
        let index = format!("{}/index/{algorithm}/{hex}/link", tag_folder(repo, tag));
        self.plant(&index, digest);
        self.plant(&current_link(repo, tag), digest);
    }

    pub(crate) fn untag(&self, repo: &str, tag: &str) {
        self.remove(&tag_folder(repo, tag));
    }

    /// Stores a manifest and lets a repository hold it.
    pub(crate) fn manifest(&self, repo: &str, manifest: &Blob) {
        self.blob(&manifest.bytes);
        self.revision(repo, &manifest.digest);
    }

    /// Stores an image with all its blobs, under no tag.
    pub(crate) fn untagged(&self, repo: &str, image: &Image) {
        for blob in image.blobs() {
            self.blob(&blob.bytes);
            self.layer(repo, &blob.digest);
        }
        self.manifest(repo, &image.manifest);
    }

    /// Stores an image with all its blobs.
    pub(crate) fn image(&self, repo: &str, tag: &str, image: &Image) {
        self.untagged(repo, image);
        self.tag(repo, tag, &image.manifest.digest);
    }

    /// Stores an index with all its images.
    pub(crate) fn index(&self, repo: &str, tag: &str, index: &Index) {
        for image in &index.images {
            self.untagged(repo, image);
        }
        self.manifest(repo, &index.manifest);
        self.tag(repo, tag, &index.manifest.digest);
    }

    /// The same folder somewhere else.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        copy_all(self.root(), copy.root());
        copy
    }

    /// Removes the database, as somebody does who keeps only the folder.
    pub(crate) fn lose_database(&self) {
        for suffix in ["", "-wal", "-shm"] {
            let path = self.root().join(format!("boxyard.db{suffix}"));
            if path.exists() {
                fs::remove_file(path).unwrap();
            }
        }
    }
}

/// The file of a blob.
pub(crate) fn data(digest: &str) -> String {
    let (algorithm, hex) = digest.split_once(':').unwrap();
    format!("blobs/{algorithm}/{}/{hex}/data", &hex[..2])
}

pub(crate) fn layer_link(repo: &str, digest: &str) -> String {
    let (algorithm, hex) = digest.split_once(':').unwrap();
    format!("repositories/{repo}/_layers/{algorithm}/{hex}/link")
}

pub(crate) fn revision_folder(repo: &str, digest: &str) -> String {
    let (algorithm, hex) = digest.split_once(':').unwrap();
    format!("repositories/{repo}/_manifests/revisions/{algorithm}/{hex}")
}

pub(crate) fn revision_link(repo: &str, digest: &str) -> String {
    format!("{}/link", revision_folder(repo, digest))
}

pub(crate) fn tag_folder(repo: &str, tag: &str) -> String {
    format!("repositories/{repo}/_manifests/tags/{tag}")
}

pub(crate) fn current_link(repo: &str, tag: &str) -> String {
    format!("{}/current/link", tag_folder(repo, tag))
}

fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&to).unwrap();
            copy_all(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
