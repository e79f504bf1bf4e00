//! Uploads: begin, append, finish, cancel.
//!
//! A change of a session goes on when its client leaves, so that the file and its hash state never part.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use boxyard_auth::{Permit, Push};
use boxyard_blobs::{Sidecar, Upload, UploadId};
use boxyard_oci::{Algorithm, ContentRange, Digest, RepoName};
use bytes::Bytes;
use futures_util::stream::Fuse;
use futures_util::{Stream, StreamExt};
use tokio::time::Instant;

use crate::Registry;
use crate::error::{During, Internal, blocking};
use crate::sessions::{Session, Slot, Turn};
use crate::space::has_room;

/// A request's body as it arrives.
pub type Body = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

/// Bytes gathered before they are hashed and written in one go off the async workers.
///
/// Two such batches are in flight for each upload: one is written while the next arrives.
const BATCH: usize = 256 << 10;

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The client went away, or broke the protocol.
    #[error("the connection ended before the body was complete")]
    Gone(#[source] Box<dyn Error + Send + Sync>),
    /// The client sent too little for too long.
    #[error("the body arrived too slowly")]
    TooSlow,
}

/// Why an upload was refused.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// No such session in this repository.
    #[error("the upload is not known: it was finished, cancelled or purged, or never began here")]
    UploadUnknown,
    /// The chunk does not begin where the upload ends.
    #[error("the chunk begins at {begins}, but the upload continues at {expected}")]
    RangeInvalid {
        /// Where the chunk says that it begins.
        begins: u64,
        /// How many bytes the upload has.
        expected: u64,
    },
    /// The chunk is longer or shorter than its range.
    #[error("the chunk has {actual} bytes, but its range announces {announced}")]
    SizeMismatch {
        /// Length of the announced range in bytes.
        announced: u64,
        /// Bytes that came; at least these, where more were announced than taken.
        actual: u64,
    },
    /// The content is not what its digest says.
    #[error("the content has digest {actual}, but the request names {expected}")]
    DigestMismatch {
        /// The digest that the request names.
        expected: Digest,
        /// The digest of what came.
        actual: Digest,
    },
    /// The disk has no room left beyond the reserve.
    #[error("the registry's storage is full: ask its administrator to make room")]
    NoSpace,
    /// A newer request has taken the session over.
    #[error("a newer request has taken this upload over")]
    TakenOver,
    /// The body ended early.
    #[error("receive the upload's body")]
    Body(#[source] BodyError),
    /// The registry failed.
    #[error(transparent)]
    Internal(Internal),
}

impl From<Internal> for PushError {
    fn from(error: Internal) -> Self {
        if error.is_no_space() {
            Self::NoSpace
        } else {
            Self::Internal(error)
        }
    }
}

impl PushError {
    /// Whether the bytes that came before stay of use to the client.
    fn leaves_upload_usable(&self) -> bool {
        match self {
            Self::RangeInvalid { .. }
            | Self::SizeMismatch { .. }
            | Self::TakenOver
            | Self::Body(_) => true,
            Self::UploadUnknown
            | Self::DigestMismatch { .. }
            | Self::NoSpace
            | Self::Internal(_) => false,
        }
    }
}

impl Registry {
    /// Opens a session whose content will be hashed with `algorithm`, end-4a and end-4c.
    pub async fn begin_upload(
        self: &Arc<Self>,
        permit: &Permit<Push>,
        algorithm: Option<Algorithm>,
    ) -> Result<UploadId, PushError> {
        let id = UploadId::random();
        let upload = self.create_upload(permit.repo(), &id, algorithm).await?;
        self.sessions.begin(permit.repo(), id.clone(), upload);
        Ok(id)
    }

    /// How many bytes the session has, end-13.
    pub async fn upload_status(
        self: &Arc<Self>,
        permit: &Permit<Push>,
        id: &UploadId,
    ) -> Result<u64, PushError> {
        let session = self.session(permit.repo(), id)?;
        let mut turn = session.take_over().await;
        let upload = self.take(permit.repo(), id, &mut turn).await?;
        let size = upload.size();
        *turn.slot = Slot::Open(upload);
        Ok(size)
    }

    /// Appends `body`, which `range` places when the client sends chunks, and returns the new size, end-5.
    pub async fn append(
        self: &Arc<Self>,
        permit: &Permit<Push>,
        id: &UploadId,
        range: Option<ContentRange>,
        body: Body,
    ) -> Result<u64, PushError> {
        let (registry, repo, id) = (Arc::clone(self), permit.repo().clone(), id.clone());
        self.change(async move {
            let session = registry.session(&repo, &id)?;
            let mut turn = session.take_over().await;
            let upload = registry.take(&repo, &id, &mut turn).await?;
            let upload = registry
                .receive(&repo, &id, upload, range, body, &mut turn)
                .await?;
            let size = upload.size();
            *turn.slot = Slot::Open(upload);
            Ok(size)
        })
        .await
    }

