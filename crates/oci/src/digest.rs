use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::Digest as _;

/// The longest raw digest, that of SHA-512.
const MAX_BYTES: usize = 64;

/// A registered digest algorithm that this registry computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256, the one that every client knows.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// The name in a digest, as in `sha256:…`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// How many hexadecimal digits a digest has.
    pub fn hex_len(self) -> usize {
        self.byte_len() * 2
    }

    /// Starts a digest over bytes that are still to come.
    pub fn hasher(self) -> Hasher {
        Hasher(match self {
            Self::Sha256 => State::Sha256(sha2::Sha256::new()),
            Self::Sha512 => State::Sha512(sha2::Sha512::new()),
        })
    }

    /// The digest of `bytes`.
    pub fn digest(self, bytes: &[u8]) -> Digest {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        hasher.finish()
    }

    fn byte_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// The stored form in [`Digest::to_bytes`]; never reassigned.
    fn tag(self) -> u8 {
        match self {
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        match text {
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            _ if is_algorithm_name(text) => Err(DigestError::UnsupportedAlgorithm {
                algorithm: excerpt(text),
            }),
            _ => Err(DigestError::malformed(text)),
        }
    }
}

/// The address of content: an algorithm and what it makes of the bytes.
///
/// Digests order as their texts do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    /// Zero beyond the algorithm's length, so that the derived comparisons hold.
    bytes: [u8; MAX_BYTES],
}

/// Why a text is not a [`Digest`] or an [`Algorithm`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// The text does not follow the grammar, or its length is not the algorithm's.
    #[error(
        "`{text}` is not a digest: expected `sha256:` or `sha512:` and 64 or 128 lower-case hexadecimal digits"
    )]
    Malformed {
        /// The beginning of the text.
        text: String,
    },
    /// The grammar allows the algorithm, but this registry cannot compute it.
    #[error("digest algorithm `{algorithm}` is not supported: expected `sha256` or `sha512`")]
    UnsupportedAlgorithm {
        /// The beginning of the algorithm's name.
        algorithm: String,
    },
}

impl DigestError {
    fn malformed(text: &str) -> Self {
        Self::Malformed {
            text: excerpt(text),
        }
    }
}

impl Digest {
    /// The algorithm that made it.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The part after the colon.
    pub fn hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = String::with_capacity(self.algorithm.hex_len());
        for byte in self.as_bytes() {
            hex.push(char::from(DIGITS[usize::from(byte >> 4)]));
            hex.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        hex
    }

    /// The raw digest.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.algorithm.byte_len()]
    }

    /// The compact form for a database: one byte for the algorithm, then the raw digest.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + self.algorithm.byte_len());
        bytes.push(self.algorithm.tag());
        bytes.extend_from_slice(self.as_bytes());
        bytes
    }

    /// Reads what [`Digest::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (tag, raw) = bytes.split_first()?;
        let algorithm = match tag {
            1 => Algorithm::Sha256,
            2 => Algorithm::Sha512,
            _ => return None,
        };
        (raw.len() == algorithm.byte_len()).then(|| Self::new(algorithm, raw))
    }

    fn new(algorithm: Algorithm, raw: &[u8]) -> Self {
        let mut bytes = [0; MAX_BYTES];
        bytes[..raw.len()].copy_from_slice(raw);
        Self { algorithm, bytes }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.algorithm, self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let malformed = || DigestError::malformed(text);
        let (algorithm, encoded) = text.split_once(':').ok_or_else(malformed)?;
        if !is_encoded(encoded) || !is_algorithm_name(algorithm) {
            return Err(malformed());
        }
        let algorithm: Algorithm = algorithm.parse()?;
        if encoded.len() != algorithm.hex_len() {
            return Err(malformed());
        }
        let mut bytes = [0; MAX_BYTES];
        for (byte, pair) in bytes.iter_mut().zip(encoded.as_bytes().chunks_exact(2)) {
            let high = nibble(pair[0]).ok_or_else(malformed)?;
            let low = nibble(pair[1]).ok_or_else(malformed)?;
            *byte = high << 4 | low;
        }
        Ok(Self { algorithm, bytes })
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(DigestVisitor)
    }
}

struct DigestVisitor;

impl de::Visitor<'_> for DigestVisitor {
    type Value = Digest;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a digest")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Digest, E> {
        text.parse().map_err(E::custom)
    }
}

/// A digest in the making. A clone remembers the state at some point of the stream.
#[derive(Clone, Debug)]
pub struct Hasher(State);

#[derive(Clone, Debug)]
enum State {
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
}

impl Hasher {
    /// Goes on with the next bytes of the content.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// The digest of everything that was given.
    pub fn finish(self) -> Digest {
        match self.0 {
            State::Sha256(state) => Digest::new(Algorithm::Sha256, &state.finalize()),
            State::Sha512(state) => Digest::new(Algorithm::Sha512, &state.finalize()),
        }
    }

