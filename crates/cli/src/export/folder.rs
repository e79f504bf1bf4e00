//! An OCI layout as a folder. Its list is written last, so what is not whole is listed nowhere.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::index;

/// Where a file is written before it is whole.
const UNFINISHED: &str = ".boxyard-export";

/// A folder that is being written.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    current: Option<(File, PathBuf)>,
    list: Option<Vec<u8>>,
}

impl Folder {
    /// Takes a folder that is a layout, or empty, or not there.
    pub(super) fn open(root: &Path) -> anyhow::Result<Self> {
        let name = root.display();
        match fs::read_dir(root) {
            Ok(mut entries) => {
                let is_layout = root.join("oci-layout").is_file();
                ensure!(
                    is_layout || entries.next().is_none(),
                    "`{name}` is no OCI layout and not empty: choose another folder, \
                     or a name that ends in `.tar`"
                );
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("look into `{name}`")),
        }
        let folder = Self {
            root: root.to_owned(),
            current: None,
            list: None,
        };
        let made = fs::create_dir_all(root);
        made.with_context(|| format!("make the folder `{name}`"))?;
        folder.replace("oci-layout", index::LAYOUT.as_bytes())?;
        Ok(folder)
    }

    pub(super) fn list(&mut self, entries: Vec<Value>) -> anyhow::Result<()> {
        let entries = match fs::read(self.root.join("index.json")) {
            Ok(before) => index::merge(&before, entries)
                .with_context(|| format!("add to `{}`", self.root.display()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => entries,
            Err(error) => return Err(error).context("read its `index.json`"),
        };
        self.list = Some(index::document(&entries));
        Ok(())
    }

    pub(super) fn file(&mut self, path: &str, content: &[u8]) -> anyhow::Result<()> {
        self.begin(path)?;
        self.piece(content)?;
        self.end()
    }

    pub(super) fn has(&self, path: &str, size: u64) -> bool {
        let found = fs::metadata(self.root.join(path));
        found.is_ok_and(|found| found.is_file() && found.len() == size)
    }

    pub(super) fn begin(&mut self, path: &str) -> anyhow::Result<()> {
        let unfinished = self.root.join(UNFINISHED);
        let file = File::create(&unfinished);
        let file = file.with_context(|| format!("write `{}`", unfinished.display()))?;
        self.current = Some((file, self.root.join(path)));
        Ok(())
    }

    pub(super) fn piece(&mut self, piece: &[u8]) -> anyhow::Result<()> {
        let (file, path) = self.current.as_mut().context("no file was begun")?;
        let written = file.write_all(piece);
        written.with_context(|| format!("write `{}`", path.display()))
    }

    pub(super) fn end(&mut self) -> anyhow::Result<()> {
        let (file, path) = self.current.take().context("no file was begun")?;
        let place = || format!("write `{}`", path.display());
        file.sync_all().with_context(place)?;
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(place)?;
        }
        fs::rename(self.root.join(UNFINISHED), &path).with_context(place)
    }

    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        let list = self.list.take().context("nothing is listed")?;
        self.replace("index.json", &list)
    }

    fn replace(&self, name: &str, content: &[u8]) -> anyhow::Result<()> {
        let (new, path) = (self.root.join(UNFINISHED), self.root.join(name));
        let written = fs::write(&new, content).and_then(|()| fs::rename(&new, &path));
        written.with_context(|| format!("write `{}`", path.display()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It is there only where the export has failed.
        let _ = fs::remove_file(self.root.join(UNFINISHED));
    }
}
