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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use boxyard_oci::Algorithm;

    use super::*;

    #[test]
    fn only_claims_of_the_same_blob_wait_for_each_other() {
        let (one, other) = (
            Algorithm::Sha256.digest(b"1"),
            Algorithm::Sha256.digest(b"2"),
        );
        let claims = Arc::new(Claims::default());
        let released = Arc::new(AtomicBool::new(false));
        let first = claims.claim(&one);
        drop(claims.claim(&other));

        let second = std::thread::spawn({
            let (claims, released) = (claims.clone(), released.clone());
            move || {
                let _claim = claims.claim(&one);
                assert!(released.load(Ordering::SeqCst));
            }
        });
        released.store(true, Ordering::SeqCst);
        drop(first);

        second.join().unwrap();
    }
}
