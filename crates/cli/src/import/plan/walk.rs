//! Everything that images need, found in the archive.

use std::collections::HashSet;

use anyhow::{Context, bail, ensure};
use boxyard_oci::{Digest, Edge, EdgeKind, Kind, Manifest};

use super::super::stock::{MANIFEST, Stock};
use super::read;
use crate::archive::Piece;

/// What was found: blobs, manifests with their media types, and what lies elsewhere.
type Found = (Vec<(Digest, Piece)>, Vec<(Digest, String)>, HashSet<Digest>);

/// What was found so far for one repository.
pub(super) struct Walk<'a> {
    stock: &'a Stock,
    done: HashSet<Digest>,
    seen: HashSet<Digest>,
    blobs: Vec<(Digest, Piece)>,
    manifests: Vec<(Digest, String)>,
    elsewhere: HashSet<Digest>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(stock: &'a Stock) -> Self {
        Self {
            stock,
            done: HashSet::new(),
            seen: HashSet::new(),
            blobs: Vec::new(),
            manifests: Vec::new(),
            elsewhere: HashSet::new(),
        }
    }

    /// The manifests that were found.
    pub(super) fn digests(&self) -> impl Iterator<Item = Digest> {
        self.done.iter().copied()
    }

    pub(super) fn end(self) -> Found {
        (self.blobs, self.manifests, self.elsewhere)
    }

    /// Takes a manifest with all that it needs, each after what it names.
    pub(super) fn all(&mut self, top: Digest) -> anyhow::Result<()> {
        // A stack instead of a recursion; what has been opened is closed when it comes up again.
        let mut stack = vec![(top, false)];
        let mut open = HashSet::new();
        while let Some((digest, is_open)) = stack.pop() {
            if self.done.contains(&digest) {
                continue;
            }
            let manifest = read(self.stock, &digest)?;
            if is_open {
                self.done.insert(digest);
                let media_type = manifest.media_type().to_string();
                self.manifests.push((digest, media_type));
                continue;
            }
            ensure!(open.insert(digest), "the index {digest} names itself");
            stack.push((digest, true));
            let children = self.needs(&manifest)?;
            stack.extend(children.into_iter().map(|child| (child, false)));
        }
        Ok(())
    }

    /// Takes what refers to what was taken, and what refers to that.
    pub(super) fn referrers(&mut self, nameless: &[Digest]) -> anyhow::Result<()> {
        loop {
            let before = self.done.len();
            for digest in nameless {
                if self.done.contains(digest) {
                    continue;
                }
                let subject = read(self.stock, digest)?.subject();
                if subject.is_some_and(|subject| self.done.contains(&subject)) {
                    self.all(*digest)?;
                }
            }
            if self.done.len() == before {
                return Ok(());
            }
        }
    }

    /// Takes the blobs of a manifest, and answers the manifests that it names.
    fn needs(&mut self, manifest: &Manifest) -> anyhow::Result<Vec<Digest>> {
        let mut children = Vec::new();
        for edge in manifest.edges() {
            if edge.kind == EdgeKind::Subject {
                continue;
            }
            let Some(piece) = self.stock.blob(&edge.digest)? else {
                self.miss(edge, manifest)?;
                continue;
            };
            if let Some(size) = edge.size {
                ensure!(
                    piece.size() == size,
                    "{} has {} bytes, but the manifest {} says {size}",
                    piece.place(),
                    piece.size(),
                    manifest.digest()
                );
            }
            if is_manifest(edge, &piece) {
                children.push(edge.digest);
            } else if self.seen.insert(edge.digest) {
                self.blobs.push((edge.digest, piece));
            }
        }
        Ok(children)
    }

    fn miss(&mut self, edge: &Edge, manifest: &Manifest) -> anyhow::Result<()> {
        if !edge.optional {
            bail!(
                "{} is missing, which the manifest {} names",
                edge.digest,
                manifest.digest()
            );
        }
        if edge.kind == EdgeKind::Layer {
            self.elsewhere.insert(edge.digest);
        }
        Ok(())
    }
}

/// Whether what is named is a manifest; where the document does not tell, its content does.
fn is_manifest(edge: &Edge, piece: &Piece) -> bool {
    match edge.kind {
        EdgeKind::Child => true,
        EdgeKind::Unknown => {
            let bytes = piece.read(MANIFEST).context("read it");
            let read = bytes.map(|bytes| Manifest::adopt(bytes.into(), None, edge.digest));
            matches!(read, Ok(Ok(manifest)) if matches!(manifest.kind(), Kind::Image | Kind::Index))
        }
        EdgeKind::Config | EdgeKind::Layer | EdgeKind::Subject => false,
    }
}
