//! Uploads: begin, append, finish, cancel.
//!
//! A change of a session goes on when its client leaves, so that the file and its hash state never part.

use std::sync::Arc;
use std::time::SystemTime;

use boxyard_auth::{Permit, Push};
use boxyard_blobs::{Sidecar, Upload, UploadId};
use boxyard_oci::{Algorithm, ContentRange, Digest, RepoName};
use tokio::time::Instant;

use crate::Registry;
use crate::error::{During, Internal, blocking};
use crate::events::{Happening, Teller};
use crate::push_error::{Body, PushError};
use crate::sessions::{Session, Slot, Turn};

impl Registry {
    /// Opens a session whose content will be hashed with `algorithm`, end-4a and end-4c.
    pub async fn begin_upload(
        self: &Arc<Self>,
        permit: &Permit<Push>,
        algorithm: Option<Algorithm>,
    ) -> Result<UploadId, PushError> {
        let id = UploadId::random();
        let mut upload = self.create_upload(permit, &id, algorithm).await?;
        upload.note().during("note an upload")?;
        self.enter(permit.repo(), &id, upload);
        Ok(id)
    }

    fn enter(&self, repo: &RepoName, id: &UploadId, upload: Upload) {
        let is_young = upload.is_young();
        let session = self.sessions.begin(repo, id.clone(), upload);
        if is_young {
            self.nursery.add(&session, Instant::now());
        }
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
            let mut upload = registry
                .receive(repo, &id, upload, range, body, &mut turn)
                .await?;
            let (size, noted) = (upload.size(), upload.note());
            *turn.slot = Slot::Open(upload);
            noted.during("note an upload")?;
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
            registry.sessions.finished(&id);
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
        let id = UploadId::random();
        let algorithm = Some(digest.algorithm());
        let upload = self.create_upload(permit, &id, algorithm).await?;
        self.enter(permit.repo(), &id, upload);
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
            let slot = std::mem::replace(&mut *turn.slot, Slot::Gone);
            let had = match slot {
                Slot::Open(upload) => registry.drop_upload(repo, &id, upload).await?,
                _ => registry.discard(repo, &id).await?,
            };
            if had {
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
        self: &Arc<Self>,
        permit: &Permit<Push>,
        id: &UploadId,
        algorithm: Option<Algorithm>,
    ) -> Result<Upload, PushError> {
        if !self.has_room_for(0).await? {
            return Err(PushError::NoSpace);
        }
        let owner = permit.owner().map(ToOwned::to_owned);
        let (sidecar, started) = (Sidecar { owner, algorithm }, SystemTime::now());
        let most = usize::try_from(self.settings.small_blob_bytes).unwrap_or(usize::MAX);
        let young = self
            .folder
            .begin_young(permit.repo(), id, &sidecar, started, most);
        if let Some(upload) = young {
            return Ok(upload);
        }
        let (folder, repo, id) = (self.folder.clone(), permit.repo().clone(), id.clone());
        blocking(move || folder.begin_upload(&repo, &id, &sidecar, started))
            .await
            .during("begin an upload")
            .map_err(PushError::from)
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

    /// Drops an upload with what it has received; answers whether there was anything.
    pub(crate) async fn drop_upload(
        &self,
        repo: &RepoName,
        id: &UploadId,
        upload: Box<Upload>,
    ) -> Result<bool, Internal> {
        if upload.is_young() {
            upload.end().during("drop an upload")?;
            return Ok(true);
        }
        self.discard(repo, id).await
    }

    /// Removes the session's file; answers whether there was one.
    pub(crate) async fn discard(&self, repo: &RepoName, id: &UploadId) -> Result<bool, Internal> {
        let (folder, repo, id) = (self.folder.clone(), repo.clone(), id.clone());
        blocking(move || folder.cancel_upload(&repo, &id))
            .await
            .during("drop an upload")
    }
}
