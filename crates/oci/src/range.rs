use std::fmt;
use std::str::FromStr;

use crate::digest::excerpt;

/// What a `Range` header asks of content of a known size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeRequest {
    /// All of it: the header is of no use, and RFC 9110 says to ignore it then.
    Whole,
    /// A piece that lies inside the content.
    Part {
        /// The first byte.
        start: u64,
        /// The last byte.
        end_inclusive: u64,
    },
    /// A piece that lies outside of the content.
    Unsatisfiable,
}

/// Reads a `Range` header as RFC 9110, section 14.1.2 has it, for content of `size` bytes.
///
/// Several ranges at once are answered with the whole, and so is any range of empty content:
/// some clients always send one, and there is nothing that they could miss.
pub fn parse_range(header: &str, size: u64) -> RangeRequest {
    let Some((first, last)) = parse_single(header) else {
        return RangeRequest::Whole;
    };
    match (first, last) {
        _ if size == 0 => RangeRequest::Whole,
        (Some(start), _) if start >= size => RangeRequest::Unsatisfiable,
        // RFC 9110 leaves a range that ends before it begins to the server; the conformance suite wants it refused.
        (Some(start), Some(last)) if last < start => RangeRequest::Unsatisfiable,
        (Some(start), last) => {
            let end_inclusive = last.map_or(size - 1, |last| last.min(size - 1));
            RangeRequest::Part {
                start,
                end_inclusive,
            }
        }
        (None, None | Some(0)) => RangeRequest::Unsatisfiable,
        (None, Some(suffix)) => RangeRequest::Part {
            start: size.saturating_sub(suffix),
            end_inclusive: size - 1,
        },
    }
}

/// The two numbers of a well-formed header with one range.
fn parse_single(header: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, ranges) = header.split_once('=')?;
    if !unit.trim_matches([' ', '\t']).eq_ignore_ascii_case("bytes") {
        return None;
    }
    // A list may have empty elements.
    let mut specs = ranges
        .split(',')
        .map(|spec| spec.trim_matches([' ', '\t']))
        .filter(|spec| !spec.is_empty());
    let (spec, None) = (specs.next()?, specs.next()) else {
        return None;
    };
    let (first, last) = spec.split_once('-')?;
    let first = optional_number(first)?;
    let last = optional_number(last)?;
    (first.is_some() || last.is_some()).then_some((first, last))
}

/// `None` if the text is neither empty nor a number.
#[expect(
    clippy::option_option,
    reason = "absent and malformed are different answers"
)]
fn optional_number(text: &str) -> Option<Option<u64>> {
    if text.is_empty() {
        Some(None)
    } else {
        saturating_number(text).map(Some)
    }
}

/// A number too large to hold is beyond every content, whatever it is exactly.
fn saturating_number(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().unwrap_or(u64::MAX))
}

/// Where a chunk of an upload belongs: the header `Content-Range: 0-99`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// The chunk's first byte.
    pub start: u64,
    /// The chunk's last byte, not below `start`.
    pub end_inclusive: u64,
}

/// The text is not a [`ContentRange`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not the range of a chunk: expected `<first byte>-<last byte>`")]
pub struct ContentRangeError {
    /// The beginning of the text.
    pub text: String,
}

impl ContentRange {
    /// How many bytes the chunk has; the largest number for a chunk that would have one more.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a chunk with a range has at least one byte"
    )]
    pub fn len(&self) -> u64 {
        (self.end_inclusive - self.start).saturating_add(1)
    }
}

impl FromStr for ContentRange {
    type Err = ContentRangeError;

    fn from_str(text: &str) -> Result<Self, ContentRangeError> {
        parse_content_range(text).ok_or_else(|| ContentRangeError {
            text: excerpt(text),
        })
    }
}

/// Takes the specification's bare form and HTTP's own, `bytes 0-99/*`.
fn parse_content_range(text: &str) -> Option<ContentRange> {
    let text = text.trim_matches([' ', '\t']);
    let range = match text.split_once([' ', '=']) {
        Some((unit, range)) if unit.eq_ignore_ascii_case("bytes") => {
            range.trim_matches([' ', '\t'])
        }
        Some(_) => return None,
        None => text,
    };
    let (range, total) = match range.split_once('/') {
        None | Some((_, "*")) => (range.split('/').next()?, None),
        Some((range, total)) => (range, Some(exact_number(total)?)),
    };
    let (start, end) = range.split_once('-')?;
    let range = ContentRange {
        start: exact_number(start)?,
        end_inclusive: exact_number(end)?,
    };
    let inside = total.is_none_or(|total| range.end_inclusive < total);
    (range.start <= range.end_inclusive && inside).then_some(range)
}

