//! Findings: bad objects that somebody should look at. They stop nothing.

use std::{fmt, str::FromStr, time::SystemTime};

use boxyard_oci::RepoName;
use rusqlite::{Connection, Row, types::Type};

use crate::{Meta, MetaError, clock::Timestamp, column, statements::Statements, writer::Write};

/// What is wrong with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// A blob's file has another size than it should have.
    BlobSize,
    /// A blob's content does not have its digest.
    BlobDamaged,
    /// A blob is linked or named, but its file is not there.
    BlobMissing,
    /// A link file is empty or holds no digest.
    LinkGarbled,
    /// A tag's digest has no manifest in its repository.
    TagDangling,
    /// A manifest cannot be read as one.
    ManifestUnreadable,
    /// A file or folder bears no name that it could have.
    NameMalformed,
}

impl FindingKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::BlobSize,
        Self::BlobDamaged,
        Self::BlobMissing,
        Self::LinkGarbled,
        Self::TagDangling,
        Self::ManifestUnreadable,
        Self::NameMalformed,
    ];

    /// The name under which the database and the log know it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BlobSize => "blob_size",
            Self::BlobDamaged => "blob_damaged",
            Self::BlobMissing => "blob_missing",
            Self::LinkGarbled => "link_garbled",
            Self::TagDangling => "tag_dangling",
            Self::ManifestUnreadable => "manifest_unreadable",
            Self::NameMalformed => "name_malformed",
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A name that no kind of finding has.
#[derive(Debug, thiserror::Error)]
#[error("`{name}` is no kind of finding")]
pub struct UnknownFindingKind {
    name: String,
}

impl FromStr for FindingKind {
    type Err = UnknownFindingKind;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|kind| kind.as_str() == name);
        named.ok_or_else(|| UnknownFindingKind {
            name: name.to_owned(),
        })
    }
}

/// A bad object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub kind: FindingKind,
    /// In which repository, if it is of one.
    pub repo: Option<RepoName>,
    /// The object: a digest, a tag or a path.
    pub subject: String,
    /// What was seen and what was expected, for a person.
    pub detail: String,
}

/// A finding with its place in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFinding {
    /// Its place in the order of discovery; the next page begins after it.
    pub id: i64,
    /// What was found.
    pub finding: Finding,
    /// When it was found first.
    pub found_at: SystemTime,
    /// When it was found last.
    pub seen_at: SystemTime,
}

impl Meta {
    /// Records `finding`, or that it was seen again.
    pub async fn record_finding(&self, finding: &Finding) -> Result<(), MetaError> {
        let finding = finding.clone();
        self.write(move |tx| record(tx, &finding)).await
    }

    /// The open findings in the order of discovery, after the one with the id `after`.
    pub async fn findings(
        &self,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<StoredFinding>, MetaError> {
        self.read(move |db| {
            let sql = "SELECT id, kind, repository, subject, detail, found_at, seen_at
                       FROM findings WHERE id > $1 ORDER BY id LIMIT $2";
            db.all(sql, (after.unwrap_or(0), column::limit(limit)), stored)
        })
        .await
    }

    /// Closes what is open about `subject`; whether there was anything.
    pub async fn resolve_finding(&self, subject: &str) -> Result<bool, MetaError> {
        let subject = subject.to_owned();
        self.write(move |tx| resolve(tx, &subject)).await
    }
}

/// Whether there may be an open finding about anything; asked once for all changes that share a commit.
pub(crate) fn any(tx: &Write<'_>) -> rusqlite::Result<bool> {
    if let Some(any) = tx.findings.get() {
        return Ok(any);
    }
    let sql = "SELECT 1 FROM findings WHERE id > 0 LIMIT 1";
    let any = tx.one(sql, [], |_| Ok(()))?.is_some();
    tx.findings.set(Some(any));
    Ok(any)
}

pub(crate) fn record(tx: &Write<'_>, finding: &Finding) -> rusqlite::Result<()> {
    tx.findings.set(Some(true));
    let sql = "INSERT INTO findings (kind, repository, subject, detail, found_at, seen_at)
               VALUES ($1, $2, $3, $4, $5, $5)
               ON CONFLICT (subject, kind, repository)
               DO UPDATE SET detail = excluded.detail, seen_at = excluded.seen_at";
    let repo = finding.repo.as_ref().map_or("", RepoName::as_str);
    let params = (
        finding.kind.as_str(),
        repo,
        &finding.subject,
        &finding.detail,
        tx.now,
    );
    tx.change(sql, params).map(drop)
}

pub(crate) fn resolve(tx: &Write<'_>, subject: &str) -> rusqlite::Result<bool> {
    Ok(tx.change("DELETE FROM findings WHERE subject = $1", [subject])? > 0)
}

/// Closes what is open about `subject` in the repository with the id `repository`.
pub(crate) fn heal(tx: &Write<'_>, repository: i64, subject: &str) -> rusqlite::Result<()> {
    let sql = "DELETE FROM findings WHERE subject = $1
               AND repository = (SELECT name FROM repositories WHERE id = $2)";
    tx.change(sql, (subject, repository)).map(drop)
}

/// Whether an open finding of `kind` is about `subject`.
pub(crate) fn is_open(tx: &Write<'_>, kind: FindingKind, subject: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM findings WHERE subject = $1 AND kind = $2";
    Ok(tx.one(sql, (subject, kind.as_str()), |_| Ok(()))?.is_some())
}

/// Every finding in the order of discovery.
pub(crate) fn all(db: &Connection) -> rusqlite::Result<Vec<StoredFinding>> {
    let sql = "SELECT id, kind, repository, subject, detail, found_at, seen_at
               FROM findings ORDER BY id";
    db.all(sql, [], stored)
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredFinding> {
    let kind = row.get_ref(1)?.as_str()?.parse();
    let repo = if row.get_ref(2)?.as_str()?.is_empty() {
        None
    } else {
        Some(column::repo(row, 2)?)
    };
    Ok(StoredFinding {
        id: row.get(0)?,
        finding: Finding {
            kind: kind.map_err(|_| column::malformed(1, Type::Text, "kind of finding"))?,
            repo,
            subject: row.get(3)?,
            detail: row.get(4)?,
        },
        found_at: row.get::<_, Timestamp>(5)?.system(),
        seen_at: row.get::<_, Timestamp>(6)?.system(),
    })
}

#[cfg(test)]
mod tests;
