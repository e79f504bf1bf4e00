//! How much of a body is gathered before it is hashed and written in one go off the async workers.
//!
//! A way to another thread and back costs as much as some tens of KiB of hashing, so a batch is large while few clients send.
//! What all batches hold together is bounded, so many clients get smaller ones.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::batch::Batch;

/// What the batches of all uploads hold together, about.
const TOGETHER: usize = 32 << 20;
/// Batches in flight for each upload: one is written, perhaps from a copy, while the next arrives.
const EACH: usize = 3;
/// A batch is never smaller: this is what arrives at once.
const LEAST: usize = 64 << 10;
/// More brings nothing.
const MOST: usize = 1 << 20;

static SHARING: AtomicUsize = AtomicUsize::new(0);

/// The right of one upload to its part.
#[derive(Debug)]
pub(super) struct Share;

impl Share {
    pub(super) fn take() -> Self {
        SHARING.fetch_add(1, Ordering::Relaxed);
        Self
    }

    /// A batch as large as it may be now, which begins with `rest` at `offset`.
    #[expect(
        clippy::unused_self,
        reason = "only who holds a share counts among those who do"
    )]
    pub(super) fn begin(&self, offset: u64, rest: Vec<Bytes>) -> Batch {
        Batch::begin(offset, among(SHARING.load(Ordering::Relaxed)), rest)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        SHARING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One of a few sizes, so that memory of one fits another.
fn among(uploads: usize) -> usize {
    let part = (TOGETHER / EACH / uploads.max(1)).clamp(LEAST, MOST);
    1 << part.ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_clients_send_the_less_each_has_in_memory() {
        assert_eq!(among(1), MOST);
        assert_eq!(among(10), MOST);
        assert_eq!(among(128), 64 << 10);
        assert_eq!(among(40), 256 << 10);
        assert!(160 * EACH * among(160) <= TOGETHER);
        assert_eq!(among(100_000), LEAST);
    }
}
