//! How much content waits in the database for its files.
//!
//! A small push is answered once its bytes are in the database, so a tree that cannot follow would let it grow; a push waits while too much is there.

use std::collections::HashMap;

use boxyard_meta::{Wanted, WantedState};
use tokio::sync::watch;

/// Bytes that may wait before a push waits with them.
const MOST: u64 = 32 << 20;

/// The count, which may be too large: what is deleted before it has a file is not known to be gone.
///
/// So where it says that there is no more room, the database is asked before anybody is kept waiting for longer.
#[derive(Debug)]
pub(crate) struct Waiting {
    bytes: watch::Sender<u64>,
}

/// The bytes of a round of the projector, by its sequence numbers.
pub(crate) struct Round {
    sizes: HashMap<i64, u64>,
}

impl Waiting {
    pub(crate) fn new() -> Self {
        Self {
            bytes: watch::Sender::new(0),
        }
    }

    /// Waits until there is room for more.
    pub(crate) async fn room(&self) {
        if !self.is_full() {
            return;
        }
        // The sender lives as long as the registry, so the wait cannot fail.
        let mut bytes = self.bytes.subscribe();
        let _ = bytes.wait_for(|bytes| *bytes < MOST).await;
    }

    /// Counts bytes that are about to wait.
    pub(crate) fn add(&self, bytes: u64) {
        self.bytes.send_modify(|waiting| *waiting += bytes);
    }

    /// Counts off bytes that do not wait after all.
    pub(crate) fn take_back(&self, bytes: u64) {
        self.bytes
            .send_modify(|waiting| *waiting = waiting.saturating_sub(bytes));
    }

    /// Whether pushes wait.
    pub(crate) fn is_full(&self) -> bool {
        *self.bytes.borrow() >= MOST
    }

    /// Takes what the database says for the count.
    pub(crate) fn correct(&self, bytes: u64) {
        self.bytes.send_replace(bytes);
    }

    /// Remembers what a round is about to write. When nothing is queued, nothing waits.
    pub(crate) fn round(&self, wanted: &[Wanted]) -> Round {
        if wanted.is_empty() {
            // What was deleted before it had a file has never been written.
            self.bytes.send_replace(0);
        }
        let size = |one: &Wanted| match &one.state {
            WantedState::Blob(Some(bytes)) => Some((one.sequence, bytes.len() as u64)),
            _ => None,
        };
        Round {
            sizes: wanted.iter().filter_map(size).collect(),
        }
    }

    /// What has these numbers is a file now.
    pub(crate) fn done(&self, round: &Round, sequences: &[i64]) {
        let sizes = sequences.iter().filter_map(|one| round.sizes.get(one));
        self.take_back(sizes.sum());
    }
}
