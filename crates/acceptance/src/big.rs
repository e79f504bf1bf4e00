//! An image with a layer that is larger than a gigabyte.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use boxyard_testkit::{Blob, Noise, media_type, sha256_of};
use serde_json::json;
use tempfile::TempDir;

use crate::layout::{Layout, layout_path};
use crate::target;

/// How many bytes the file in the large layer has: 1.1 GiB, in which no compressor finds anything.
pub const BIG_LAYER: u64 = 1_181_116_006;

/// The archive of an image with a layer of 1.1 GiB, as `docker save` and OCI layouts have it, tagged `big:latest`.
///
/// One test of a program has it at a time, until it drops this.
#[derive(Debug)]
pub struct BigImage {
    archive: PathBuf,
    _alone: MutexGuard<'static, ()>,
}

impl BigImage {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.archive
    }
}

/// The large image, as soon as no other test has it.
///
/// It is made once and kept beside what cargo builds.
/// A test asks for it first, so that it gives it back when its daemons and servers are gone: each keeps a copy or two, and a machine has room for those of one test.
pub fn big_image() -> BigImage {
    static ALONE: Mutex<()> = Mutex::new(());
    // A test that fails has left nothing behind either.
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    BigImage {
        archive: archive(),
        _alone: alone,
    }
}

fn archive() -> PathBuf {
    let folder = target().join("tmp");
    let archive = folder.join("big-image.tar");
    if !archive.exists() {
        fs::create_dir_all(&folder).expect("make the folder for large files");
        let work = TempDir::new_in(&folder).expect("make a folder for the large image");
        let made = make(work.path());
        // Renamed when it is whole, for who runs tests at the same time.
        fs::rename(made, &archive).expect("put the large image in its place");
    }
    archive
}

fn make(work: &Path) -> PathBuf {
    let layer = make_layer(work);
    let mut file = File::open(&layer).expect("open the large layer");
    let (digest, size) = sha256_of(&mut file).expect("read the large layer");
    let config = Blob::json(
        media_type::OCI_CONFIG,
        &json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": [digest] },
        }),
    );
    let manifest = Blob::json(
        media_type::OCI_MANIFEST,
        &json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": config.descriptor(),
            "layers": [{ "mediaType": media_type::OCI_LAYER, "digest": digest, "size": size }],
        }),
    );
    let name = "big:latest";
    let layout = Layout::write(&work.join("big"), &manifest, [&config].into_iter(), name);
    let path = layout_path(&digest);
    fs::rename(layer, layout.folder().join(&path)).expect("move the large layer");
    layout.name_for_docker(&config.digest, &[path], name);
    layout.archive()
}

fn make_layer(work: &Path) -> PathBuf {
    let mut file = File::create(work.join("noise")).expect("make a large file");
    let mut noise = Noise::new(11).take(BIG_LAYER);
    io::copy(&mut noise, &mut file).expect("fill the large file");
    let layer = work.join("layer.tar");
    let packed = Command::new("tar")
        .args([
            "--create",
            "--file",
            "layer.tar",
            "--owner=0",
            "--group=0",
            "--mtime=@0",
        ])
        .args(["--remove-files", "noise"])
        .current_dir(work)
        .status()
        .expect("run `tar`");
    assert!(packed.success(), "`tar` ends with {packed}");
    layer
}
