//! Manifests, which the database and the folder each have.

use boxyard_meta::{Finding, FindingKind};
use boxyard_oci::{Digest, RepoName};
use bytes::Bytes;

use super::Scrub;
use crate::error::{During, Internal, on_disk};

/// The largest file that is read as a manifest; a larger one is none.
const LARGEST: u64 = 64 << 20;

impl Scrub<'_> {
    /// Reads all manifests of a repository again.
    pub(super) async fn manifests(&mut self, repo: &RepoName) -> Result<(), Internal> {
        for digest in self.registry.rows_of_manifests(repo).await? {
            self.manifest(repo, &digest).await?;
            self.report.manifests += 1;
            self.tell().await;
        }
        Ok(())
    }

    /// The database and the folder mend each other; where neither is good, the manifest goes into quarantine.
    async fn manifest(&mut self, repo: &RepoName, digest: &Digest) -> Result<(), Internal> {
        let claim = self.registry.claims.claim(digest).await;
        let meta = &self.registry.meta;
        let stored = meta.manifest_at_rest(repo, digest).await;
        let Some(stored) = stored.during("look up a manifest")? else {
            return Ok(());
        };
        let file = self.file(digest).await?;
        let is_good = |bytes: &[u8]| digest.algorithm().digest(bytes) == *digest;
        let in_file = file.as_deref().map(is_good);
        match (is_good(&stored.payload), in_file) {
            // A file that is not there yet is written by the projector.
            (true, Some(true) | None) => Ok(()),
            (true, Some(false)) => {
                self.pace.spend(stored.payload.len() as u64).await;
                self.write(digest, stored.payload).await?;
                drop(claim);
                self.mended(repo, digest, "its file was damaged and is written anew")
                    .await;
                Ok(())
            }
            (false, Some(true)) => {
                let payload = Bytes::from(file.unwrap_or_default());
                let mended = meta.mend_manifest(repo, digest, payload).await;
                mended.during("mend a manifest")?;
                drop(claim);
                self.mended(
                    repo,
                    digest,
                    "the database held it damaged; its file is good",
                )
                .await;
                Ok(())
            }
            (false, _) => {
                let detail = "neither the database nor its file has what its digest says; \
                              push it again to heal it";
                let finding = finding(repo, digest, detail);
                let marked = meta.quarantine_manifest(repo, digest, &finding).await;
                marked.during("record a damaged manifest")?;
                drop(claim);
                self.damaged(finding).await;
                Ok(())
            }
        }
    }

    async fn file(&self, digest: &Digest) -> Result<Option<Vec<u8>>, Internal> {
        let (folder, name) = (self.registry.folder.clone(), *digest);
        let read = on_disk(move || folder.read_blob(&name, LARGEST)).await;
        match read {
            // Unreadable is as bad as damaged.
            Err(_) => Ok(Some(Vec::new())),
            Ok(file) => Ok(file),
        }
    }

    async fn write(&self, digest: &Digest, payload: Bytes) -> Result<(), Internal> {
        let (folder, name) = (self.registry.folder.clone(), *digest);
        let written = on_disk(move || folder.write_blob(&name, &payload)).await;
        written.during("write a manifest's file")
    }

    async fn mended(&mut self, repo: &RepoName, digest: &Digest, detail: &str) {
        self.report.mended += 1;
        self.damaged(finding(repo, digest, detail)).await;
    }
}

fn finding(repo: &RepoName, digest: &Digest, detail: &str) -> Finding {
    Finding {
        kind: FindingKind::ManifestUnreadable,
        repo: Some(repo.clone()),
        subject: digest.to_string(),
        detail: detail.to_owned(),
    }
}
