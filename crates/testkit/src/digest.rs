//! Digests, made without the code under test.

use std::fmt::Write as _;
use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256, Sha512};

/// The digest of `bytes` as registries write it: `sha256:…`.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

/// The digest of `bytes` by SHA-512: `sha512:…`.
pub fn sha512(bytes: impl AsRef<[u8]>) -> String {
    format!("sha512:{}", hex(&Sha512::digest(bytes)))
}

/// The digest of a stream by SHA-256, and its size.
pub fn sha256_of(stream: &mut dyn Read) -> io::Result<(String, u64)> {
    let mut hash = Hashing::like("sha256:");
    let size = io::copy(stream, &mut hash)?;
    Ok((hash.finish(), size))
}

/// A sink that hashes what is written to it.
#[derive(Debug)]
pub(crate) enum Hashing {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hashing {
    /// Hashes by the algorithm that `digest` names.
    pub(crate) fn like(digest: &str) -> Self {
        if digest.starts_with("sha512:") {
            Self::Sha512(Sha512::new())
        } else {
            Self::Sha256(Sha256::new())
        }
    }

    pub(crate) fn finish(self) -> String {
        match self {
            Self::Sha256(hash) => format!("sha256:{}", hex(&hash.finalize())),
            Self::Sha512(hash) => format!("sha512:{}", hex(&hash.finalize())),
        }
    }
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digests_of_nothing_are_the_known_ones() {
        let known = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

        assert_eq!(sha256(""), known);
        assert_eq!(sha256_of(&mut io::empty()).unwrap(), (known.to_owned(), 0));
        assert!(sha512("").starts_with("sha512:cf83e1357eefb8bdf1542850d66d8007"));
    }
}
