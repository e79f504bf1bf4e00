//! A registry from a backup.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use boxyard_blobs::{Copied, Faults, Folder, NoFaults};
use boxyard_meta::{Owner, Snapshot};
use boxyard_oci::{Digest, RepoName};

use super::folder::{self, BackupFolder};
use super::{BackupError, BackupProgress, PAGE, With, exists};
use crate::Registry;
use crate::error::{During, Internal};
use crate::start::{Options, RESTORING};

/// How a backup is restored.
#[derive(Clone, Copy, Debug, Default)]
pub struct RestoreOptions {
    /// Make other names of the backup's files instead of copies, where that is possible.
    pub link: bool,
    /// Hash every blob of the backup before anything is written.
    pub verify: bool,
}

/// Makes the registry that `options` describe from the backup `from`.
///
/// The folder must be empty, or hold what a restore that was cut short has left.
pub async fn restore(
    options: Options,
    from: &Path,
    how: RestoreOptions,
    tell: impl FnMut(BackupProgress) + Send + 'static,
) -> Result<BackupProgress, BackupError> {
    let from = from.to_owned();
    let work = move || copy(options, &from, how, tell);
    let (options, mark, progress) = crate::error::blocking(work).await?;
    let registry = Registry::open(options).await.map_err(BackupError::Start)?;
    let settled = registry.project_everything().await;
    let stopped = registry.stop().await;
    settled.and(stopped).map_err(BackupError::Internal)?;
    fs::remove_file(&mark).with("remove", &mark)?;
    Ok(progress)
}

/// Copies blobs first and the database last.
fn copy(
    mut options: Options,
    from: &Path,
    how: RestoreOptions,
    mut tell: impl FnMut(BackupProgress),
) -> Result<(Options, std::path::PathBuf, BackupProgress), BackupError> {
    let backup = BackupFolder::open(from)?;
    let described = backup.described()?.ok_or_else(|| BackupError::NoBackup {
        path: from.to_owned(),
        reason: "there is no `backup.json`".to_owned(),
    })?;
    let copy = backup.path().join(&described.database);
    let snapshot = Snapshot::open(&copy).map_err(BackupError::Database)?;
    check(&backup, &snapshot, how.verify)?;
    let mark = begin(&options)?;
    let faults: Arc<dyn Faults> = Arc::new(NoFaults);
    let target = Folder::open(&options.root, faults).map_err(BackupError::Folder)?;
    let mut progress = BackupProgress {
        total_bytes: snapshot.bytes().map_err(BackupError::Database)?,
        ..BackupProgress::default()
    };
    each(&snapshot, |digest, size| {
        let is_there = target.blob_size(digest).with("look for", from)? == Some(size);
        // A file of a restore that was cut short has its name since its last byte.
        if !is_there && backup.has(digest, size)? {
            let path = backup.blob(digest);
            let taken = target.take_blob(digest, &path, how.link);
            if taken.with("copy", &path)? == Copied::Done {
                progress.copied += 1;
            }
        }
        progress.blobs += 1;
        progress.bytes += size;
        tell(progress);
        Ok(())
    })?;
    place_database(&copy, &options.database_path())?;
    options.resumes_restore = true;
    Ok((options, mark, progress))
}

/// Makes sure that the backup is whole before anything is written.
fn check(backup: &BackupFolder, snapshot: &Snapshot, verify: bool) -> Result<(), BackupError> {
    let mut damaged: Vec<Digest> = Vec::new();
    each(snapshot, |digest, size| {
        let is_good = backup.has(digest, size)? && (!verify || is_intact(backup, digest)?);
        if !is_good {
            damaged.push(*digest);
        }
        Ok(())
    })?;
    match damaged.first() {
        // What was damaged when the backup was made is not in it, and no reason to have nothing.
        Some(first) if verify => Err(BackupError::Damaged {
            count: damaged.len(),
            first: *first,
        }),
        Some(first) => {
            tracing::warn!(
                blobs = damaged.len(),
                example = %first,
                "the backup lacks blobs: they were damaged when it was made, or since"
            );
            Ok(())
        }
        None => Ok(()),
    }
}

