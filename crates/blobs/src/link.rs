//! Links: small files that hold a digest and nothing else.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use boxyard_oci::{Digest, RepoName, Tag};

use crate::action::Action;
use crate::folder::Folder;
use crate::layout::{Layout, Tree};
use crate::look;

/// No digest is longer; a link that is longer is none.
const LONGEST: u64 = 256;

/// The folder of what a tag names now.
const CURRENT: &str = "current";

/// The file of any link.
const LINK: &str = "link";

/// No media type that we write is longer.
const LONGEST_MEDIA_TYPE: u64 = 1024;

/// The name of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link<'a> {
    /// The repository holds the blob.
    Layer {
        /// The repository.
        repo: &'a RepoName,
        /// The digest that the blob is asked for by.
        digest: &'a Digest,
    },
    /// The repository holds the manifest.
    Revision {
        /// The repository.
        repo: &'a RepoName,
        /// The manifest.
        digest: &'a Digest,
    },
    /// What the tag names.
    TagCurrent {
        /// The repository.
        repo: &'a RepoName,
        /// The tag.
        tag: &'a Tag,
    },
    /// The tag has named the manifest, and perhaps still does.
    TagIndex {
        /// The repository.
        repo: &'a RepoName,
        /// The tag.
        tag: &'a Tag,
        /// The manifest.
        digest: &'a Digest,
    },
}

/// What a link says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkText {
    /// There is no link.
    Absent,
    /// There is one, and it holds something else than a digest that we know how to check.
    Garbled,
    /// It leads to this digest.
    To(Digest),
}

impl Link<'_> {
    pub(crate) fn path(&self, layout: &Layout, tree: Tree) -> PathBuf {
        let folder = match self {
            Self::Layer { repo, digest } => layout.layer(tree, repo, digest),
            Self::Revision { repo, digest } => layout.revision(tree, repo, digest),
            Self::TagCurrent { repo, tag } => layout.tag(tree, repo, tag).join(CURRENT),
            Self::TagIndex { repo, tag, digest } => layout.tag_index_entry(tree, repo, tag, digest),
        };
        folder.join(LINK)
    }
}

impl Folder {
    /// Reads a link.
    pub fn read_link(&self, tree: Tree, link: &Link<'_>) -> io::Result<LinkText> {
        let path = link.path(&self.inner.layout, tree);
        let text = self.timed(Action::GetContent, || look::read_bounded(&path, LONGEST))?;
        Ok(text.map_or(LinkText::Absent, |text| parse(&text)))
    }

    /// When a link was last written.
    pub fn link_modified(&self, tree: Tree, link: &Link<'_>) -> io::Result<Option<SystemTime>> {
        let path = link.path(&self.inner.layout, tree);
        self.timed(Action::Stat, || look::file_modified(&path))
    }

    /// The media type recorded for a manifest whose payload does not tell it.
    pub fn read_media_type(&self, repo: &RepoName, digest: &Digest) -> io::Result<Option<String>> {
        let path = self.inner.layout.media_type(repo, digest);
        let text = self.timed(Action::GetContent, || {
            look::read_bounded(&path, LONGEST_MEDIA_TYPE)
        })?;
        let text = text.filter(|text| text.len() as u64 <= LONGEST_MEDIA_TYPE);
        Ok(text.and_then(|text| String::from_utf8(text).ok()))
    }
}

/// The links of one kind in a repository, below their folder, which is open.
///
/// From the root down a link has a dozen components, and the kernel looks at each; of many links in one folder that is most of what they cost.
#[derive(Debug)]
pub struct Links {
    folder: Folder,
    path: PathBuf,
    fd: OwnedFd,
}

impl Folder {
    /// Opens the folder of a repository's tags; none where there is no such folder.
    pub fn tag_links(&self, tree: Tree, repo: &RepoName) -> io::Result<Option<Links>> {
        self.links(self.inner.layout.tags(tree, repo))
    }

    fn links(&self, path: PathBuf) -> io::Result<Option<Links>> {
        let opened = look::open_folder(&path)?;
        Ok(opened.map(|fd| Links {
            folder: self.clone(),
            path,
            fd,
        }))
    }
}

impl Links {
    /// Reads what a tag names, and when that was written.
    pub fn tag(&self, tag: &Tag) -> io::Result<(LinkText, Option<SystemTime>)> {
        let below = Path::new(tag.as_str()).join(CURRENT).join(LINK);
        let read = || look::read_below(self.fd.as_fd(), &self.path, &below, LONGEST);
        let read = self.folder.timed(Action::GetContent, read)?;
        Ok(read.map_or((LinkText::Absent, None), |(text, modified)| {
            (parse(&text), modified)
        }))
    }
}

fn parse(text: &[u8]) -> LinkText {
    let digest = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok());
    digest.map_or(LinkText::Garbled, LinkText::To)
}
