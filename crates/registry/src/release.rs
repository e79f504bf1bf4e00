//! Removing the files of what was deleted, once nobody needs them any more.
//!
//! Whoever deletes something explicitly wants its room back at once.
//! There is nothing to wait for: a HEAD, a mount and a finished upload promise what their repository holds, as rows, and only a delete in that same repository takes such a row away.

use boxyard_blobs::Folder;
use boxyard_oci::Digest;

use crate::Registry;
use crate::claims::Claim;
use crate::error::{During, Internal};
use crate::gently::gently;

/// Files removed in one go, while nobody can push the same content.
const ROUND: usize = 64;

impl Registry {
    /// Removes the files of some blobs that nobody needs; answers how many it is done with.
    ///
    /// `until` bounds what was deleted by the last link that the tree has followed, so that a link goes before what it leads to.
    /// Nothing goes while the tree may hold links that the database does not know, nor while a backup copies.
    pub(crate) async fn release_round(&self, until: i64) -> Result<usize, Internal> {
        if self.settings.read_only || !self.known.covers_all() || self.holds.any() {
            return Ok(0);
        }
        let queued = self
            .meta
            .releases(until, ROUND)
            .await
            .during("read the queue of releases")?;
        // Whoever pushes one of these right now makes it needed again: it is looked at later.
        let claims: Vec<Claim<'_>> = queued
            .iter()
            .filter_map(|digest| self.claims.try_claim(digest))
            .collect();
        if claims.is_empty() {
            return Ok(0);
        }
        self.release(&claims).await
    }

    /// First the rows go, then the files, then the blobs leave the queue.
    async fn release(&self, claims: &[Claim<'_>]) -> Result<usize, Internal> {
        let digests: Vec<Digest> = claims.iter().map(|claim| *claim.digest()).collect();
        let released = self
            .meta
            .release_blobs(&digests)
            .await
            .during("let go of blobs")?;
        let (folder, kept) = (self.folder.clone(), digests.len() - released.len());
        let (removed, failed) = gently(move || remove(&folder, released)).await;
        self.meta
            .end_releases(&removed)
            .await
            .during("end what was let go of")?;
        let done = kept + removed.len();
        let Some(Failed { digests, source }) = failed else {
            return Ok(done);
        };
        tracing::error!(error = %source, "the file of a deleted blob could not be removed; it stays queued");
        self.meta
            .postpone_releases(&digests)
            .await
            .during("postpone what could not be removed")?;
        Ok(done)
    }
}

/// Blobs whose files may still be there, and why for one of them.
struct Failed {
    digests: Vec<Digest>,
    source: std::io::Error,
}

fn remove(folder: &Folder, mut released: Vec<Digest>) -> (Vec<Digest>, Option<Failed>) {
    let failed = match folder.remove_blobs(&released) {
        Ok(failed) => failed,
        Err(source) => {
            let digests = released;
            return (Vec::new(), Some(Failed { digests, source }));
        }
    };
    let (digests, errors): (Vec<Digest>, Vec<std::io::Error>) = failed.into_iter().unzip();
    released.retain(|digest| !digests.contains(digest));
    let first = errors.into_iter().next();
    (released, first.map(|source| Failed { digests, source }))
}