fn exact_number(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

impl fmt::Display for ContentRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.start, self.end_inclusive)
    }
}

#[cfg(test)]
mod tests {
    use super::RangeRequest::{Unsatisfiable, Whole};
    use super::*;

    fn part(start: u64, end_inclusive: u64) -> RangeRequest {
        RangeRequest::Part {
            start,
            end_inclusive,
        }
    }

    #[test]
    fn a_range_is_a_part_of_content_of_ten_bytes() {
        let rows = [
            ("bytes=0-0", part(0, 0)),
            ("bytes=0-9", part(0, 9)),
            ("bytes=2-5", part(2, 5)),
            ("bytes=0-10", part(0, 9)),
            ("bytes=9-", part(9, 9)),
            ("bytes=0-", part(0, 9)),
            ("bytes=-1", part(9, 9)),
            ("bytes=-10", part(0, 9)),
            ("bytes=-11", part(0, 9)),
            ("bytes=3-99999999999999999999999999", part(3, 9)),
            ("bytes=-99999999999999999999999999", part(0, 9)),
            ("BYTES=1-2", part(1, 2)),
            ("bytes= 1-2 ", part(1, 2)),
            ("bytes=,1-2,,", part(1, 2)),
            ("bytes=0001-0002", part(1, 2)),
        ];
        for (header, expected) in rows {
            assert_eq!(parse_range(header, 10), expected, "{header}");
        }
    }

    #[test]
    fn a_range_outside_of_the_content_is_unsatisfiable() {
        for header in [
            "bytes=10-",
            "bytes=10-11",
            "bytes=99999999999999999999-",
            "bytes=-0",
            "bytes=5-4",
        ] {
            assert_eq!(parse_range(header, 10), Unsatisfiable, "{header}");
        }
    }

    #[test]
    fn a_header_of_no_use_is_ignored() {
        let headers = [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=,",
            "bytes=0-1,2-3",
            "bytes=a-b",
            "bytes=0-1-2",
            "bytes=+1-2",
            "bytes=1--2",
            "bytes=0x1-2",
            "bytes=1 - 2",
            "bytes=٣-٤",
            "items=0-1",
            "0-1",
            "bytes:0-1",
            "bytes 0-1",
        ];
        for header in headers {
            assert_eq!(parse_range(header, 10), Whole, "{header}");
        }
    }

    #[test]
    fn empty_content_is_always_sent_whole() {
        for header in ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0", "bytes=7-8"] {
            assert_eq!(parse_range(header, 0), Whole, "{header}");
        }
    }

    #[test]
    fn the_largest_content_has_a_last_byte() {
        assert_eq!(
            parse_range("bytes=-1", u64::MAX),
            part(u64::MAX - 1, u64::MAX - 1)
        );
        assert_eq!(
            parse_range("bytes=18446744073709551615-", u64::MAX),
            Unsatisfiable
        );
    }

    #[test]
    fn a_chunk_names_its_first_and_last_byte() {
        let rows = [
            ("0-0", 0, 0),
            ("0-99", 0, 99),
            ("100-199", 100, 199),
            (" 5-6\t", 5, 6),
            ("bytes 5-6/7", 5, 6),
            ("bytes 5-6/*", 5, 6),
            ("Bytes 5-6", 5, 6),
            ("bytes=5-6", 5, 6),
            ("0-18446744073709551615", 0, u64::MAX),
        ];
        for (text, start, end_inclusive) in rows {
            let range: ContentRange = text.parse().expect(text);

            assert_eq!(
                range,
                ContentRange {
                    start,
                    end_inclusive
                }
            );
            assert_eq!(range.len(), (end_inclusive - start).saturating_add(1));
            assert_eq!(range.to_string().parse(), Ok(range));
        }
    }

    #[test]
    fn a_chunk_without_bytes_or_sense_is_refused() {
        let texts = [
            "",
            "-",
            "0",
            "0-",
            "-1",
            "2-1",
            "a-b",
            "+1-2",
            "1--2",
            "1-2-3",
            "bytes",
            "bytes ",
            "bytes */7",
            "bytes 5-6/6",
            "bytes 5-6/x",
            "bytes 5-6/7/8",
            "items 5-6",
            "0-18446744073709551616",
            "1 - 2",
        ];
        for text in texts {
            assert_eq!(
                text.parse::<ContentRange>(),
                Err(ContentRangeError {
                    text: text.to_owned()
                })
            );
        }
    }
}
