//! Bytes that look random and are the same in every run.

use std::io::{self, Read};

/// An endless stream of pseudo-random bytes, made from a seed.
///
/// It is splitmix64: no compressor and no deduplication finds anything in it, and it costs a few instructions a word.
#[derive(Clone, Debug)]
pub struct Noise {
    state: u64,
    /// Bytes of a word that was not used up, in order, so that the sizes of reads do not change the stream.
    rest: [u8; 8],
    left: usize,
}

impl Noise {
    /// Starts the stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            state: seed,
            rest: [0; 8],
            left: 0,
        }
    }

    /// Takes the next word.
    pub fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// Takes a number below `bound`, which is not zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.word() % bound
    }

    /// Takes `size` bytes.
    pub fn draw(&mut self, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        self.fill(&mut bytes);
        bytes
    }

    fn fill(&mut self, buffer: &mut [u8]) {
        let (head, body) = buffer.split_at_mut(self.left.min(buffer.len()));
        head.copy_from_slice(&self.rest[8 - self.left..][..head.len()]);
        self.left -= head.len();

        let mut words = body.chunks_exact_mut(8);
        for chunk in &mut words {
            chunk.copy_from_slice(&self.word().to_le_bytes());
        }
        let tail = words.into_remainder();
        if !tail.is_empty() {
            self.rest = self.word().to_le_bytes();
            tail.copy_from_slice(&self.rest[..tail.len()]);
            self.left = 8 - tail.len();
        }
    }
}

impl Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.fill(buffer);
        Ok(buffer.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sizes_of_reads_do_not_change_the_stream() {
        let whole = Noise::new(7).draw(100);

        let mut noise = Noise::new(7);
        let pieces: Vec<u8> = [1, 8, 0, 13, 3, 3, 72]
            .into_iter()
            .flat_map(|size| noise.draw(size))
            .collect();

        assert_eq!(pieces, whole);
    }

    #[test]
    fn seeds_give_different_streams() {
        assert_ne!(Noise::new(1).draw(16), Noise::new(2).draw(16));
    }
}
