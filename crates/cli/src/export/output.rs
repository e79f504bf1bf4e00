//! Where an archive is written: a folder or a tar file.

use std::path::Path;

use anyhow::{bail, ensure};
use bytes::Bytes;
use serde_json::Value;

use super::Format;
use super::folder::Folder;
use super::index;
use super::tar::Tar;

/// Endings of files that are packed, which are not written here.
const PACKED: [&str; 5] = [".gz", ".tgz", ".zst", ".xz", ".bz2"];

/// An archive that is being written.
#[derive(Debug)]
pub(super) enum Output {
    Folder(Folder),
    Tar(Tar),
}

/// Fails where the path and the format do not go together, before anything is done.
pub(super) fn check(path: &Path, format: Format) -> anyhow::Result<()> {
    let name = path.to_string_lossy();
    if let Some(ending) = PACKED.iter().find(|ending| name.ends_with(**ending)) {
        bail!(
            "`{name}` ends in `{ending}`, but nothing is packed here: \
             write to standard output, as by `boxyard export … --output - | gzip > {name}`"
        );
    }
    if path == Path::new("-") {
        ensure!(
            !std::io::IsTerminal::is_terminal(&std::io::stdout()),
            "standard output is a terminal: send it to a file or a program"
        );
    }
    ensure!(
        format == Format::Oci || is_tar(path),
        "`docker load` reads tar files: let the output end in `.tar`, or be `-`"
    );
    Ok(())
}

fn is_tar(path: &Path) -> bool {
    path == Path::new("-")
        || path.extension().is_some_and(|ending| ending == "tar")
        || path.exists() && !path.is_dir()
}

impl Output {
    /// Begins to write.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        if is_tar(path) && !path.is_dir() {
            Tar::create(path).map(Self::Tar)
        } else {
            Folder::open(path).map(Self::Folder)
        }
    }

    /// Writes the list of what is there; to a folder when all of that is.
    pub(super) async fn list(&mut self, entries: Vec<Value>) -> anyhow::Result<()> {
        match self {
            Self::Folder(folder) => folder.list(entries),
            Self::Tar(tar) => {
                tar.file("oci-layout", index::LAYOUT.as_bytes()).await?;
                tar.file("index.json", &index::document(&entries)).await
            }
        }
    }

    /// Writes a short file.
    pub(super) async fn file(&mut self, path: &str, content: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Folder(folder) => folder.file(path, content),
            Self::Tar(tar) => tar.file(path, content).await,
        }
    }

    /// Whether a file is there already.
    pub(super) fn has(&self, path: &str, size: u64) -> bool {
        match self {
            Self::Folder(folder) => folder.has(path, size),
            Self::Tar(_) => false,
        }
    }

    /// Begins a file, whose pieces and whose end follow.
    pub(super) async fn begin(&mut self, path: &str, size: u64) -> anyhow::Result<()> {
        match self {
            Self::Folder(folder) => folder.begin(path),
            Self::Tar(tar) => tar.begin(path, size).await,
        }
    }

    pub(super) async fn piece(&mut self, piece: Bytes) -> anyhow::Result<()> {
        match self {
            Self::Folder(folder) => folder.piece(&piece),
            Self::Tar(tar) => tar.piece(piece).await,
        }
    }

    pub(super) async fn end(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Folder(folder) => folder.end(),
            Self::Tar(tar) => tar.end().await,
        }
    }

    /// Puts what was written in its place.
    pub(super) async fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Folder(folder) => folder.finish(),
            Self::Tar(tar) => tar.finish().await,
        }
    }
}
