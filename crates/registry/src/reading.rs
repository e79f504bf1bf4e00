//! Reading single objects of the tree, with all the quirks that registries have left there.

use std::time::SystemTime;

use boxyard_blobs::{Folder, Link, LinkText, Tree};
use boxyard_meta::{Finding, FindingKind, LayerInTree, Reconcile};
use boxyard_oci::{Digest, Manifest, MediaType, RepoName, Tag};
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

/// What the tree says of a tag.
pub(crate) struct TagInTree {
    pub(crate) target: Option<Digest>,
    pub(crate) modified: Option<SystemTime>,
    pub(crate) finding: Option<Finding>,
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

/// Reads the tag's link in either tree; an unreadable one recovers from a sole entry of the tag's index.
pub(crate) fn read_tag(folder: &Folder, repo: &RepoName, tag: &Tag) -> std::io::Result<TagInTree> {
    let link = Link::TagCurrent { repo, tag };
    for tree in [Tree::Distribution, Tree::Own] {
        let modified = folder.link_modified(tree, &link)?;
        let (target, finding) = match folder.read_link(tree, &link)? {
            LinkText::Absent => continue,
            LinkText::To(digest) => (Some(digest), None),
            LinkText::Garbled => {
                let target = sole_index_entry(folder, repo, tag)?;
                (target, Some(garbled_tag(repo, tag, target.as_ref())))
            }
        };
        return Ok(TagInTree {
            target,
            modified,
            finding,
        });
    }
    Ok(TagInTree {
        target: None,
        modified: None,
        finding: None,
    })
}

fn sole_index_entry(
    folder: &Folder,
    repo: &RepoName,
    tag: &Tag,
) -> std::io::Result<Option<Digest>> {
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
    Finding {
        kind: FindingKind::LinkGarbled,
        repo: Some(repo.clone()),
        subject: tag.to_string(),
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
    Manifest(Box<Manifest>),
}

/// Reads a manifest by its revision link, by our own tree, or by the layer link that distribution 2.1.0 left instead.
pub(crate) fn read_revision(
    folder: &Folder,
    repo: &RepoName,
    digest: &Digest,
    seen: bool,
) -> std::io::Result<RevisionInTree> {
    let revision = Link::Revision { repo, digest };
    let mut media_type = None;
    let mut linked = folder.read_link(Tree::Distribution, &revision)?;
    let mut only_layer = false;
    if linked == LinkText::Absent {
        linked = folder.read_link(Tree::Own, &revision)?;
        media_type = folder.read_media_type(repo, digest)?;
    }
    if linked == LinkText::Absent {
        linked = folder.read_link(Tree::Distribution, &Link::Layer { repo, digest })?;
        only_layer = true;
    }
    match linked {
        LinkText::Absent => Ok(RevisionInTree::Absent),
        LinkText::To(target) if target == *digest && seen => Ok(RevisionInTree::Unchanged),
        LinkText::To(target) if target == *digest => {
            read_manifest(folder, digest, media_type.as_deref(), only_layer)
        }
        _ if only_layer => Ok(RevisionInTree::Absent),
        LinkText::To(target) => Ok(RevisionInTree::Bad(format!("its link names {target}"))),
        LinkText::Garbled => Ok(RevisionInTree::Bad("its link is unreadable".to_owned())),
    }
}

fn read_manifest(
    folder: &Folder,
    digest: &Digest,
    media_type: Option<&str>,
    only_layer: bool,
) -> std::io::Result<RevisionInTree> {
    let payload = match folder.blob_size(digest)? {
        Some(size) if size <= ADOPTED_MANIFEST_BYTES => folder.read_blob(digest, size)?,
        Some(_) if only_layer => return Ok(RevisionInTree::Absent),
        Some(size) => return Ok(RevisionInTree::Bad(format!("it has {size} bytes"))),
        None => None,
    };
    let Some(payload) = payload else {
        return Ok(if only_layer {
            RevisionInTree::Absent
        } else {
            RevisionInTree::Bad("its file is missing".to_owned())
        });
    };
    let media_type = media_type.and_then(|text| text.parse::<MediaType>().ok());
    match Manifest::adopt(Bytes::from(payload), media_type.as_ref(), *digest) {
        Ok(manifest) if only_layer && !manifest.distribution_expresses() => {
            Ok(RevisionInTree::Absent)
        }
        Ok(manifest) => Ok(RevisionInTree::Manifest(Box::new(manifest))),
        Err(_) if only_layer => Ok(RevisionInTree::Absent),
        Err(error) => Ok(RevisionInTree::Bad(error.to_string())),
    }
}

/// Reads a layer link; a link whose bytes are not there counts as absent, so that a push heals it.
pub(crate) fn read_layer(
    folder: &Folder,
    repo: &RepoName,
    digest: &Digest,
) -> std::io::Result<Option<LayerInTree>> {
    let LinkText::To(target) =
        folder.read_link(Tree::Distribution, &Link::Layer { repo, digest })?
    else {
        return Ok(None);
    };
    let size = folder.blob_size(&target)?;
    Ok(size.map(|size| LayerInTree { target, size }))
}

/// A blob, the bytes that its descriptor declares, those that it has, and whether its content is intact.
pub(crate) type WrongSize = (Digest, u64, u64, bool);

pub(crate) fn wrong_sizes(folder: &Folder, manifest: &Manifest) -> std::io::Result<Vec<WrongSize>> {
    let mut wrong = Vec::new();
    for edge in manifest.edges() {
        let (Some(declared), Some(actual)) = (edge.size, folder.blob_size(&edge.digest)?) else {
            continue;
        };
        if declared != actual {
            let intact = folder.hash_blob(&edge.digest)? == Some(edge.digest);
            wrong.push((edge.digest, declared, actual, intact));
        }
    }
    Ok(wrong)
}