    /// Appends the last `body` and makes the content a blob of the repository, end-6.
    ///
    /// A finished session answers the same request again for some minutes.
    pub async fn finish(
        self: &Arc<Self>,
        permit: &Permit<Push>,
        id: &UploadId,
        digest: &Digest,
        range: Option<ContentRange>,
        body: Body,
    ) -> Result<(), PushError> {
        let (registry, repo, id) = (Arc::clone(self), permit.repo().clone(), id.clone());
        let digest = *digest;
        self.change(async move {
            let session = registry.session(&repo, &id)?;
            let mut turn = session.take_over().await;
            if matches!(*turn.slot, Slot::Finished(finished, _) if finished == digest) {
                return Ok(());
            }
            let upload = registry.take(&repo, &id, &mut turn).await?;
            let upload = registry
                .receive(&repo, &id, upload, range, body, &mut turn)
                .await?;
            *turn.slot = Slot::Gone;
            registry.complete(&repo, &id, upload, digest).await?;
            *turn.slot = Slot::Finished(digest, Instant::now());
            Ok(())
        })
        .await
    }

    /// Stores `body` as a blob of the repository in one request, end-4b.
    pub async fn push_blob(
        self: &Arc<Self>,
        permit: &Permit<Push>,
        digest: &Digest,
        body: Body,
    ) -> Result<(), PushError> {
        let id = self.begin_upload(permit, Some(digest.algorithm())).await?;
        let result = self.finish(permit, &id, digest, None, body).await;
        if result.is_err() {
            // The client never learns the id, so nobody can come back for these bytes.
            let _ = self.cancel_upload(permit, &id).await;
        }
        self.sessions.forget(&id);
        result
    }

    /// Drops the session and what it has received, end-14.
    pub async fn cancel_upload(
        self: &Arc<Self>,
        permit: &Permit<Push>,
        id: &UploadId,
    ) -> Result<(), PushError> {
        let (registry, repo, id) = (Arc::clone(self), permit.repo().clone(), id.clone());
        self.change(async move {
            let session = registry.session(&repo, &id)?;
            let mut turn = session.take_over().await;
            if matches!(*turn.slot, Slot::Finished(..) | Slot::Gone) {
                return Err(PushError::UploadUnknown);
            }
            *turn.slot = Slot::Gone;
            if registry.discard(&repo, &id).await? {
                Ok(())
            } else {
                Err(PushError::UploadUnknown)
            }
        })
        .await
    }

    fn session(&self, repo: &RepoName, id: &UploadId) -> Result<Arc<Session>, PushError> {
        self.sessions.get(repo, id).ok_or(PushError::UploadUnknown)
    }

    async fn create_upload(
        &self,
        repo: &RepoName,
        id: &UploadId,
        algorithm: Option<Algorithm>,
    ) -> Result<Upload, PushError> {
        let (folder, settings) = (self.folder.clone(), self.settings.clone());
        let (repo, id) = (repo.clone(), id.clone());
        blocking(move || {
            if !has_room(&folder, &settings, 0)? {
                return Err(PushError::NoSpace);
            }
            let sidecar = Sidecar {
                owner: None,
                algorithm,
            };
            folder
                .begin_upload(&repo, &id, &sidecar, SystemTime::now())
                .during("begin an upload")
                .map_err(PushError::from)
        })
        .await
    }

    /// Takes the session's file out of its slot, reading it again where a restart or an idle hour has closed it.
    async fn take(
        &self,
        repo: &RepoName,
        id: &UploadId,
        turn: &mut Turn<'_>,
    ) -> Result<Box<Upload>, PushError> {
        match std::mem::replace(&mut *turn.slot, Slot::Unread) {
            Slot::Open(upload) => return Ok(upload),
            Slot::Unread => {}
            ended @ (Slot::Finished(..) | Slot::Gone) => {
                *turn.slot = ended;
                return Err(PushError::UploadUnknown);
            }
        }
        let (folder, repo_name, upload_id) = (self.folder.clone(), repo.clone(), id.clone());
        let found = blocking(move || folder.resume_upload(&repo_name, &upload_id))
            .await
            .during("resume an upload")?;
        match found {
            Some(upload) => Ok(Box::new(upload)),
            None => {
                self.sessions.forget(id);
                Err(PushError::UploadUnknown)
            }
        }
    }

    /// Appends the whole body, or leaves the upload as it was before, or as far as a vanished client got.
    async fn receive(
        &self,
        repo: &RepoName,
        id: &UploadId,
        upload: Box<Upload>,
        range: Option<ContentRange>,
        body: Body,
        turn: &mut Turn<'_>,
    ) -> Result<Box<Upload>, PushError> {
        let begins = upload.size();
        let (upload, result) = match check_range(range.as_ref(), begins) {
            Ok(()) => self.pour(upload, range.as_ref(), body, turn).await,
            Err(error) => (Some(upload), Err(error)),
        };
        match (upload, result) {
            (Some(upload), Ok(())) => Ok(upload),
            (Some(mut upload), Err(error)) if error.leaves_upload_usable() => {
                if matches!(error, PushError::SizeMismatch { .. }) {
                    upload = blocking(move || upload.truncate(begins).map(|()| upload))
                        .await
                        .during("take back a chunk")?;
                }
                *turn.slot = Slot::Open(upload);
                Err(error)
            }
            (_, result) => {
                *turn.slot = Slot::Gone;
                self.discard(repo, id).await?;
                Err(result.err().unwrap_or(PushError::UploadUnknown))
            }
        }
    }

