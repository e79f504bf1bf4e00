//! Reading everything again, to find what no longer is what its digest says.

mod manifest;

use boxyard_meta::{BlobState, Finding, FindingKind};
use boxyard_oci::{Digest, Hasher, RepoName};
use tokio::sync::mpsc;

use crate::Registry;
use crate::error::{During, Internal, blocking};
use crate::pace::Pace;

/// Blobs listed in one go.
const PAGE: usize = 1_000;
/// Bytes read in one go.
const PIECE: usize = 1 << 20;

/// What is to be read again, and how fast.
#[derive(Clone, Debug, Default)]
pub struct ScrubOptions {
    /// These repositories alone; none means everything.
    pub repositories: Vec<RepoName>,
    /// How many bytes are read a second at most.
    pub bytes_per_second: Option<u64>,
}

/// What a scrub has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScrubReport {
    /// Blobs that were read.
    pub blobs: u64,
    /// Manifests that were read.
    pub manifests: u64,
    /// Bytes of blobs that were read.
    pub bytes: u64,
    /// How many bytes of blobs there were at the beginning.
    pub total_bytes: u64,
    /// What was found to be damaged.
    pub damaged: u64,
    /// What was damaged and had another copy.
    pub mended: u64,
}

/// What a scrub says while it works.
#[derive(Clone, Debug)]
pub enum ScrubEvent {
    /// How far it is.
    Progress(ScrubReport),
    /// Something is damaged; a mended one is said too.
    Damaged(Finding),
}

/// Why nothing was read again.
#[derive(Debug, thiserror::Error)]
pub enum ScrubError {
    /// A repository is not there: who has misspelt it must not take it for whole.
    #[error("there is no repository `{0}`; `boxyard repo ls` lists what is there")]
    NoRepository(RepoName),
    /// The registry failed.
    #[error(transparent)]
    Internal(#[from] Internal),
}

/// A scrub at work.
struct Scrub<'a> {
    registry: &'a Registry,
    pace: Pace,
    report: ScrubReport,
    events: mpsc::Sender<ScrubEvent>,
}

impl Registry {
    /// Hashes every blob and every manifest again; what is damaged is recorded, and answers 404 until it is pushed again.
    ///
    /// May be dropped at any time: what was found stays recorded.
    pub async fn scrub(
        &self,
        options: ScrubOptions,
        events: mpsc::Sender<ScrubEvent>,
    ) -> Result<ScrubReport, ScrubError> {
        let mut scrub = Scrub {
            registry: self,
            pace: Pace::new(options.bytes_per_second),
            report: ScrubReport::default(),
            events,
        };
        if options.repositories.is_empty() {
            scrub.everything().await?;
        } else {
            scrub.repositories(&options.repositories).await?;
        }
        Ok(scrub.report)
    }
}

