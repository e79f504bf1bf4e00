//! Archives of `docker save`: `manifest.json` lists configurations and layers, and has no manifests.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{BufWriter, Read};
use std::rc::Rc;

use anyhow::{Context, bail, ensure};
use boxyard_oci::{Algorithm, Digest};
use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use indicatif::ProgressBar;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::archive::{Archive, Counted, Piece, check};
use crate::image_name::Called;
use crate::progress;

/// The longest `manifest.json`: some ten thousand images.
const LONGEST: u64 = 16 << 20;
/// The longest configuration of an image.
const CONFIG: u64 = 8 << 20;
/// How many bytes are hashed in one go.
const PIECE: usize = 1 << 20;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG_TYPE: &str = "application/vnd.docker.container.image.v1+json";
const PLAIN: &str = "application/vnd.docker.image.rootfs.diff.tar";
const GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// An image with the manifest that was made for it.
pub(super) struct Made {
    pub(super) called: Vec<Called>,
    pub(super) digest: Digest,
    pub(super) media_type: &'static str,
    pub(super) payload: Bytes,
    pub(super) blobs: Vec<(Digest, Piece)>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "Config")]
    config: String,
    #[serde(rename = "RepoTags", default)]
    tags: Option<Vec<String>>,
    #[serde(rename = "Layers", default)]
    layers: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    rootfs: RootFilesystem,
}

#[derive(Default, Deserialize)]
struct RootFilesystem {
    #[serde(default)]
    diff_ids: Vec<Digest>,
}

/// A layer that was read: its digest as it is, and how it is packed.
#[derive(Clone)]
struct Layer {
    digest: Digest,
    unpacked: Digest,
    media_type: &'static str,
    piece: Piece,
}

/// What was read already, by its place.
struct Known {
    gzip: bool,
    bar: ProgressBar,
    layers: HashMap<(*const std::fs::File, u64), (Piece, Layer)>,
}

/// The names of images by the digests of their configurations; none where there is no `manifest.json`.
pub(super) fn names(archive: &Archive) -> anyhow::Result<HashMap<String, Vec<Called>>> {
    let mut names = HashMap::new();
    if archive.find("manifest.json")?.is_none() {
        return Ok(names);
    }
    for entry in entries(archive)? {
        let hex = entry.config.rsplit('/').next().unwrap_or_default();
        names.insert(format!("sha256:{hex}"), called(&entry));
    }
    Ok(names)
}

/// Reads every image, and makes a manifest of each, perhaps with layers that are packed now.
pub(super) fn read(archive: &Archive, gzip: bool) -> anyhow::Result<Vec<Made>> {
    let entries = entries(archive)?;
    ensure!(!entries.is_empty(), "its `manifest.json` lists nothing");
    let mut known = Known {
        gzip,
        bar: progress::counter("reading the layers")?,
        layers: HashMap::new(),
    };
    let images = entries.iter();
    let made = images.map(|entry| make(archive, entry, &mut known));
    let made = made.collect();
    known.bar.finish_and_clear();
    made
}

fn entries(archive: &Archive) -> anyhow::Result<Vec<Entry>> {
    let bytes = archive.read("manifest.json", LONGEST)?.unwrap_or_default();
    serde_json::from_slice(&bytes).context("read `manifest.json`")
}

fn called(entry: &Entry) -> Vec<Called> {
    let tags = entry.tags.iter().flatten();
    tags.map(|tag| Called::image(tag)).collect()
}

fn make(archive: &Archive, entry: &Entry, known: &mut Known) -> anyhow::Result<Made> {
    let config = find(archive, &entry.config)?;
    let bytes = config.read(CONFIG)?;
    let digest = Algorithm::Sha256.digest(&bytes);
    if let Some(said) = digest_in(&entry.config) {
        ensure!(
            said == digest,
            "{} has the digest {digest}: it is damaged",
            config.place()
        );
    }
    let parsed: Config = serde_json::from_slice(&bytes)
        .with_context(|| format!("read the configuration {}", config.place()))?;
    let layers = layers(archive, entry, &parsed.rootfs.diff_ids, known)?;
    let descriptor = |media_type: &str, digest: Digest, size: u64| json!({"mediaType": media_type, "size": size, "digest": digest});
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG_TYPE, digest, config.size()),
        "layers": layers.iter().map(|layer| descriptor(layer.media_type, layer.digest, layer.piece.size())).collect::<Vec<Value>>(),
    });
    let payload = Bytes::from(manifest.to_string());
    let mut called = called(entry);
    if called.is_empty() {
        called.push(Called::Nothing);
    }
    let blobs = layers.into_iter().map(|layer| (layer.digest, layer.piece));
    Ok(Made {
        called,
        digest: Algorithm::Sha256.digest(&payload),
        media_type: MANIFEST,
        payload,
        blobs: blobs.chain([(digest, config)]).collect(),
    })
}

