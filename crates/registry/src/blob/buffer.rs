//! Memory for bytes on their way, used again and again.
//!
//! A new buffer of this size costs as much as the copy into it: the allocator takes it from the system, which fills it with zeros page by page.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// How many bytes are read at once where they are copied; one such piece is in memory for each pull.
pub(super) const PIECE: usize = 64 << 10;
/// How many buffers are kept while nobody needs them.
const SPARE: usize = 32;

static SPARES: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());

/// A buffer that goes back when it is dropped.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    filled: usize,
}

impl Buffer {
    /// One with room for [`PIECE`] bytes; what is in it is anybody's.
    pub(super) fn take() -> Self {
        let spare = SPARES.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self {
            bytes: spare.unwrap_or_else(|| vec![0; PIECE].into_boxed_slice()),
            filled: 0,
        }
    }

    /// The first `length` bytes, to be filled.
    pub(super) fn room(&mut self, length: usize) -> &mut [u8] {
        &mut self.bytes[..length]
    }

    /// The first `filled` bytes, as what is sent.
    pub(super) fn freeze(mut self, filled: usize) -> Bytes {
        self.filled = filled;
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut spares = SPARES.lock().unwrap_or_else(PoisonError::into_inner);
        if spares.len() < SPARE {
            spares.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_filled_is_seen() {
        let mut buffer = Buffer::take();
        buffer.room(5).copy_from_slice(b"hello");

        assert_eq!(buffer.freeze(4), "hell");
    }
}
