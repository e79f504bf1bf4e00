//! Passwords that were verified a short while ago.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long a password counts as verified.
const KEPT: Duration = Duration::from_mins(10);
/// How many are remembered at once.
const MANY: usize = 8_192;

/// Proofs of verified passwords; they are keyed hashes, so that memory holds no password.
#[derive(Debug, Default)]
pub(super) struct Proven(Mutex<HashMap<[u8; 32], Instant>>);

impl Proven {
    pub(super) fn has(&self, proof: &[u8; 32], now: Instant) -> bool {
        let proven = self.0.lock().expect("nobody panics while holding it");
        proven
            .get(proof)
            .is_some_and(|at| now.saturating_duration_since(*at) < KEPT)
    }

    pub(super) fn add(&self, proof: [u8; 32], now: Instant) {
        let mut proven = self.0.lock().expect("nobody panics while holding it");
        if proven.len() >= MANY {
            proven.retain(|_, at| now.saturating_duration_since(*at) < KEPT);
        }
        if proven.len() >= MANY {
            // Whoever is forgotten pays once more.
            proven.clear();
        }
        proven.insert(proof, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_forgotten_after_its_time() {
        let (proven, now) = (Proven::default(), Instant::now());
        proven.add([1; 32], now);

        assert!(proven.has(&[1; 32], now + KEPT / 2));
        assert!(!proven.has(&[1; 32], now + KEPT));
        assert!(!proven.has(&[2; 32], now));
    }

    #[test]
    fn proofs_are_bounded() {
        let (proven, now) = (Proven::default(), Instant::now());
        for number in 0..=2 * MANY as u64 {
            let mut proof = [0; 32];
            proof[..8].copy_from_slice(&number.to_le_bytes());
            proven.add(proof, now);
        }

        assert!(proven.0.lock().unwrap().len() <= MANY);
    }
}