fn layers(
    archive: &Archive,
    entry: &Entry,
    diff_ids: &[Digest],
    known: &mut Known,
) -> anyhow::Result<Vec<Layer>> {
    let paths = entry.layers.as_deref().unwrap_or_default();
    ensure!(
        paths.len() == diff_ids.len(),
        "`manifest.json` has {} layers for `{}`, whose configuration has {}",
        paths.len(),
        entry.config,
        diff_ids.len()
    );
    let mut layers = Vec::new();
    for (path, expected) in paths.iter().zip(diff_ids) {
        let piece = find(archive, path)?;
        let place = piece.place().to_owned();
        let layer = if let Some((_, layer)) = known.layers.get(&piece.position()) {
            layer.clone()
        } else {
            let mut read = hash(&piece).with_context(|| format!("read {place}"))?;
            if known.gzip && read.media_type == PLAIN {
                read = packed(&read).with_context(|| format!("pack {place}"))?;
            }
            known.bar.inc(piece.size());
            // The piece stays, so that nothing else gets its place.
            known.layers.insert(piece.position(), (piece, read.clone()));
            read
        };
        ensure!(
            layer.unpacked == *expected,
            "{place} has the digest {} when it is unpacked, but the configuration says {expected}: it is damaged",
            layer.unpacked
        );
        layers.push(layer);
    }
    Ok(layers)
}

fn find(archive: &Archive, path: &str) -> anyhow::Result<Piece> {
    let found = archive.find(path)?;
    found.with_context(|| format!("`manifest.json` names `{path}`, which is missing"))
}

/// Hashes a layer as it is and as it is unpacked.
fn hash(piece: &Piece) -> anyhow::Result<Layer> {
    let mut magic = [0; 4];
    let length = crate::archive::fill(&mut piece.reader(), &mut magic)?;
    let digest = digest_of(piece.reader(), |_| Ok(()))?;
    let (unpacked, media_type) = match &magic[..length] {
        [0x1f, 0x8b, ..] => {
            let packed = Rc::new(Cell::new(0));
            let counted = Counted(piece.reader(), Rc::clone(&packed));
            let unpacked = digest_of(MultiGzDecoder::new(counted), |size| {
                check(size, packed.get())
            });
            (unpacked?, GZIP)
        }
        [0x28, 0xb5, 0x2f, 0xfd] => {
            bail!(
                "it is packed by zstd, which manifests of this form cannot say: save the image as an OCI layout"
            )
        }
        _ => (digest, PLAIN),
    };
    Ok(Layer {
        digest,
        unpacked,
        media_type,
        piece: piece.clone(),
    })
}

/// The same layer, packed by gzip into a temporary file.
fn packed(layer: &Layer) -> anyhow::Result<Layer> {
    let file = tempfile::tempfile().context("make a temporary file")?;
    let mut packer = GzEncoder::new(BufWriter::new(file), Compression::default());
    std::io::copy(&mut layer.piece.reader(), &mut packer)?;
    let file = packer.finish()?.into_inner().context("write it")?;
    let piece = Piece::of_file(file, layer.piece.place())?;
    Ok(Layer {
        digest: digest_of(piece.reader(), |_| Ok(()))?,
        unpacked: layer.unpacked,
        media_type: GZIP,
        piece,
    })
}

fn digest_of(
    mut input: impl Read,
    check: impl Fn(u64) -> anyhow::Result<()>,
) -> anyhow::Result<Digest> {
    let mut hasher = Algorithm::Sha256.hasher();
    let mut buffer = vec![0; PIECE];
    let mut size = 0;
    loop {
        let read = crate::archive::fill(&mut input, &mut buffer)?;
        if read == 0 {
            return Ok(hasher.finish());
        }
        size += read as u64;
        check(size)?;
        hasher.update(&buffer[..read]);
    }
}

/// The digest that the name of a configuration is, as nearly all programs write it.
fn digest_in(path: &str) -> Option<Digest> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let name = name.strip_suffix(".json").unwrap_or(name);
    let hex = name.strip_prefix("sha256:").unwrap_or(name);
    format!("sha256:{hex}").parse().ok()
}
