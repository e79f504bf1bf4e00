//! Cross-repository mounts.

use std::sync::Arc;

use boxyard_auth::{Permit, Pull, Push};
use boxyard_oci::Digest;

use crate::Registry;
use crate::error::During;
use crate::events::{Happening, Teller};
use crate::push_error::PushError;

/// How many holders of a blob an anonymous mount asks about before it gives up.
const HOLDERS_ASKED: usize = 100;

/// Where a mount may take its blob from.
#[derive(Clone, Debug)]
pub enum MountSource<F> {
    /// The repository that the client named, and that the caller may pull.
    From(Permit<Pull>),
    /// Any repository that holds the blob and for which the function grants a permit.
    Anywhere(F),
}

impl Registry {
    /// Makes the repository hold a blob of another one without a transfer, end-11.
    ///
    /// Answers whether it does; where not, the client uploads.
    pub async fn mount<F>(
        self: &Arc<Self>,
        permit: &Permit<Push>,
        digest: &Digest,
        source: MountSource<F>,
        teller: &Arc<dyn Teller>,
    ) -> Result<bool, PushError>
    where
        F: Fn(&boxyard_oci::RepoName) -> Option<Permit<Pull>>,
    {
        if !self.has_room_for(0).await? {
            return Err(PushError::NoSpace);
        }
        self.projector.room(self.settings.backlog).await;
        let source = match source {
            MountSource::From(from) => Some(from),
            MountSource::Anywhere(permit_of) => self.readable_holder(digest, permit_of).await?,
        };
        let Some(from) = source else {
            return Ok(false);
        };
        let Some(blob) = self.present(from.repo(), digest).await? else {
            return Ok(false);
        };
        let happening = Happening::BlobMounted(digest, blob.row.size, from.repo());
        let events = teller.tell(permit.repo(), happening);
        self.promises.promise(permit.repo(), digest).await;
        let mounted = self
            .meta
            .mount_blob(from.repo(), permit.repo(), digest, events)
            .await;
        self.projector.wake();
        self.told.wake();
        Ok(mounted.during("mount a blob")?.is_some())
    }

    async fn readable_holder<F>(
        &self,
        digest: &Digest,
        permit_of: F,
    ) -> Result<Option<Permit<Pull>>, PushError>
    where
        F: Fn(&boxyard_oci::RepoName) -> Option<Permit<Pull>>,
    {
        let holders = self.meta.holders(digest, None, HOLDERS_ASKED).await;
        let holders = holders.during("look for a blob's repositories")?;
        Ok(holders.iter().find_map(permit_of))
    }
}
