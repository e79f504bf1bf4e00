//! What goes where: every repository with its blobs, manifests and tags, all of which are there.

mod walk;

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, bail, ensure};
use boxyard_oci::{Digest, EdgeKind, Kind, Manifest, MediaType, RepoName, Tag};
use bytes::Bytes;
use serde_json::Value;

use super::names::{self, Named};
use super::stock::{Listed, Stock};
use crate::archive::Piece;
use crate::image_name::Target;
use crate::platform::{self, Platform};
use walk::Walk;

/// The longest configuration that is looked at for its platform.
const CONFIG: u64 = 8 << 20;

/// What goes where.
#[derive(Debug)]
pub(super) struct Plan {
    stock: Stock,
    pub(super) bundles: Vec<Bundle>,
    /// What the person should know.
    pub(super) notes: Vec<String>,
}

/// What goes into one repository.
#[derive(Debug)]
pub(super) struct Bundle {
    pub(super) repo: RepoName,
    pub(super) blobs: Vec<(Digest, Piece)>,
    /// Each after what it names, with its media type.
    pub(super) manifests: Vec<(Digest, String)>,
    pub(super) tags: Vec<(Tag, Digest)>,
}

impl Plan {
    /// Finds everything that the named images need.
    pub(super) fn make(
        stock: Stock,
        target: Option<&Target>,
        platform: Option<&Platform>,
    ) -> anyhow::Result<Self> {
        let Named { tags, nameless } = names::name(&stock.listed, target)?;
        let mut notes = Vec::new();
        let mut repositories: BTreeMap<RepoName, Vec<(Tag, Digest)>> = BTreeMap::new();
        for (repo, tag, digest) in tags {
            let digest = image_for(&stock, &digest, platform, &mut notes)
                .with_context(|| format!("look at `{repo}:{tag}`"))?;
            repositories.entry(repo).or_default().push((tag, digest));
        }
        let mut used = HashSet::new();
        let mut elsewhere = HashSet::new();
        let mut bundles = Vec::new();
        for (repo, tags) in repositories {
            let mut walk = Walk::new(&stock);
            for (tag, digest) in &tags {
                let walked = walk.all(*digest);
                walked.with_context(|| format!("look at `{repo}:{tag}`"))?;
            }
            walk.referrers(&nameless)?;
            used.extend(walk.digests());
            let (blobs, manifests, absent) = walk.end();
            elsewhere.extend(absent);
            bundles.push(Bundle {
                repo,
                blobs,
                manifests,
                tags,
            });
        }
        let left = nameless.iter().filter(|digest| !used.contains(*digest));
        notes.extend(note(left.count(), "images have no name and are left out"));
        notes.extend(note(
            elsewhere.len(),
            "layers are fetched from elsewhere and are not in the archive",
        ));
        Ok(Self {
            stock,
            bundles,
            notes,
        })
    }

    /// The bytes of a manifest that was found.
    pub(super) fn manifest(&self, digest: &Digest) -> anyhow::Result<Bytes> {
        let found = self.stock.manifest(digest)?;
        found.with_context(|| format!("the manifest {digest} has gone"))
    }

    /// The tags in their order.
    pub(super) fn tags(&self) -> impl Iterator<Item = (&RepoName, &Tag, &Digest)> {
        self.bundles.iter().flat_map(|bundle| {
            let tags = bundle.tags.iter();
            tags.map(|(tag, digest)| (&bundle.repo, tag, digest))
        })
    }
}

fn note(count: usize, what: &str) -> Option<String> {
    (count > 0).then(|| format!("{count} {what}"))
}

/// The manifest that is meant by an image: of an index perhaps the one for a platform.
fn image_for(
    stock: &Stock,
    digest: &Digest,
    wanted: Option<&Platform>,
    notes: &mut Vec<String>,
) -> anyhow::Result<Digest> {
    let manifest = read(stock, digest)?;
    if manifest.kind() != Kind::Index {
        if let Some(wanted) = wanted {
            check_platform(stock, &manifest, wanted)?;
        }
        return Ok(*digest);
    }
    let images = platform::images(manifest.payload());
    if let Some(wanted) = wanted {
        let chosen = platform::choose(&images, wanted);
        return chosen.with_context(|| {
            let names = platform::names(&images);
            format!("it has no image for {wanted}, but for {names}")
        });
    }
    let edges = manifest.edges().iter();
    let mut missing = 0;
    for edge in edges.filter(|edge| edge.kind == EdgeKind::Child) {
        missing += usize::from(stock.blob(&edge.digest)?.is_none());
    }
    if missing == 0 {
        return Ok(*digest);
    }
    // Engines save the index of which they have pulled the image of their own machine alone.
    let mut present = Vec::new();
    for image in images {
        if stock.blob(&image.digest)?.is_some() {
            present.push(image);
        }
    }
    let names = platform::names(&present);
    match present.as_slice() {
        [only] => {
            notes.push(format!(
                "of an image for several platforms, the archive has that for {names}, which is taken"
            ));
            Ok(only.digest)
        }
        [] => bail!("the index {digest} names images of which the archive has none"),
        _ => bail!(
            "the index {digest} names {missing} manifests that the archive does not have: \
             import one by `--platform`; there are {names}"
        ),
    }
}

/// Fails where an image is said by its configuration to be for another platform.
fn check_platform(stock: &Stock, manifest: &Manifest, wanted: &Platform) -> anyhow::Result<()> {
    let mut edges = manifest.edges().iter();
    let config = edges.find(|edge| edge.kind == EdgeKind::Config);
    let config = config.map(|edge| stock.blob(&edge.digest)).transpose()?;
    let Some(config) = config.flatten() else {
        return Ok(());
    };
    let config: Value = serde_json::from_slice(&config.read(CONFIG)?).unwrap_or_default();
    let is: Option<Platform> = serde_json::from_value(config).ok();
    if let Some(is) = is {
        ensure!(is.is(wanted), "it is an image for {is}, not for {wanted}");
    }
    Ok(())
}

/// A manifest of the archive.
fn read(stock: &Stock, digest: &Digest) -> anyhow::Result<Manifest> {
    let payload = stock.manifest(digest)?;
    let payload = payload.with_context(|| format!("the manifest {digest} is missing"))?;
    let listed = stock.listed.iter().find(|image| image.digest == *digest);
    let media_type: Option<MediaType> = listed.and_then(media_type);
    let read = Manifest::adopt(payload, media_type.as_ref(), *digest);
    read.with_context(|| format!("read the manifest {digest}"))
}

fn media_type(listed: &Listed) -> Option<MediaType> {
    listed.media_type.as_deref()?.parse().ok()
}
