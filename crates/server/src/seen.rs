//! What shows of a request only while it is served, for whoever logs and counts it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Gathers what shows; whoever serves the request writes, and the end of the request reads.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    received: AtomicU64,
    user: OnceLock<String>,
}

impl Seen {
    /// More bytes of the body have come.
    pub(crate) fn receive(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// How many bytes of the body have come.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Who sent the request, once that is known.
    pub(crate) fn identify(&self, user: &str) {
        // Whoever was known first stays.
        let _ = self.user.set(user.to_owned());
    }

    /// Who sent the request, if that became known.
    pub(crate) fn user(&self) -> Option<&str> {
        self.user.get().map(String::as_str)
    }
}
