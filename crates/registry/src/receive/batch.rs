//! What is gathered of a body before it is hashed and written.

use boxyard_blobs::Buffer;
use bytes::Bytes;

/// So many bytes stay in the pieces in which they came: an upload that is no longer needs no more memory than that.
const FEW: usize = 32 << 10;

/// Bytes of an upload, one behind the other.
#[derive(Debug)]
pub(super) struct Batch {
    /// The place of its first byte in the upload.
    offset: u64,
    /// How many bytes it should have.
    most: usize,
    length: usize,
    /// What came first, once it is more than a few bytes.
    buffer: Option<Buffer>,
    pieces: Vec<Bytes>,
}

impl Batch {
    /// Begins with what is left of the last one.
    pub(super) fn begin(offset: u64, most: usize, rest: Vec<Bytes>) -> Self {
        let mut batch = Self {
            offset,
            most,
            length: 0,
            buffer: None,
            pieces: Vec::new(),
        };
        for piece in rest {
            batch.push(piece);
        }
        batch
    }

    pub(super) fn is_full(&self) -> bool {
        self.length >= self.most
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        if piece.is_empty() {
            return;
        }
        self.length += piece.len();
        self.pieces.push(piece);
        if self.length >= FEW {
            self.press();
        }
    }

    /// Copies the pieces to one place, as far as there is room.
    fn press(&mut self) {
        let (most, offset) = (self.most, self.offset);
        let buffer = self
            .buffer
            .get_or_insert_with(|| Buffer::take(most, offset));
        for piece in &mut self.pieces {
            buffer.fill(piece);
        }
        self.pieces.retain(|piece| !piece.is_empty());
    }

    /// What is to be written now, and what waits for the next batch.
    pub(super) fn finish(self) -> (Vec<Bytes>, Vec<Bytes>) {
        match self.buffer {
            None => (self.pieces, Vec::new()),
            Some(buffer) => (vec![buffer.freeze()], self.pieces),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: usize = 10_000;

    fn gathered(count: usize, most: usize) -> (Vec<Bytes>, Vec<Bytes>) {
        let mut batch = Batch::begin(0, most, vec![Bytes::from_static(b"rest")]);
        for seed in 0..count {
            assert!(!batch.is_full());
            batch.push(Bytes::from(vec![u8::try_from(seed).unwrap(); PIECE]));
        }
        batch.finish()
    }

    #[test]
    fn a_few_bytes_stay_as_they_came() {
        let (now, later) = gathered(2, 64 << 10);

        assert_eq!(now.len(), 3);
        assert!(later.is_empty());
    }

    #[test]
    fn many_bytes_are_in_one_place_and_what_is_too_much_comes_later() {
        let (now, later) = gathered(7, 64 << 10);

        assert_eq!(now.len(), 1);
        assert_eq!(now[0].len(), 64 << 10);
        assert_eq!(&now[0][..5], b"rest\0");
        assert_eq!(later.len(), 1);
        assert_eq!(later[0].len(), 4 + 7 * PIECE - (64 << 10));
    }
}
