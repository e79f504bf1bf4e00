//! Reading single objects of the tree, with all the quirks that registries have left there.

use std::io::{self, Read};
use std::time::SystemTime;

use boxyard_blobs::{Folder, Link, LinkText, Links, Tree};
use boxyard_meta::{Finding, FindingKind, LayerInTree, Reconcile};
use boxyard_oci::{Digest, Kind, Manifest, MediaType, RepoName, Tag};
use bytes::Bytes;

/// The largest manifest that is taken over from a tree, in bytes; distribution takes no larger one.
const ADOPTED_MANIFEST_BYTES: u64 = 4 << 20;

pub(crate) fn bad_manifest(repo: &RepoName, digest: &Digest, detail: String) -> Finding {
    Finding {
        kind: FindingKind::ManifestUnreadable,
        repo: Some(repo.clone()),
        subject: digest.to_string(),
        detail,
    }
}

/// A manifest whose descriptor of `blob` has another size than its intact bytes.
pub(crate) fn lying_size(repo: &RepoName, digest: &Digest, wrong: &WrongSize) -> Finding {
    let WrongSize {
        digest: blob,
        declared,
        actual,
        ..
    } = wrong;
    Finding {
        kind: FindingKind::BlobSize,
        repo: Some(repo.clone()),
        subject: digest.to_string(),
        detail: format!("it says that {blob} has {declared} bytes, but the blob has {actual}"),
    }
}

/// What the tree says of a tag.
#[derive(Default)]
pub(crate) struct TagInTree {
    pub(crate) target: Option<Digest>,
    pub(crate) modified: Option<SystemTime>,
    pub(crate) finding: Option<Finding>,
    /// Another registry has made a tag of the same name, without knowing of ours in our own tree.
    pub(crate) hides_ours: bool,
}

impl TagInTree {
    /// What the database must do about the tag, which named `seen` there before the tree was read.
    pub(crate) fn change(
        &self,
        repo: &RepoName,
        tag: &Tag,
        seen: Option<Digest>,
    ) -> Option<Reconcile> {
        (seen != self.target).then(|| Reconcile::Tag {
            repo: repo.clone(),
            tag: tag.clone(),
            seen,
            tree: self.target,
            modified: self.modified,
        })
    }
}

/// The tags of a repository in both trees, whose folders are open.
pub(crate) struct TagsInTree<'a> {
    folder: &'a Folder,
    repo: &'a RepoName,
    theirs: Option<Links>,
    ours: Option<Links>,
}

impl<'a> TagsInTree<'a> {
    pub(crate) fn open(folder: &'a Folder, repo: &'a RepoName) -> io::Result<Self> {
        Ok(Self {
            folder,
            repo,
            theirs: folder.tag_links(Tree::Distribution, repo)?,
            ours: folder.tag_links(Tree::Own, repo)?,
        })
    }

    /// Reads the tag's link in either tree; an unreadable one recovers from a sole entry of the tag's index.
    pub(crate) fn read(&self, tag: &Tag) -> io::Result<TagInTree> {
        let read = |links: &Option<Links>| match links {
            Some(links) => links.tag(tag),
            None => Ok((LinkText::Absent, None)),
        };
        let (theirs, ours) = (read(&self.theirs)?, read(&self.ours)?);
        let both = theirs.0 != LinkText::Absent && ours.0 != LinkText::Absent;
        let (text, modified) = match theirs {
            (LinkText::Absent, _) => ours,
            theirs => theirs,
        };
        let (target, finding) = match text {
            LinkText::Absent => return Ok(TagInTree::default()),
            LinkText::To(digest) => (Some(digest), None),
            LinkText::Garbled => {
                let target = sole_index_entry(self.folder, self.repo, tag)?;
                (target, Some(garbled_tag(self.repo, tag, target.as_ref())))
            }
        };
        Ok(TagInTree {
            target,
            modified,
            finding,
            hides_ours: both,
        })
    }
}

fn sole_index_entry(folder: &Folder, repo: &RepoName, tag: &Tag) -> io::Result<Option<Digest>> {
    match folder.tag_index(repo, tag)?.as_slice() {
        [sole] => Ok(Some(*sole)),
        _ => Ok(None),
    }
}

fn garbled_tag(repo: &RepoName, tag: &Tag, recovered: Option<&Digest>) -> Finding {
    let detail = match recovered {
        Some(digest) => {
            format!("its link is unreadable; its index names {digest} alone, which is served")
        }
        None => "its link is unreadable, and its index does not name one manifest alone".to_owned(),
    };
    garbled(repo, tag.to_string(), detail)
}

fn garbled(repo: &RepoName, subject: String, detail: String) -> Finding {
    Finding {
        kind: FindingKind::LinkGarbled,
        repo: Some(repo.clone()),
        subject,
        detail,
    }
}

/// What the tree says of a manifest.
pub(crate) enum RevisionInTree {
    /// It is linked, and the database has it; content of one digest does not change.
    Unchanged,
    Absent,
    /// It is linked, but cannot be served.
    Bad(String),
    Manifest(Box<Manifest>, Option<SystemTime>),
}