    /// The algorithm it was started with.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            State::Sha256(_) => Algorithm::Sha256,
            State::Sha512(_) => Algorithm::Sha512,
        }
    }
}

/// The grammar of the image specification: lower-case words joined by `+`, `.`, `_` or `-`.
fn is_algorithm_name(text: &str) -> bool {
    text.split(['+', '.', '_', '-']).all(|word| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

fn is_encoded(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'=' | b'_' | b'-'))
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// As much of a stranger's text as an error message should repeat.
pub(crate) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 160;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY_SHA256: &str =
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const ABC_SHA512: &str = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                              2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

    #[test]
    fn bytes_have_the_published_digests() {
        assert_eq!(Algorithm::Sha256.digest(b"").to_string(), EMPTY_SHA256);
        assert_eq!(Algorithm::Sha512.digest(b"abc").to_string(), ABC_SHA512);
    }

    #[test]
    fn a_stream_has_the_digest_of_its_bytes_and_a_clone_of_its_beginning() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let mut hasher = algorithm.hasher();
            hasher.update(b"one ");
            let beginning = hasher.clone();
            hasher.update(b"two");

            assert_eq!(hasher.algorithm(), algorithm);
            assert_eq!(hasher.finish(), algorithm.digest(b"one two"));
            assert_eq!(beginning.finish(), algorithm.digest(b"one "));
        }
    }

    #[test]
    fn a_digest_is_written_as_it_was_read() {
        for text in [EMPTY_SHA256, ABC_SHA512] {
            let digest: Digest = text.parse().unwrap();

            assert_eq!(digest.to_string(), text);
            assert_eq!(format!("{}:{}", digest.algorithm(), digest.hex()), text);
            assert_eq!(digest.as_bytes().len() * 2, digest.algorithm().hex_len());
            assert_eq!(Digest::from_bytes(&digest.to_bytes()), Some(digest));
            assert_eq!(
                serde_json::to_string(&digest).unwrap(),
                format!("\"{text}\"")
            );
            assert_eq!(
                serde_json::from_str::<Digest>(&format!("\"{text}\"")).unwrap(),
                digest
            );
        }
    }

    #[test]
    fn what_is_no_digest_is_malformed() {
        let hex = "0".repeat(64);
        let malformed = [
            String::new(),
            ":".into(),
            hex.clone(),
            "sha256".into(),
            "sha256:".into(),
            format!("sha256:{}", &hex[1..]),
            format!("sha256:{hex}0"),
            format!("sha512:{hex}"),
            format!("sha256:{}A", &hex[1..]),
            format!("sha256:{}g", &hex[1..]),
            format!("sha256:{}é", &hex[2..]),
            format!("sha256::{hex}"),
            format!("sha256:{hex}:"),
            format!(" sha256:{hex}"),
            format!("sha256:{hex}\n"),
            format!("SHA256:{hex}"),
            format!(":{hex}"),
            format!("+b:{hex}"),
            format!("sha256+:{hex}"),
            format!("sha256/..:{hex}"),
        ];
        for text in malformed {
            assert_eq!(
                text.parse::<Digest>(),
                Err(DigestError::malformed(&text)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_digest_of_an_algorithm_that_nobody_computes_is_unsupported() {
        for algorithm in ["md5", "sha384", "blake3", "sha256+b64u", "multihash+base58"] {
            let error = format!("{algorithm}:LCa0a2j_xo=5m0U8HTBBNBNCLXBkg7")
                .parse::<Digest>()
                .unwrap_err();

            assert_eq!(
                error,
                DigestError::UnsupportedAlgorithm {
                    algorithm: algorithm.to_owned()
                }
            );
            assert_eq!(algorithm.parse::<Algorithm>(), Err(error));
        }
    }

    #[test]
    fn bytes_that_are_no_compact_form_are_no_digest() {
        let long = [[2; 1].as_slice(), &[7; 65]].concat();
        for bytes in [&[][..], &[1], &[1; 32], &[1; 34], &[3; 33], &[2; 33], &long] {
            assert_eq!(Digest::from_bytes(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn digests_order_as_their_texts_do() {
        let mut digests: Vec<Digest> = (0..32_u8)
            .flat_map(|byte| {
                [
                    Algorithm::Sha512.digest(&[byte]),
                    Algorithm::Sha256.digest(&[byte]),
                ]
            })
            .collect();
        digests.sort();

        assert!(digests.is_sorted_by_key(ToString::to_string));
    }

    #[test]
    fn an_error_repeats_only_the_beginning_of_a_long_text() {
        let DigestError::Malformed { text } = "é".repeat(4000).parse::<Digest>().unwrap_err()
        else {
            panic!("not malformed");
        };

        assert_eq!(text.chars().count(), 161);
    }
}
