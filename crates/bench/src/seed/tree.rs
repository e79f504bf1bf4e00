//! A folder as distribution lays it, written file by file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cases::content::{Content, Small};

/// The folder of a registry.
pub(crate) struct Tree(PathBuf);

impl Tree {
    pub(crate) fn of(root: &Path) -> Self {
        Self(root.join("docker/registry/v2"))
    }

    /// Stores an image in a repository, without a tag.
    pub(crate) fn image(&self, repo: &str, image: &Small) -> Result<()> {
        for blob in &image.blobs {
            self.blob(blob)?;
            let layers = self.repository(repo).join("_layers");
            link(&layers.join(split(&blob.digest)), &blob.digest)?;
        }
        self.blob(&image.manifest)?;
        let digest = &image.manifest.digest;
        let revisions = self.repository(repo).join("_manifests/revisions");
        link(&revisions.join(split(digest)), digest)
    }

    pub(crate) fn tag(&self, repo: &str, tag: &str, image: &Small) -> Result<()> {
        let digest = &image.manifest.digest;
        let folder = self.repository(repo).join("_manifests/tags").join(tag);
        link(&folder.join("current"), digest)?;
        link(&folder.join("index").join(split(digest)), digest)
    }

    /// The file of a blob.
    pub(crate) fn data(&self, content: &Content) -> Result<PathBuf> {
        let (_, hex) = content
            .digest
            .split_once(':')
            .context("a digest has two parts")?;
        let folder = self.0.join("blobs/sha256").join(&hex[..2]).join(hex);
        Ok(folder.join("data"))
    }

    fn blob(&self, content: &Content) -> Result<()> {
        write(&self.data(content)?, &content.bytes)
    }

    fn repository(&self, repo: &str) -> PathBuf {
        self.0.join("repositories").join(repo)
    }
}

/// So many tags of so many images in one repository.
pub(crate) fn tags(root: &Path, repo: &str, tags: u32, images: u32) -> Result<()> {
    let tree = Tree::of(root);
    let images: Vec<Small> = (0..images).map(|seed| Small::of(seed.into())).collect();
    for image in &images {
        tree.image(repo, image)?;
    }
    for (number, image) in (0..tags).zip(images.iter().cycle()) {
        tree.tag(repo, &format!("tag-{number:06}"), image)?;
    }
    Ok(())
}

fn split(digest: &str) -> String {
    digest.replace(':', "/")
}

fn link(folder: &Path, digest: &str) -> Result<()> {
    write(&folder.join("link"), digest.as_bytes())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().context("a file is in a folder")?;
    fs::create_dir_all(folder).context("make a folder of the tree")?;
    fs::write(path, bytes).context("write a file of the tree")
}
