//! One change of a blob at a time, its file and its row together.
//!
//! A push that finds the bytes stored already, or stores them, must record that before anybody removes them; and whoever looks at a file to judge it must not meet one that is just being replaced.
//! Only this process changes the folder, so a lock in memory is enough.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use boxyard_oci::Digest;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// The blobs that somebody changes or waits to change.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    turns: Mutex<HashMap<Digest, Arc<AsyncMutex<()>>>>,
}

/// The right to change one blob, until it is dropped.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    claims: &'a Claims,
    digest: Digest,
    /// None only while it is being waited for or dropped.
    turn: Option<OwnedMutexGuard<()>>,
}

impl Claims {
    /// Waits until nobody else changes the blob.
    ///
    /// Who has a claim waits for no other one.
    pub(crate) async fn claim(&self, digest: &Digest) -> Claim<'_> {
        let mut claim = self.unclaimed(digest);
        claim.turn = Some(self.turn(digest).lock_owned().await);
        claim
    }

    /// The right to change the blob, unless somebody has it.
    pub(crate) fn try_claim(&self, digest: &Digest) -> Option<Claim<'_>> {
        let mut claim = self.unclaimed(digest);
        claim.turn = Some(self.turn(digest).try_lock_owned().ok()?);
        Some(claim)
    }

    /// Made before the turn is asked for, so that nothing is left behind by who stops waiting.
    fn unclaimed(&self, digest: &Digest) -> Claim<'_> {
        Claim {
            claims: self,
            digest: *digest,
            turn: None,
        }
    }

    fn turn(&self, digest: &Digest) -> Arc<AsyncMutex<()>> {
        Arc::clone(self.lock().entry(*digest).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Arc<AsyncMutex<()>>>> {
        self.turns
            .lock()
            .expect("no code panics while it holds the claims")
    }
}

impl Claim<'_> {
    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        drop(self.turn.take());
        let mut turns = self.claims.lock();
        // Nobody waits for it when only the table knows it.
        if turns
            .get(&self.digest)
            .is_some_and(|turn| Arc::strong_count(turn) == 1)
        {
            turns.remove(&self.digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use boxyard_oci::Algorithm;

    use super::*;

    #[tokio::test]
    async fn only_claims_of_the_same_blob_exclude_each_other() {
        let claims = Claims::default();
        let (one, other) = (
            Algorithm::Sha256.digest(b"1"),
            Algorithm::Sha256.digest(b"2"),
        );

        let claim = claims.claim(&one).await;

        assert!(claims.try_claim(&other).is_some());
        assert!(claims.try_claim(&one).is_none());
        drop(claim);
        assert!(claims.try_claim(&one).is_some());
    }

    #[tokio::test]
    async fn a_claim_goes_to_who_waits_and_nothing_is_left_behind() {
        let claims = Claims::default();
        let digest = Algorithm::Sha256.digest(b"");
        let claim = claims.claim(&digest).await;

        let (first, ()) = tokio::join!(claims.claim(&digest), async {
            tokio::task::yield_now().await;
            drop(claim);
        });
        assert!(futures_util::FutureExt::now_or_never(claims.claim(&digest)).is_none());
        drop(first);

        assert!(claims.lock().is_empty());
    }
}
