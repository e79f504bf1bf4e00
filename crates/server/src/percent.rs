//! Percent-encoding, decoded once and strictly.

use std::borrow::Cow;
use std::fmt::Write;

/// Why an encoded text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A `%` without two hexadecimal digits behind it.
    #[error("`%` is not followed by two hexadecimal digits")]
    Malformed,
    /// The decoded bytes are no text.
    #[error("percent-encoded bytes are not UTF-8")]
    NotText,
    /// A slash that is part of a segment would be taken for a separator further on.
    #[error("a slash is percent-encoded")]
    Slash,
    /// A NUL or another control character.
    #[error("a control character is percent-encoded")]
    Control,
    /// `.` or `..`, which a proxy may resolve differently.
    #[error("`.` and `..` are not path segments")]
    DotSegment,
}

/// Decodes one segment of a path.
pub(crate) fn decode_segment(text: &str) -> Result<Cow<'_, str>, DecodeError> {
    let decoded = decode(text)?;
    if decoded.len() != text.len() && decoded.contains('/') {
        return Err(DecodeError::Slash);
    }
    if matches!(&*decoded, "." | "..") {
        return Err(DecodeError::DotSegment);
    }
    Ok(decoded)
}

/// Decodes a text that may contain slashes, such as a value in a query.
///
/// A `+` stays one: media types have it, and nothing that a query carries here has a space.
pub(crate) fn decode(text: &str) -> Result<Cow<'_, str>, DecodeError> {
    let decoded = if text.contains('%') {
        Cow::Owned(decode_bytes(text)?)
    } else {
        Cow::Borrowed(text)
    };
    if decoded.contains(char::is_control) {
        return Err(DecodeError::Control);
    }
    Ok(decoded)
}

fn decode_bytes(text: &str) -> Result<String, DecodeError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, tail @ ..] = tail else {
            return Err(DecodeError::Malformed);
        };
        bytes.push((digit(*high)? << 4) | digit(*low)?);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| DecodeError::NotText)
}

fn digit(byte: u8) -> Result<u8, DecodeError> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
        .ok_or(DecodeError::Malformed)
}

/// Encodes `text` as a value of a query.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/:".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a string takes every write");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_encoded_segments_decode_to_the_same() {
        assert_eq!(decode_segment("sha256:ab").unwrap(), "sha256:ab");
        assert_eq!(decode_segment("sha256%3Aab").unwrap(), "sha256:ab");
        assert_eq!(decode_segment("%6Catest").unwrap(), "latest");
    }

    #[test]
    fn hostile_segments_are_told_apart() {
        let table = [
            ("a%2fb", DecodeError::Slash),
            ("a%2Fb", DecodeError::Slash),
            ("a%00", DecodeError::Control),
            ("a%0a", DecodeError::Control),
            ("a%7f", DecodeError::Control),
            (".", DecodeError::DotSegment),
            ("..", DecodeError::DotSegment),
            ("%2e%2E", DecodeError::DotSegment),
            ("%ff", DecodeError::NotText),
            ("%c0%af", DecodeError::NotText),
            ("%", DecodeError::Malformed),
            ("%4", DecodeError::Malformed),
            ("%zz", DecodeError::Malformed),
            ("%+1", DecodeError::Malformed),
        ];

        for (text, error) in table {
            assert_eq!(decode_segment(text), Err(error), "{text}");
        }
    }

    #[test]
    fn decoding_happens_once() {
        assert_eq!(decode_segment("%252f").unwrap(), "%2f");
    }

    #[test]
    fn values_survive_encoding_and_decoding() {
        for text in ["a/b-c.d_e", "application/vnd.x+json", "a b&c=d%", "ü"] {
            assert_eq!(decode(&encode(text)).unwrap(), text);
        }
    }

    #[test]
    fn a_bare_plus_in_a_query_stays_one() {
        assert_eq!(decode("application/x+json").unwrap(), "application/x+json");
    }
}