fn is_intact(backup: &BackupFolder, digest: &Digest) -> Result<bool, BackupError> {
    let path = backup.blob(digest);
    let file = fs::File::open(&path).with("read", &path)?;
    let mut hasher = digest.algorithm().hasher();
    let mut reader = std::io::BufReader::with_capacity(1 << 20, file);
    loop {
        let piece = std::io::BufRead::fill_buf(&mut reader).with("read", &path)?;
        if piece.is_empty() {
            return Ok(hasher.finish() == *digest);
        }
        hasher.update(piece);
        let read = piece.len();
        std::io::BufRead::consume(&mut reader, read);
    }
}

/// Takes the folder, which must be empty but for what a restore has left that was cut short.
fn begin(options: &Options) -> Result<std::path::PathBuf, BackupError> {
    let root = &options.root;
    let mark = root.join("boxyard").join(RESTORING);
    if !exists(&mark)? {
        let database = options.database_path();
        let is_empty = match fs::read_dir(root) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
            found => {
                let mut names = found
                    .with("list", root)?
                    .filter_map(Result::ok)
                    .map(|entry| entry.file_name());
                names.all(|name| name == "lost+found")
            }
        };
        if !is_empty || exists(&database)? {
            let path = root.clone();
            return Err(BackupError::NotEmpty { path });
        }
        let folder = root.join("boxyard");
        fs::create_dir_all(&folder).with("make the folder", &folder)?;
        fs::write(&mark, b"").with("create", &mark)?;
        folder::sync(&mark)?;
        folder::sync(&folder)?;
    }
    Ok(mark)
}

/// A database that a restore has left that was cut short is replaced with its log.
fn place_database(copy: &Path, path: &Path) -> Result<(), BackupError> {
    for file in boxyard_meta::Meta::files(path) {
        match fs::remove_file(&file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            removed => removed.with("remove", &file)?,
        }
    }
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).with("make the folder", folder)?;
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = Path::new(&unfinished);
    fs::copy(copy, unfinished).with("copy the database to", unfinished)?;
    folder::sync(unfinished)?;
    fs::rename(unfinished, path).with("name", path)?;
    folder::sync(folder)
}

fn each(
    snapshot: &Snapshot,
    mut act: impl FnMut(&Digest, u64) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let mut after = 0;
    loop {
        let page = snapshot.files(after, PAGE).map_err(BackupError::Database)?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = last.id;
        for blob in &page {
            act(&blob.digest, blob.size)?;
        }
    }
}

impl Registry {
    /// Writes every link of an empty tree.
    async fn project_everything(&self) -> Result<(), Internal> {
        let mut after: Option<RepoName> = None;
        loop {
            let page = self.meta.every_repository(after.as_ref(), PAGE).await;
            let page = page.during("list repositories")?;
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            for repo in &page {
                self.project_repository(repo).await?;
            }
        }
        Ok(())
    }

    async fn project_repository(&self, repo: &RepoName) -> Result<(), Internal> {
        let layers = self.rows_of_layers(repo).await?.into_iter();
        let revisions = self.rows_of_manifests(repo).await?.into_iter();
        let tags = self.rows_of_tags(repo).await?.into_iter();
        let owners: Vec<Owner> = layers
            .map(|digest| Owner::Layer(repo.clone(), digest))
            .chain(revisions.map(|digest| Owner::Revision(repo.clone(), digest)))
            .chain(tags.map(|tag| Owner::Tag(repo.clone(), tag)))
            .collect();
        for page in owners.chunks(PAGE) {
            let queued = self.meta.queue_owners(page.to_vec()).await;
            queued.during("queue the links")?;
            self.settle().await?;
        }
        Ok(())
    }
}
