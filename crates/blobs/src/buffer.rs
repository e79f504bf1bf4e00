//! Memory in which the bytes of an upload gather, used again and again.
//!
//! What is received comes in small parts of larger blocks of memory.
//! Kept as they are, they keep those blocks, and whatever receives has to find other memory for what comes next, which is in no cache and, where it comes from the system, costs a fault for every page.
//! Copied here while they are still in the cache of a core, their memory is used for the next ones, and they lie as a disk takes them (`direct.rs`), so that nobody copies them once more.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::direct::BLOCK;

/// How many bytes of memory are kept while nobody needs them.
const SPARE: usize = 6 << 20;

static SPARES: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Room for bytes that come one after the other; it goes back when what came of it is dropped.
#[derive(Debug)]
pub struct Buffer {
    memory: Vec<u8>,
    begin: usize,
    room: usize,
}

impl Buffer {
    /// Takes room for so many bytes, the first of which has this place in its file.
    pub fn take(room: usize, offset: u64) -> Self {
        let mut memory = reuse(room).unwrap_or_else(|| Vec::with_capacity(room + 2 * BLOCK));
        let within = usize::try_from(offset % BLOCK as u64).unwrap_or(0);
        let begin = memory.as_ptr().align_offset(BLOCK) + within;
        memory.resize(begin, 0);
        Self {
            memory,
            begin,
            room,
        }
    }

    /// How many bytes are in it.
    pub fn len(&self) -> usize {
        self.memory.len() - self.begin
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the beginning of `bytes`, as much as there is room for.
    pub fn fill(&mut self, bytes: &mut Bytes) {
        let count = bytes.len().min(self.room.saturating_sub(self.len()));
        self.memory.extend_from_slice(&bytes.split_to(count));
    }

    /// What is in it.
    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.memory[self.begin..]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut memory = std::mem::take(&mut self.memory);
        memory.clear();
        let mut spares = SPARES.lock().unwrap_or_else(PoisonError::into_inner);
        let kept: usize = spares.iter().map(Vec::capacity).sum();
        if kept + memory.capacity() <= SPARE {
            spares.push(memory);
        }
    }
}

/// The last that was given back and has room, but no more than twice as much: it is the likeliest to be in a cache.
fn reuse(room: usize) -> Option<Vec<u8>> {
    let mut spares = SPARES.lock().unwrap_or_else(PoisonError::into_inner);
    let suits = |spare: &Vec<u8>| {
        let capacity = spare.capacity();
        (room + 2 * BLOCK..=2 * room + 2 * BLOCK).contains(&capacity)
    };
    let found = spares.iter().rposition(suits)?;
    Some(spares.remove(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_lie_in_memory_as_in_their_file() {
        for offset in [0, 1, 4_095, 4_096, 1 << 30, (1 << 30) + 77] {
            let mut buffer = Buffer::take(10_000, offset);
            buffer.fill(&mut Bytes::from_static(b"hello"));

            let address = buffer.as_ref().as_ptr() as usize;
            assert_eq!(address % BLOCK, usize::try_from(offset).unwrap() % BLOCK);
            assert_eq!(buffer.freeze(), "hello");
        }
    }

    #[test]
    fn what_finds_no_room_stays_where_it_is() {
        let mut buffer = Buffer::take(7, 4_095);
        let (mut one, mut two) = (Bytes::from("hello"), Bytes::from("world"));

        buffer.fill(&mut one);
        buffer.fill(&mut two);

        assert!(one.is_empty());
        assert_eq!(two, "rld");
        assert_eq!(buffer.freeze(), "hellowo");
    }
}
