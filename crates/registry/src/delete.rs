//! Deleting tags, manifests and blobs: rows first, the tree follows.

use std::sync::Arc;

use boxyard_auth::{Delete, Permit};
use boxyard_meta::{DeleteBlob, Event};
use boxyard_oci::{Digest, RepoName, Tag};

use crate::Registry;
use crate::error::{During, Internal};
use crate::events::{Happening, Teller};

/// Why something was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// Deleting is switched off.
    #[error("deleting is switched off: set `storage.delete.enabled` to allow it")]
    Disabled,
    /// The repository has no such tag or manifest.
    #[error("the manifest is not known")]
    ManifestUnknown,
    /// The repository has no such blob.
    #[error("the blob is not known")]
    BlobUnknown,
    /// A manifest of the repository still names the blob.
    #[error("the manifest {manifest} of this repository still names the blob: delete that first")]
    NamedBy {
        /// One of the manifests that do.
        manifest: Digest,
    },
    /// The registry failed.
    #[error(transparent)]
    Internal(#[from] Internal),
}

impl Registry {
    /// Removes a tag and nothing else, end-9.
    pub async fn delete_tag(
        &self,
        permit: &Permit<Delete>,
        tag: &Tag,
        teller: &Arc<dyn Teller>,
    ) -> Result<(), DeleteError> {
        self.require_delete()?;
        if self.remove_tag(permit, tag, teller).await? {
            Ok(())
        } else {
            Err(DeleteError::ManifestUnknown)
        }
    }

    /// The same for an administrator, whom the switch for clients does not bind; whether there was such a tag.
    pub async fn remove_tag(
        &self,
        permit: &Permit<Delete>,
        tag: &Tag,
        teller: &Arc<dyn Teller>,
    ) -> Result<bool, Internal> {
        self.refresh_tag(permit.repo(), tag).await?;
        let events = teller.tell(permit.repo(), Happening::TagDeleted(tag));
        let deleted = self.meta.delete_tag(permit.repo(), tag, events).await;
        self.projector.hurry();
        self.told.wake();
        deleted.during("delete a tag")
    }

    /// Removes a manifest and the tags that name it, end-9.
    pub async fn delete_manifest(
        &self,
        permit: &Permit<Delete>,
        digest: &Digest,
        teller: &Arc<dyn Teller>,
    ) -> Result<(), DeleteError> {
        self.require_delete()?;
        // Which tags name it is only known of a repository that has been read whole.
        self.index_now(permit.repo()).await?;
        self.delete_layer_of(permit.repo(), digest).await?;
        let tell = telling(teller, permit.repo(), *digest);
        let deleted = self.meta.delete_manifest(permit.repo(), digest, tell).await;
        self.projector.hurry();
        self.told.wake();
        match deleted.during("delete a manifest")? {
            Some(_) => Ok(()),
            None => Err(DeleteError::ManifestUnknown),
        }
    }

    /// Removes the layer link of a manifest, by which old registries linked it: it would bring the manifest back.
    async fn delete_layer_of(&self, repo: &RepoName, digest: &Digest) -> Result<(), Internal> {
        let is_manifest = self.meta.has_manifest(repo, digest).await;
        if is_manifest.during("look up a manifest")? {
            // Where another manifest names the same content as a blob, it stays one.
            let deleted = self.meta.delete_blob(repo, digest, Vec::new()).await;
            deleted.during("delete the layer link of a manifest")?;
        }
        Ok(())
    }

    /// Takes a blob out of the repository, unless one of its manifests names it, end-10.
    pub async fn delete_blob(
        &self,
        permit: &Permit<Delete>,
        digest: &Digest,
        teller: &Arc<dyn Teller>,
    ) -> Result<(), DeleteError> {
        self.require_delete()?;
        self.index_now(permit.repo()).await?;
        let events = teller.tell(permit.repo(), Happening::BlobDeleted(digest));
        let deleted = self.meta.delete_blob(permit.repo(), digest, events).await;
        self.projector.hurry();
        self.told.wake();
        match deleted.during("delete a blob")? {
            DeleteBlob::Deleted => Ok(()),
            DeleteBlob::NotFound => Err(DeleteError::BlobUnknown),
            DeleteBlob::NamedBy(manifest) => Err(DeleteError::NamedBy { manifest }),
        }
    }

    fn require_delete(&self) -> Result<(), DeleteError> {
        if self.settings.delete {
            Ok(())
        } else {
            Err(DeleteError::Disabled)
        }
    }
}

/// Tells of a manifest and then of each tag that goes with it.
pub(crate) fn telling(
    teller: &Arc<dyn Teller>,
    repo: &RepoName,
    digest: Digest,
) -> impl Fn(&[Tag]) -> Vec<Event> + Send + 'static {
    let (teller, repo) = (Arc::clone(teller), repo.clone());
    move |tags| {
        let mut events = teller.tell(&repo, Happening::ManifestDeleted(&digest));
        for tag in tags {
            events.extend(teller.tell(&repo, Happening::TagDeleted(tag)));
        }
        events
    }
}
