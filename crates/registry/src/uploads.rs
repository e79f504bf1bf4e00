//! Uploads: begin, append, finish, cancel.
//!
//! A change of a session goes on when its client leaves, so that the file and its hash state never part.

use std::sync::Arc;
use std::time::SystemTime;

use boxyard_auth::{Permit, Push};
use boxyard_blobs::{Sidecar, Upload, UploadId};
use boxyard_meta::Event;
use boxyard_oci::{Algorithm, ContentRange, Digest, RepoName};
use tokio::time::Instant;

use crate::Registry;
use crate::error::{During, Internal, blocking};
use crate::events::{Happening, Teller};
use crate::push_error::{Body, PushError};
use crate::sessions::{Session, Slot, Turn};
use crate::space::has_room;

impl Registry {
    /// Opens a session whose content will be hashed with `algorithm`, end-4a and end-4c.
    pub async fn begin_upload(
        self: &Arc<Self>,
        permit: &Permit<Push>,
        algorithm: Option<Algorithm>,
    ) -> Result<UploadId, PushError> {
        let id = UploadId::random();
        let upload = self.create_upload(permit, &id, algorithm).await?;
        self.sessions.begin(permit.repo(), id.clone(), upload);
        Ok(id)
    }

    /// How many bytes the session has, end-13.
    pub async fn upload_status(
        self: &Arc<Self>,
        permit: &Permit<Push>,
        id: &UploadId,
    ) -> Result<u64, PushError> {
        let session = self.session(permit, id).await?;
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
        let (registry, permit, id) = (Arc::clone(self), permit.clone(), id.clone());
        self.change(async move {
            let session = registry.session(&permit, &id).await?;
            let repo = permit.repo();
            let mut turn = session.take_over().await;
            let upload = registry.take(repo, &id, &mut turn).await?;
            let upload = registry
                .receive(repo, &id, upload, range, body, &mut turn)
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
        teller: &Arc<dyn Teller>,
    ) -> Result<(), PushError> {
        let (registry, permit, id) = (Arc::clone(self), permit.clone(), id.clone());
        let (digest, teller) = (*digest, Arc::clone(teller));
        self.change(async move {
            let session = registry.session(&permit, &id).await?;
            let repo = permit.repo();
            let mut turn = session.take_over().await;
            if matches!(*turn.slot, Slot::Finished(finished, _) if finished == digest) {
                return Ok(());
            }
            let upload = registry.take(repo, &id, &mut turn).await?;
            let upload = registry
                .receive(repo, &id, upload, range, body, &mut turn)
                .await?;
            *turn.slot = Slot::Gone;
            let happening = Happening::BlobPushed(&digest, upload.size());
            let events = teller.tell(repo, happening);
            registry.complete(repo, &id, upload, digest, events).await?;
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
        teller: &Arc<dyn Teller>,
    ) -> Result<(), PushError> {
        let id = self.begin_upload(permit, Some(digest.algorithm())).await?;
        let result = self.finish(permit, &id, digest, None, body, teller).await;
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
        let (registry, permit, id) = (Arc::clone(self), permit.clone(), id.clone());
        self.change(async move {
            let session = registry.session(&permit, &id).await?;
            let repo = permit.repo();
            let mut turn = session.take_over().await;
            if matches!(*turn.slot, Slot::Finished(..) | Slot::Gone) {
                return Err(PushError::UploadUnknown);
            }
            *turn.slot = Slot::Gone;
            if registry.discard(repo, &id).await? {
                Ok(())
            } else {
                Err(PushError::UploadUnknown)
            }
        })
        .await
    }

    /// The session of `id`, which for anybody but its owner is not there.
    ///
    /// This is looked at before the session is taken over, so that nobody else ends what its owner is sending.
    async fn session(
        &self,
        permit: &Permit<Push>,
        id: &UploadId,
    ) -> Result<Arc<Session>, PushError> {
        let repo = permit.repo();
        let session = self.sessions.get(repo, id);
        let session = session.ok_or(PushError::UploadUnknown)?;
        if session.owner().is_none() {
            let (folder, repo_name, upload_id) = (self.folder.clone(), repo.clone(), id.clone());
            let sidecar = blocking(move || folder.upload_sidecar(&repo_name, &upload_id))
                .await
                .during("look up an upload")?;
            let Some(sidecar) = sidecar else {
                self.sessions.forget(id);
                return Err(PushError::UploadUnknown);
            };
            session.set_owner(sidecar.owner);
        }
        let owner = session.owner().and_then(Option::as_deref);
        if owner.is_none() || owner == permit.owner() {
            Ok(session)
        } else {
            Err(PushError::UploadUnknown)
        }
    }

    async fn create_upload(
        &self,
        permit: &Permit<Push>,
        id: &UploadId,
        algorithm: Option<Algorithm>,
    ) -> Result<Upload, PushError> {
        let (folder, settings) = (self.folder.clone(), self.settings.clone());
        let (repo, id) = (permit.repo().clone(), id.clone());
        let owner = permit.owner().map(ToOwned::to_owned);
        blocking(move || {
            if !has_room(&folder, &settings, 0)? {
                return Err(PushError::NoSpace);
            }
            let sidecar = Sidecar { owner, algorithm };
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
        if found.is_none() {
            self.sessions.forget(id);
        }
        found.map(Box::new).ok_or(PushError::UploadUnknown)
    }

    /// Makes a received upload a blob: durable bytes first, then the row that makes them reachable.
    async fn complete(
        &self,
        repo: &RepoName,
        id: &UploadId,
        upload: Box<Upload>,
        expected: Digest,
        events: Vec<Event>,
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

    /// Removes the session's file; answers whether there was one.
    pub(crate) async fn discard(&self, repo: &RepoName, id: &UploadId) -> Result<bool, Internal> {
        let (folder, repo, id) = (self.folder.clone(), repo.clone(), id.clone());
        blocking(move || folder.cancel_upload(&repo, &id))
            .await
            .during("drop an upload")
    }
}
