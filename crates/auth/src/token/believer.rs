//! A verifier that verifies each token once.

use std::sync::Arc;
use std::time::SystemTime;

use super::keys::TrustedKeys;
use super::verifier::{TokenError, Verifier};
use crate::identity::TokenIdentity;
use crate::remembered::Remembered;

/// Believes tokens by one set of keys, and remembers which it has believed for as long as they hold.
///
/// What it remembers goes with it, so that other keys or other expectations, which are another believer, begin with nothing.
/// What a token grants is judged at each request; this only says what the token says.
#[derive(Debug)]
pub struct Believer {
    verifier: Verifier,
    keys: TrustedKeys,
    remembered: Remembered<TokenIdentity>,
}

impl Believer {
    /// Believes what `verifier` does with `keys`.
    pub fn new(verifier: Verifier, keys: TrustedKeys) -> Self {
        Self {
            verifier,
            keys,
            remembered: Remembered::default(),
        }
    }

    /// What `token` grants at `now`, as [`Verifier::verify`] says.
    pub fn verify(&self, token: &str, now: SystemTime) -> Result<Arc<TokenIdentity>, TokenError> {
        self.remembered.get_or_find(token, now, || {
            self.verifier.verify_for_a_while(&self.keys, token, now)
        })
    }
}