impl Scrub<'_> {
    async fn everything(&mut self) -> Result<(), Internal> {
        let meta = &self.registry.meta;
        let total = meta.present_bytes().await;
        self.report.total_bytes = total.during("count what is to be read")?;
        let mut after = None;
        loop {
            let page = meta.every_repository(after.as_ref(), PAGE).await;
            let page = page.during("list repositories")?;
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            for repo in &page {
                self.manifests(repo).await?;
            }
        }
        let mut after = 0;
        loop {
            let page = meta.present_blobs(after, PAGE).await;
            let page = page.during("list blobs")?;
            let Some(last) = page.last() else { break };
            after = last.id;
            for blob in page {
                self.blob(&blob.digest).await?;
            }
        }
        Ok(())
    }

    async fn repositories(&mut self, repositories: &[RepoName]) -> Result<(), ScrubError> {
        for repo in repositories {
            // Of a repository that was not read yet, the database may know nothing.
            self.registry.index_now(repo).await?;
            let exists = self.registry.meta.repository_exists(repo).await;
            if !exists.during("look up a repository")? {
                return Err(ScrubError::NoRepository(repo.clone()));
            }
            let summary = self.registry.meta.repository_summary(repo).await;
            let summary = summary.during("count what is to be read")?;
            self.report.total_bytes += summary.map_or(0, |summary| summary.bytes);
        }
        for repo in repositories {
            self.manifests(repo).await?;
            for digest in self.registry.rows_of_layers(repo).await? {
                let held = self.registry.meta.blob(repo, &digest).await;
                if let Some(held) = held.during("look up a blob")? {
                    self.blob(&held.target).await?;
                }
            }
        }
        Ok(())
    }

    /// Reads one blob that is said to be present.
    async fn blob(&mut self, digest: &Digest) -> Result<(), Internal> {
        if !self.is_good(digest, true).await? {
            // It may just have been replaced or removed: judged when nobody changes it.
            let claim = self.registry.claims.claim(digest).await;
            if !self.is_good(digest, false).await? {
                let finding = self.damage(digest).await?;
                let marked = self.registry.meta.mark_blob_bad(digest, &finding).await;
                marked.during("record a damaged blob")?;
                drop(claim);
                self.damaged(finding).await;
            }
        }
        self.report.blobs += 1;
        self.tell().await;
        Ok(())
    }

    /// Whether a blob is what its digest says, or is not present.
    async fn is_good(&mut self, digest: &Digest, counts: bool) -> Result<bool, Internal> {
        let row = self.registry.meta.blob_anywhere(digest).await;
        let Some(row) = row.during("look up a blob")? else {
            return Ok(true);
        };
        if row.state != BlobState::Present {
            return Ok(true);
        }
        if let Some(bytes) = row.bytes {
            self.report.bytes += if counts { bytes.len() as u64 } else { 0 };
            return Ok(digest.algorithm().digest(&bytes) == *digest);
        }
        let read = self.hash(digest, counts).await;
        Ok(matches!(read, Ok(Some((actual, size))) if actual == *digest && size == row.size))
    }

    /// What is wrong with a blob whose row says that it is present.
    async fn damage(&mut self, digest: &Digest) -> Result<Finding, Internal> {
        let row = self.registry.meta.blob_anywhere(digest).await;
        let expected = row.during("look up a blob")?.map_or(0, |row| row.size);
        let (kind, detail) = match self.hash(digest, false).await {
            Ok(Some((_, size))) if size != expected => (
                FindingKind::BlobSize,
                format!("its file has {size} bytes instead of {expected}"),
            ),
            Ok(Some((actual, _))) => (
                FindingKind::BlobDamaged,
                format!("its content has the digest {actual}"),
            ),
            Ok(None) => (
                FindingKind::BlobMissing,
                format!("its file of {expected} bytes is missing"),
            ),
            Err(error) => (
                FindingKind::BlobDamaged,
                format!("its file cannot be read: {error}"),
            ),
        };
        Ok(Finding {
            kind,
            repo: None,
            subject: digest.to_string(),
            detail,
        })
    }

    /// The digest and the size of what a blob's file holds; none if there is no file.
    async fn hash(
        &mut self,
        digest: &Digest,
        counts: bool,
    ) -> Result<Option<(Digest, u64)>, std::io::Error> {
        let (folder, name) = (self.registry.folder.clone(), *digest);
        let opened = blocking(move || folder.open_blob(&name)).await?;
        let Some(file) = opened else { return Ok(None) };
        let mut state = Reading {
            file,
            hasher: digest.algorithm().hasher(),
            size: 0,
        };
        loop {
            let (next, read) = blocking(move || state.advance()).await?;
            state = next;
            if read == 0 {
                return Ok(Some((state.hasher.finish(), state.size)));
            }
            self.pace.spend(read as u64).await;
            if counts {
                self.report.bytes += read as u64;
                self.tell().await;
            }
        }
    }

    async fn damaged(&mut self, finding: Finding) {
        tracing::error!(
            subject = finding.subject,
            "scrub found damage: {}",
            finding.detail
        );
        self.report.damaged += 1;
        // Who has left does not hear it; the finding is recorded.
        let _ = self.events.send(ScrubEvent::Damaged(finding)).await;
    }

    async fn tell(&self) {
        let _ = self.events.send(ScrubEvent::Progress(self.report)).await;
    }
}

/// A file that is being hashed.
struct Reading {
    file: std::fs::File,
    hasher: Hasher,
    size: u64,
}

impl Reading {
    fn advance(mut self) -> std::io::Result<(Self, usize)> {
        let mut piece = vec![0; PIECE];
        let read = loop {
            match std::io::Read::read(&mut self.file, &mut piece) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.hasher.update(&piece[..read]);
        self.size += read as u64;
        Ok((self, read))
    }
}
