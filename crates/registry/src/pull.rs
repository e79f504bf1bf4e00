//! Pulling manifests and blobs.

use boxyard_auth::{Permit, Pull, Push};
use boxyard_meta::{BlobRow, BlobState, StoredManifest, TagLookup};
use boxyard_oci::{Digest, Reference, RepoName};

use crate::Registry;
use crate::blob::Blob;
use crate::error::{During, Internal};

/// Why something could not be pulled.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The repository has neither manifests nor tags.
    #[error("the repository is not known")]
    NameUnknown,
    /// The repository has no such manifest or tag.
    #[error("the manifest is not known")]
    ManifestUnknown,
    /// The manifest is of Docker's schema 1, which is kept but not served.
    #[error(
        "the manifest is of Docker's schema 1, which no current client pulls: push the image again"
    )]
    Schema1,
    /// The repository has no such blob, or its bytes are damaged.
    #[error("the blob is not known")]
    BlobUnknown,
    /// The registry failed.
    #[error(transparent)]
    Internal(#[from] Internal),
}

impl Registry {
    /// The manifest that `reference` names, byte for byte as it was pushed, end-3.
    pub async fn manifest(
        &self,
        permit: &Permit<Pull>,
        reference: &Reference,
    ) -> Result<StoredManifest, PullError> {
        let found = match reference {
            Reference::Digest(digest) => self.manifest_by_digest(permit.repo(), digest).await?,
            Reference::Tag(tag) => {
                self.refresh_tag(permit.repo(), tag).await?;
                let lookup = self.meta.manifest_by_tag(permit.repo(), tag).await;
                match lookup.during("look up a tag")? {
                    TagLookup::Found(manifest) => Some(manifest),
                    TagLookup::Dangling(_) | TagLookup::NoTag => None,
                }
            }
        };
        match found {
            Some(manifest) if manifest.schema1 => Err(PullError::Schema1),
            Some(manifest) => Ok(manifest),
            None => Err(PullError::ManifestUnknown),
        }
    }

    pub(crate) async fn manifest_by_digest(
        &self,
        repo: &RepoName,
        digest: &Digest,
    ) -> Result<Option<StoredManifest>, Internal> {
        self.refresh_manifest(repo, digest).await?;
        self.meta
            .manifest(repo, digest)
            .await
            .during("look up a manifest")
    }

    /// The blob under `digest`, opened so that it can be read to its end even if it is deleted meanwhile, end-2.
    pub async fn blob(&self, permit: &Permit<Pull>, digest: &Digest) -> Result<Blob, PullError> {
        let held = self.held(permit.repo(), digest).await?;
        let held = held.filter(|held| held.row.state == BlobState::Present);
        let held = held.ok_or(PullError::BlobUnknown)?;
        if let Some(bytes) = self.small_content(&held).await? {
            return Ok(Blob::of_bytes(*digest, bytes));
        }
        // Opening compares the size too.
        let target = held.target;
        if let Some(blob) = self.open_blob(digest, &target, held.row).await? {
            return Ok(blob);
        }
        // It was replaced, removed or damaged just now.
        let row = self.good_at_rest(&target).await?;
        let row = row.ok_or(PullError::BlobUnknown)?;
        let opened = self.open_blob(digest, &target, row).await?;
        opened.ok_or(PullError::BlobUnknown)
    }

    async fn open_blob(
        &self,
        digest: &Digest,
        target: &Digest,
        row: BlobRow,
    ) -> Result<Option<Blob>, Internal> {
        if let Some(bytes) = row.bytes {
            return Ok(Some(Blob::of_bytes(*digest, bytes)));
        }
        let reporter = self.suspects.reporter();
        Blob::open(&self.folder, reporter, *digest, *target, row.size).await
    }

    /// The size in bytes of the blob under `digest`.
    ///
    /// Who may push relies on the answer: for a while the blob is not collected.
    pub async fn blob_size(
        &self,
        permit: &Permit<Pull>,
        push: Option<&Permit<Push>>,
        digest: &Digest,
    ) -> Result<u64, PullError> {
        loop {
            let looked = self.promises.round();
            let present = self.present(permit.repo(), digest).await?;
            let size = present.ok_or(PullError::BlobUnknown)?.row.size;
            if self.relied_upon(push, digest, looked).await {
                return Ok(size);
            }
        }
    }

    /// The same as [`Registry::manifest`] for who may push and relies on the answer: for a while the manifest is not collected.
    pub async fn manifest_relied_upon(
        &self,
        permit: &Permit<Pull>,
        push: Option<&Permit<Push>>,
        reference: &Reference,
    ) -> Result<StoredManifest, PullError> {
        loop {
            let looked = self.promises.round();
            let manifest = self.manifest(permit, reference).await?;
            if self.relied_upon(push, &manifest.digest, looked).await {
                return Ok(manifest);
            }
        }
    }

    /// Promises to who may push what was found in the round `looked`; false if it has to be looked up again.
    async fn relied_upon(&self, push: Option<&Permit<Push>>, digest: &Digest, looked: u64) -> bool {
        let Some(push) = push else { return true };
        if self.promises.promise_found(push.repo(), digest, looked) {
            return true;
        }
        self.promises.next_round(looked).await;
        false
    }
}
