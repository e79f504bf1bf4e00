//! Files of keys and certificates: nobody else reads a key, and none is lost.

use std::fs::{self, DirBuilder, File, OpenOptions, rename};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::shown;

/// Makes the folder, which nobody else may look into, unless it is there; returns its absolute path.
pub(super) fn folder(path: &Path) -> anyhow::Result<PathBuf> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .and_then(|()| fs::canonicalize(path))
        .with_context(|| format!("make the folder `{}`", path.display()))
}

/// Writes a key where there is none.
pub(super) fn write_key(path: &Path, pem: &str) -> anyhow::Result<()> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Ok(file) => fill(file, pem),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!(
            "`{}` is there already, and a key is never overwritten: move it away first",
            shown(path)
        ),
        Err(error) => Err(error.into()),
    }
    .with_context(|| format!("write the key `{}`", shown(path)))
}

/// Writes a certificate, and puts it in the place of an older one at once for who reads it meanwhile.
pub(super) fn write_certificate(path: &Path, pem: &str) -> anyhow::Result<()> {
    let new = path.with_extension("crt.new");
    let file = File::create(&new);
    file.map_err(anyhow::Error::from)
        .and_then(|file| fill(file, pem))
        .and_then(|()| Ok(rename(&new, path)?))
        .with_context(|| format!("write the certificate `{}`", shown(path)))
}

fn fill(mut file: File, pem: &str) -> anyhow::Result<()> {
    file.write_all(pem.as_bytes())?;
    file.sync_all()?;
    Ok(())
}

/// Reads a file if there is one.
pub(super) fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read `{}`", shown(path))),
    }
}
