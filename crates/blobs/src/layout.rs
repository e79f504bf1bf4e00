//! Where everything lies. Names reach a path only as types that cannot climb out of their folder.

use std::io;
use std::path::{Path, PathBuf};

use boxyard_oci::{Algorithm, Digest, RepoName, Tag};

use crate::session::UploadId;

/// The algorithms whose blobs are stored, in the order of their names.
pub(crate) const ALGORITHMS: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Sha512];

/// The folders that a repository consists of.
pub(crate) const LAYERS: &str = "_layers";
pub(crate) const MANIFESTS: &str = "_manifests";
pub(crate) const UPLOADS: &str = "_uploads";

/// Which of the two trees of repositories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tree {
    /// `docker/registry/v2/repositories`, which distribution reads and writes too.
    Distribution,
    /// `boxyard/repositories`, for what distribution cannot express; it ignores that folder.
    Own,
}

/// The paths of one storage folder, with symbolic links above the trees resolved.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) root: PathBuf,
    pub(crate) own: PathBuf,
    pub(crate) blobs: PathBuf,
    repositories: PathBuf,
    own_repositories: PathBuf,
}

impl Layout {
    /// The folders of the layout that must be there, below `root`.
    pub(crate) fn folders(root: &Path) -> [PathBuf; 4] {
        let v2 = root.join("docker").join("registry").join("v2");
        let own = root.join("boxyard");
        let own_repositories = own.join("repositories");
        [
            v2.join("blobs"),
            v2.join("repositories"),
            own,
            own_repositories,
        ]
    }

    /// The layout of a root whose folders exist.
    pub(crate) fn resolve(root: &Path) -> io::Result<Self> {
        let [blobs, repositories, own, own_repositories] = Self::folders(root);
        Ok(Self {
            root: root.canonicalize()?,
            own: own.canonicalize()?,
            blobs: blobs.canonicalize()?,
            repositories: repositories.canonicalize()?,
            own_repositories: own_repositories.canonicalize()?,
        })
    }

    /// The folders that are there as long as the process runs.
    pub(crate) fn anchors(&self) -> Vec<PathBuf> {
        let trees = [&self.blobs, &self.repositories, &self.own_repositories];
        trees.into_iter().chain([&self.own]).cloned().collect()
    }

    pub(crate) fn repositories(&self, tree: Tree) -> &Path {
        match tree {
            Tree::Distribution => &self.repositories,
            Tree::Own => &self.own_repositories,
        }
    }

    pub(crate) fn repository(&self, tree: Tree, repo: &RepoName) -> PathBuf {
        self.repositories(tree).join(repo.as_str())
    }

    /// The folder of a blob's file and nothing else.
    pub(crate) fn blob_folder(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.blob_prefix(digest.algorithm(), &hex[..2]).join(hex)
    }

    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        self.blob_folder(digest).join("data")
    }

    /// The folder of all blobs whose digests begin alike.
    pub(crate) fn blob_prefix(&self, algorithm: Algorithm, prefix: &str) -> PathBuf {
        self.blobs.join(algorithm.as_str()).join(prefix)
    }

    pub(crate) fn layers(&self, tree: Tree, repo: &RepoName) -> PathBuf {
        self.repository(tree, repo).join(LAYERS)
    }

    pub(crate) fn revisions(&self, tree: Tree, repo: &RepoName) -> PathBuf {
        self.repository(tree, repo)
            .join(MANIFESTS)
            .join("revisions")
    }

    pub(crate) fn tags(&self, tree: Tree, repo: &RepoName) -> PathBuf {
        self.repository(tree, repo).join(MANIFESTS).join("tags")
    }

    pub(crate) fn layer(&self, tree: Tree, repo: &RepoName, digest: &Digest) -> PathBuf {
        below(&self.layers(tree, repo), digest)
    }

    pub(crate) fn revision(&self, tree: Tree, repo: &RepoName, digest: &Digest) -> PathBuf {
        below(&self.revisions(tree, repo), digest)
    }

    pub(crate) fn media_type(&self, repo: &RepoName, digest: &Digest) -> PathBuf {
        self.revision(Tree::Own, repo, digest).join("mediatype")
    }

    pub(crate) fn tag(&self, tree: Tree, repo: &RepoName, tag: &Tag) -> PathBuf {
        self.tags(tree, repo).join(tag.as_str())
    }

    pub(crate) fn tag_index(&self, tree: Tree, repo: &RepoName, tag: &Tag) -> PathBuf {
        self.tag(tree, repo, tag).join("index")
    }

    pub(crate) fn tag_index_entry(
        &self,
        tree: Tree,
        repo: &RepoName,
        tag: &Tag,
        digest: &Digest,
    ) -> PathBuf {
        below(&self.tag_index(tree, repo, tag), digest)
    }

    pub(crate) fn uploads(&self, repo: &RepoName) -> PathBuf {
        self.repository(Tree::Distribution, repo).join(UPLOADS)
    }

    pub(crate) fn upload(&self, repo: &RepoName, id: &UploadId) -> PathBuf {
        self.uploads(repo).join(id.as_str())
    }

    /// Where it is written down what uploads in memory hold.
    pub(crate) fn young(&self) -> PathBuf {
        self.own.join("uploads")
    }

    pub(crate) fn intents(&self, algorithm: Algorithm) -> PathBuf {
        self.own.join("intents").join(algorithm.as_str())
    }

    pub(crate) fn intent(&self, digest: &Digest) -> PathBuf {
        self.intents(digest.algorithm()).join(digest.hex())
    }
}

fn below(folder: &Path, digest: &Digest) -> PathBuf {
    folder.join(digest.algorithm().as_str()).join(digest.hex())
}
