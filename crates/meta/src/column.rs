//! How the types of the specification lie in columns.

use std::str::FromStr;

use boxyard_oci::{Digest, MediaType, RepoName, Tag};
use bytes::Bytes;
use rusqlite::{Error, Row, types::Type};

/// A column that does not hold what this program wrote there.
#[derive(Debug, thiserror::Error)]
#[error("column does not hold a {expected}")]
struct Malformed {
    expected: &'static str,
}

pub(crate) fn digest(row: &Row<'_>, index: usize) -> rusqlite::Result<Digest> {
    let bytes = row.get_ref(index)?.as_blob()?;
    Digest::from_bytes(bytes).ok_or_else(|| malformed(index, Type::Blob, "digest"))
}

pub(crate) fn repo(row: &Row<'_>, index: usize) -> rusqlite::Result<RepoName> {
    text(row, index, "repository name")
}

pub(crate) fn tag(row: &Row<'_>, index: usize) -> rusqlite::Result<Tag> {
    text(row, index, "tag")
}

pub(crate) fn media_type(row: &Row<'_>, index: usize) -> rusqlite::Result<MediaType> {
    text(row, index, "media type")
}

pub(crate) fn bytes(row: &Row<'_>, index: usize) -> rusqlite::Result<Bytes> {
    Ok(Bytes::from(row.get::<_, Vec<u8>>(index)?))
}

pub(crate) fn optional_bytes(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Bytes>> {
    Ok(row.get::<_, Option<Vec<u8>>>(index)?.map(Bytes::from))
}

pub(crate) fn size(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    let stored = row.get(index)?;
    u64::try_from(stored).map_err(|_| Error::IntegralValueOutOfRange(index, stored))
}

/// A size or a count as the engines store it. No file is larger than what fits.
pub(crate) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The number of rows that a page may have.
pub(crate) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// The error for a column of which this program cannot make sense.
pub(crate) fn malformed(index: usize, kind: Type, expected: &'static str) -> Error {
    Error::FromSqlConversionFailure(index, kind, Box::new(Malformed { expected }))
}

fn text<T: FromStr>(row: &Row<'_>, index: usize, expected: &'static str) -> rusqlite::Result<T> {
    let text = row.get_ref(index)?.as_str()?;
    text.parse()
        .map_err(|_| malformed(index, Type::Text, expected))
}
