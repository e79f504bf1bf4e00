//! What an archive has, whatever its form.

use std::collections::HashMap;

use anyhow::bail;
use boxyard_oci::Digest;
use bytes::Bytes;

use super::{docker, layout};
use crate::archive::{Archive, Piece};
use crate::image_name::Called;

/// The longest manifest: what registries take at most.
pub(super) const MANIFEST: u64 = 4 << 20;

/// What an archive has.
#[derive(Debug)]
pub(super) struct Stock {
    archive: Archive,
    /// What it lists as images.
    pub(super) listed: Vec<Listed>,
    /// Manifests that were made because the archive has none.
    pub(super) made: HashMap<Digest, Bytes>,
    /// Blobs that do not lie where an OCI layout has them.
    pub(super) elsewhere: HashMap<Digest, Piece>,
}

/// What an archive lists as an image.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) called: Called,
    pub(super) digest: Digest,
    pub(super) media_type: Option<String>,
}

impl Stock {
    /// Reads an OCI layout, or an archive of `docker save`.
    pub(super) fn read(archive: Archive, gzip: bool) -> anyhow::Result<Self> {
        let mut stock = Self {
            archive,
            listed: Vec::new(),
            made: HashMap::new(),
            elsewhere: HashMap::new(),
        };
        if stock.archive.find("index.json")?.is_some() {
            stock.listed = layout::read(&stock.archive)?;
        } else if stock.archive.find("manifest.json")?.is_some() {
            let images = docker::read(&stock.archive, gzip)?;
            for image in images {
                stock.made.insert(image.digest, image.payload);
                stock.elsewhere.extend(image.blobs);
                for called in image.called {
                    stock.listed.push(Listed {
                        called,
                        digest: image.digest,
                        media_type: Some(image.media_type.to_owned()),
                    });
                }
            }
        } else if stock.archive.find("repositories")?.is_some() {
            bail!("it was written by Docker before 1.10: load and save it with a newer one");
        } else {
            bail!(
                "it is neither an OCI layout, with an `index.json`, nor an archive of `docker save`, \
                 with a `manifest.json`"
            );
        }
        Ok(stock)
    }

    /// The bytes of a manifest.
    pub(super) fn manifest(&self, digest: &Digest) -> anyhow::Result<Option<Bytes>> {
        if let Some(made) = self.made.get(digest) {
            return Ok(Some(made.clone()));
        }
        let path = layout::path(digest);
        let read = self.archive.read(&path, MANIFEST)?;
        Ok(read.map(Bytes::from))
    }

    /// Where a blob is.
    pub(super) fn blob(&self, digest: &Digest) -> anyhow::Result<Option<Piece>> {
        match self.elsewhere.get(digest) {
            Some(piece) => Ok(Some(piece.clone())),
            None => self.archive.find(&layout::path(digest)),
        }
    }
}
