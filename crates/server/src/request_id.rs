//! The id of a request, by which the log, its answer and notifications speak of it.

use std::sync::atomic::{AtomicU32, Ordering};

const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";

/// An id that no two requests of a process share, and rarely two of different ones: two numbers in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestId([u8; 16]);

impl RequestId {
    /// The id of another request.
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self::of(crate::log::run_id(), number)
    }

    fn of(run: u32, number: u32) -> Self {
        let mut text = [0; 16];
        let numbers = run.to_be_bytes().into_iter().chain(number.to_be_bytes());
        for (digits, byte) in text.chunks_exact_mut(2).zip(numbers) {
            digits[0] = HEXADECIMAL[usize::from(byte >> 4)];
            digits[1] = HEXADECIMAL[usize::from(byte & 15)];
        }
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("digits are text")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_number_of_the_run_and_that_of_the_request() {
        assert_eq!(RequestId::of(0x6000_00ab, 0xc).as_str(), "600000ab0000000c");
        assert_ne!(RequestId::next(), RequestId::next());
    }
}
