//! One writer or remover per blob at a time, within this process.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use boxyard_oci::Digest;

/// The digests whose files somebody is changing.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    held: Mutex<HashSet<Digest>>,
    released: Condvar,
}

/// The right to change one blob's file, until it is dropped.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    claims: &'a Claims,
    digest: Digest,
}

impl Claims {
    /// Waits until nobody else changes the blob.
    ///
    /// Who needs several claims takes them in the order of the digests.
    pub(crate) fn claim(&self, digest: &Digest) -> Claim<'_> {
        let held = self.lock();
        let mut held = self
            .released
            .wait_while(held, |held| held.contains(digest))
            .unwrap_or_else(PoisonError::into_inner);
        held.insert(*digest);
        Claim {
            claims: self,
            digest: *digest,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Digest>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.claims.lock().remove(&self.digest);
        self.claims.released.notify_all();
    }
}
