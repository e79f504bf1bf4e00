//! Ids of events and of runs.

use std::fmt::Write;
use std::sync::OnceLock;

use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// A random UUID, RFC 9562 section 5.4.
pub(super) fn random() -> String {
    static PROVIDER: OnceLock<CryptoProvider> = OnceLock::new();
    let provider = PROVIDER.get_or_init(aws_lc_rs::default_provider);
    let mut bytes = [0; 16];
    provider
        .secure_random
        .fill(&mut bytes)
        .expect("every system that runs this has random bytes");
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        write!(text, "{byte:02x}").expect("a text takes every byte");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_random_uuid() {
        let (one, other) = (random(), random());

        assert_ne!(one, other);
        assert_eq!(one.len(), 36);
        assert_eq!(one.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&one.as_bytes()[19]));
    }
}