    /// Writes one batch while the next one arrives; no upload comes back when writing has failed.
    async fn pour(
        &self,
        mut upload: Box<Upload>,
        range: Option<&ContentRange>,
        body: Body,
        turn: &Turn<'_>,
    ) -> (Option<Box<Upload>>, Result<(), PushError>) {
        let mut body = body.fuse();
        let begins = upload.size();
        let announced = range.map(ContentRange::len);
        let mut batch = gather(&mut body, turn).await;
        loop {
            let chunks = match batch {
                Ok(chunks) if chunks.is_empty() => break,
                Ok(chunks) => chunks,
                Err(error) => return (Some(upload), Err(error)),
            };
            let reached = upload.size() - begins + length(&chunks);
            if let Some(announced) = announced
                && reached > announced
            {
                let actual = reached;
                return (
                    Some(upload),
                    Err(PushError::SizeMismatch { announced, actual }),
                );
            }
            let writing = self.write(upload, chunks);
            let (written, next) = tokio::join!(writing, gather(&mut body, turn));
            upload = match written {
                Ok(upload) => upload,
                Err(error) => return (None, Err(error)),
            };
            batch = next;
        }
        let actual = upload.size() - begins;
        match announced {
            Some(announced) if announced != actual => (
                Some(upload),
                Err(PushError::SizeMismatch { announced, actual }),
            ),
            _ => (Some(upload), Ok(())),
        }
    }

    async fn write(
        &self,
        mut upload: Box<Upload>,
        chunks: Vec<Bytes>,
    ) -> Result<Box<Upload>, PushError> {
        let (folder, settings) = (self.folder.clone(), self.settings.clone());
        blocking(move || {
            if !has_room(&folder, &settings, length(&chunks))? {
                return Err(PushError::NoSpace);
            }
            for chunk in chunks {
                upload.append(&chunk).during("write an upload")?;
            }
            Ok(upload)
        })
        .await
    }

    /// Makes a received upload a blob: durable bytes first, then the row that makes them reachable.
    async fn complete(
        &self,
        repo: &RepoName,
        id: &UploadId,
        upload: Box<Upload>,
        expected: Digest,
    ) -> Result<(), PushError> {
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
        if self.is_stored(&expected, size).await? {
            self.hold(repo, &expected, size).await?;
            self.discard(repo, id).await?;
            return Ok(());
        }
        self.promote(repo, upload, expected).await?;
        self.hold(repo, &expected, size).await?;
        let folder = self.folder.clone();
        blocking(move || folder.end_intent(&expected))
            .await
            .during("end an upload's intent")?;
        Ok(())
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

    async fn hold(&self, repo: &RepoName, digest: &Digest, size: u64) -> Result<(), Internal> {
        let held = self.meta.hold_blob(repo, digest, size, None).await;
        self.projector.wake();
        held.during("record a blob")
    }

    /// Removes the session's file; answers whether there was one.
    async fn discard(&self, repo: &RepoName, id: &UploadId) -> Result<bool, Internal> {
        let (folder, repo, id) = (self.folder.clone(), repo.clone(), id.clone());
        blocking(move || folder.cancel_upload(&repo, &id))
            .await
            .during("drop an upload")
    }
}

fn check_range(range: Option<&ContentRange>, expected: u64) -> Result<(), PushError> {
    match range {
        Some(range) if range.start != expected => Err(PushError::RangeInvalid {
            begins: range.start,
            expected,
        }),
        _ => Ok(()),
    }
}

fn length(chunks: &[Bytes]) -> u64 {
    chunks.iter().map(|chunk| chunk.len() as u64).sum()
}

/// Takes what arrives until a batch is full or the body ends; an empty batch is the end.
async fn gather(body: &mut Fuse<Body>, turn: &Turn<'_>) -> Result<Vec<Bytes>, PushError> {
    let mut chunks = Vec::new();
    let mut gathered = 0;
    while gathered < BATCH {
        let next = tokio::select! {
            next = body.next() => next,
            () = turn.over() => return Err(PushError::TakenOver),
        };
        match next {
            Some(Ok(chunk)) => {
                gathered += chunk.len();
                if !chunk.is_empty() {
                    chunks.push(chunk);
                }
            }
            // A client that resumes is told the size that was written, so a batch cut short is simply sent again.
            Some(Err(error)) => return Err(PushError::Body(error)),
            None => break,
        }
    }
    Ok(chunks)
}

#[cfg(test)]
pub(crate) fn body_of(bytes: &'static [u8]) -> Body {
    Box::pin(futures_util::stream::iter([Ok(Bytes::from_static(bytes))]))
}
