//! Keys for what this registry signs and compares.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A key for HMAC with SHA-256.
#[derive(Clone)]
pub struct Key(hmac::Key);

impl Key {
    /// A key that no other process has.
    ///
    /// # Panics
    /// If the system has no random bytes to give.
    pub fn random() -> Self {
        let mut bytes = [0_u8; 32];
        SystemRandom::new()
            .fill(&mut bytes)
            .expect("every system that runs this has random bytes");
        Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
    }

    /// The key that everybody gets who knows `secret`, for this purpose alone.
    pub fn derived(secret: &str, purpose: &str) -> Self {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let derived = hmac::sign(&secret, purpose.as_bytes());
        Self(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()))
    }

    /// The tag of these parts; other parts with the same bytes in sum have another one.
    pub(crate) fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.context(parts)
            .sign()
            .as_ref()
            .try_into()
            .expect("SHA-256 has 32 bytes")
    }

    /// Whether `tag` is the tag of these parts, compared in a time that tells nothing.
    pub(crate) fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        use subtle::ConstantTimeEq;
        self.tag(parts).ct_eq(tag).into()
    }

    fn context(&self, parts: &[&[u8]]) -> hmac::Context {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        context
    }

    /// A text that only the holder of the key can know, long enough for a password.
    pub(crate) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.tag(&[b"text"])[..24])
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_key_is_the_same_everywhere_and_of_one_purpose() {
        let tag = |secret, purpose| Key::derived(secret, purpose).tag(&[b"x"]);

        assert_eq!(tag("s", "a"), tag("s", "a"));
        assert_ne!(tag("s", "a"), tag("s", "b"));
        assert_ne!(tag("s", "a"), tag("t", "a"));
    }

    #[test]
    fn parts_are_told_from_their_neighbours() {
        let key = Key::random();

        assert_ne!(key.tag(&[b"ab", b"c"]), key.tag(&[b"a", b"bc"]));
        assert!(key.verify(&[b"a"], &key.tag(&[b"a"])));
        assert!(!key.verify(&[b"a"], &key.tag(&[b"a"])[..31]));
        assert!(!key.verify(&[b"a"], b""));
        assert!(!format!("{key:?}").contains('['));
    }
}
