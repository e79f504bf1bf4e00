//! The end of an upload: its bytes become a blob that the repository holds.

use boxyard_blobs::{Upload, UploadId};
use boxyard_meta::{Event, Stored};
use boxyard_oci::{Digest, RepoName};
use bytes::Bytes;

use crate::Registry;
use crate::claims::Claim;
use crate::error::{During, Internal, blocking};
use crate::push_error::PushError;

impl Registry {
    /// Makes a received upload a blob: durable bytes first, then the row that makes them reachable.
    pub(crate) async fn complete(
        &self,
        repo: &RepoName,
        id: &UploadId,
        upload: Box<Upload>,
        expected: Digest,
        events: Vec<Event>,
    ) -> Result<(), PushError> {
        if let Some(bytes) = upload.young_bytes() {
            return self
                .complete_small(repo, upload, bytes, expected, events)
                .await;
        }
        let (upload, actual) = blocking(move || {
            let mut upload = upload;
            let actual = upload.digest(expected.algorithm());
            actual.map(|actual| (upload, actual))
        })
        .await
        .during("hash an upload")?;
        if actual != expected {
            self.discard(repo, id).await?;
            return Err(PushError::DigestMismatch { expected, actual });
        }
        self.projector.room(self.settings.backlog).await;
        let size = upload.size();
        let claim = self.claims.claim(&expected).await;
        if self.is_stored(&claim, size).await? {
            self.hold(repo, &expected, size, events).await?;
            self.discard(repo, id).await?;
            return Ok(());
        }
        if let Err(error) = self.promote(repo, upload, expected).await {
            self.discard(repo, id).await?;
            return Err(error.into());
        }
        self.hold(repo, &expected, size, events).await?;
        let folder = self.folder.clone();
        blocking(move || folder.end_intent(&expected))
            .await
            .during("end an upload's intent")?;
        Ok(())
    }

    /// Makes an upload in memory a blob: its bytes travel in the commit of the row that makes them reachable.
    ///
    /// A file of their own would cost a dozen syncs; so they share one with whatever else is pushed, and the tree gets their file behind the answer.
    async fn complete_small(
        &self,
        repo: &RepoName,
        mut upload: Box<Upload>,
        bytes: Bytes,
        expected: Digest,
        events: Vec<Event>,
    ) -> Result<(), PushError> {
        let actual = upload.digest(expected.algorithm());
        let actual = actual.during("hash an upload")?;
        if actual != expected {
            upload.end().during("drop an upload")?;
            return Err(PushError::DigestMismatch { expected, actual });
        }
        self.projector.room(self.settings.backlog).await;
        self.waiting.room().await;
        let claim = self.claims.claim(&expected).await;
        let stored = self.hold_small(repo, &claim, bytes, events).await;
        let ended = upload.end();
        stored?;
        // It only costs the next start a look.
        if let Err(error) = ended {
            tracing::warn!(repo.name = %repo, %error, "note the end of an upload");
        }
        Ok(())
    }

    async fn hold_small(
        &self,
        repo: &RepoName,
        claim: &Claim<'_>,
        bytes: Bytes,
        events: Vec<Event>,
    ) -> Result<(), Internal> {
        let (digest, size) = (claim.digest(), bytes.len() as u64);
        self.promises.promise(repo, digest).await;
        self.waiting.add(size);
        let held = self
            .meta
            .hold_small(repo, digest, bytes.clone(), events)
            .await;
        if self.waiting.is_full() {
            // The next push waits for the round.
            self.projector.hurry();
        } else {
            self.projector.wake();
        }
        self.told.wake();
        if !matches!(held, Ok(Stored::Here)) {
            self.waiting.take_back(size);
        }
        match held.during("record a blob")? {
            Stored::InFile => self.mend(claim, bytes).await,
            Stored::Here | Stored::HereBefore => Ok(()),
        }
    }

    /// Stores the bytes of a blob again if the file that an earlier push has made is not there any more as it was.
    async fn mend(&self, claim: &Claim<'_>, bytes: Bytes) -> Result<(), Internal> {
        let (digest, size) = (claim.digest(), bytes.len() as u64);
        if self.has_file(digest, size).await? {
            return Ok(());
        }
        self.waiting.add(size);
        let restored = self.meta.restore_small(digest, bytes).await;
        self.projector.wake();
        restored.during("store a blob again")
    }

    /// Renames the file into its place; a failure drops the upload, because a failed sync is never tried again.
    async fn promote(
        &self,
        repo: &RepoName,
        upload: Box<Upload>,
        digest: Digest,
    ) -> Result<(), Internal> {
        let (folder, repo) = (self.folder.clone(), repo.clone());
        blocking(move || folder.promote(*upload, &repo, &digest))
            .await
            .during("make an upload a blob")
    }

    async fn hold(
        &self,
        repo: &RepoName,
        digest: &Digest,
        size: u64,
        events: Vec<Event>,
    ) -> Result<(), Internal> {
        self.promises.promise(repo, digest).await;
        let held = self.meta.hold_blob(repo, digest, size, None, events).await;
        self.projector.wake();
        self.told.wake();
        held.during("record a blob")
    }
}