/// Reads a manifest by its revision link in either tree; `seen` says that the database has it.
pub(crate) fn read_revision(
    folder: &Folder,
    repo: &RepoName,
    digest: &Digest,
    seen: bool,
) -> io::Result<RevisionInTree> {
    let link = Link::Revision { repo, digest };
    for tree in [Tree::Distribution, Tree::Own] {
        return match folder.read_link(tree, &link)? {
            LinkText::Absent => continue,
            LinkText::Garbled => Ok(RevisionInTree::Bad("its link is unreadable".to_owned())),
            LinkText::To(target) if target != *digest => {
                Ok(RevisionInTree::Bad(format!("its link names {target}")))
            }
            // The collector of another registry does not know our own links, and takes the files behind them.
            LinkText::To(_)
                if seen && (tree == Tree::Distribution || has_file(folder, digest)?) =>
            {
                Ok(RevisionInTree::Unchanged)
            }
            LinkText::To(_) => read_manifest(folder, repo, digest, tree),
        };
    }
    // Where distribution 2.1.0 has left a manifest, which was found along with the layers.
    let layer = Link::Layer { repo, digest };
    if seen && folder.read_link(Tree::Distribution, &layer)? == LinkText::To(*digest) {
        return Ok(RevisionInTree::Unchanged);
    }
    Ok(RevisionInTree::Absent)
}

fn has_file(folder: &Folder, digest: &Digest) -> io::Result<bool> {
    Ok(folder.blob_size(digest)?.is_some())
}

fn read_manifest(
    folder: &Folder,
    repo: &RepoName,
    digest: &Digest,
    tree: Tree,
) -> io::Result<RevisionInTree> {
    let payload = match folder.blob_size(digest)? {
        None => None,
        Some(size) if size <= ADOPTED_MANIFEST_BYTES => folder.read_blob(digest, size)?,
        Some(size) => return Ok(RevisionInTree::Bad(format!("it has {size} bytes"))),
    };
    let Some(payload) = payload else {
        return Ok(RevisionInTree::Bad("its file is missing".to_owned()));
    };
    let media_type = match tree {
        Tree::Distribution => None,
        Tree::Own => folder.read_media_type(repo, digest)?,
    };
    let media_type = media_type.and_then(|text| text.parse::<MediaType>().ok());
    let manifest = Manifest::adopt(Bytes::from(payload), media_type.as_ref(), *digest);
    Ok(match manifest {
        Ok(manifest) => {
            let modified = folder.link_modified(tree, &Link::Revision { repo, digest })?;
            RevisionInTree::Manifest(Box::new(manifest), modified)
        }
        Err(error) => RevisionInTree::Bad(error.to_string()),
    })
}

/// What the tree says of a layer link.
#[derive(Default)]
pub(crate) struct LinkInTree {
    /// Where it leads; none if those bytes are not there, so that a push heals it.
    pub(crate) layer: Option<LayerInTree>,
    pub(crate) finding: Option<Finding>,
    /// The manifest that it leads to, where it was not `seen` before.
    pub(crate) manifest: Option<Box<Manifest>>,
}

/// Reads a layer link; `seen` says that the database has it.
pub(crate) fn read_layer(
    folder: &Folder,
    repo: &RepoName,
    digest: &Digest,
    seen: bool,
) -> io::Result<LinkInTree> {
    let mut found = LinkInTree::default();
    match folder.read_link(Tree::Distribution, &Link::Layer { repo, digest })? {
        LinkText::Absent => {}
        LinkText::Garbled => {
            let detail = "the link to this blob is unreadable; push the blob again to heal it";
            found.finding = Some(garbled(repo, digest.to_string(), detail.to_owned()));
        }
        LinkText::To(target) => {
            let size = folder.blob_size(&target)?;
            found.layer = size.map(|size| LayerInTree { target, size });
            if !seen && size.is_some_and(|size| size <= ADOPTED_MANIFEST_BYTES) {
                found.manifest = manifest_among_layers(folder, digest)?;
            }
        }
    }
    Ok(found)
}

/// Distribution 2.1.0 linked manifests as if they were layers, and its successors serve them.
fn manifest_among_layers(folder: &Folder, digest: &Digest) -> io::Result<Option<Box<Manifest>>> {
    let Some(mut file) = folder.open_blob(digest)? else {
        return Ok(None);
    };
    // Of a layer, the first byte tells.
    let mut first = [0];
    if file.read(&mut first)? == 0 || first != *b"{" {
        return Ok(None);
    }
    let payload = folder.read_blob(digest, ADOPTED_MANIFEST_BYTES)?;
    let manifest = Manifest::adopt(payload.unwrap_or_default().into(), None, *digest);
    let manifest = manifest.ok().filter(|manifest| {
        let old = manifest.kind() == Kind::Schema1 && !manifest.edges().is_empty();
        old || manifest.distribution_expresses()
    });
    Ok(manifest.map(Box::new))
}

/// A blob whose file has another size than a manifest says.
pub(crate) struct WrongSize {
    pub(crate) digest: Digest,
    /// Bytes by the descriptor.
    pub(crate) declared: u64,
    /// Bytes of the file.
    pub(crate) actual: u64,
    /// Whether the file is what its digest says, so that the manifest is wrong.
    pub(crate) intact: bool,
}

pub(crate) fn wrong_sizes(folder: &Folder, manifest: &Manifest) -> io::Result<Vec<WrongSize>> {
    let mut wrong = Vec::new();
    for edge in manifest.edges() {
        let (Some(declared), Some(actual)) = (edge.size, folder.blob_size(&edge.digest)?) else {
            continue;
        };
        if declared != actual {
            wrong.push(WrongSize {
                digest: edge.digest,
                declared,
                actual,
                intact: folder.hash_blob(&edge.digest)? == Some(edge.digest),
            });
        }
    }
    Ok(wrong)
}
