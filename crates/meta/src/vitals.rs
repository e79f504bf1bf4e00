//! How the database is, as far as numbers say it.

use std::collections::BTreeMap;

use crate::{FindingKind, Meta, MetaError, statements::Statements};

/// The numbers of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseVitals {
    /// Commits since the start.
    pub commits: u64,
    /// Changes that were in them.
    pub changes: u64,
    /// Changes that wait or run.
    pub waiting: u64,
    /// Size of the file.
    pub bytes: u64,
    /// Size of its log.
    pub log_bytes: u64,
    /// The open findings of each kind that has some.
    pub findings: BTreeMap<FindingKind, u64>,
}

impl Meta {
    /// Counts and measures.
    pub async fn vitals(&self) -> Result<DatabaseVitals, MetaError> {
        let [file, log, _] = Self::files(&self.shared.path);
        let counted = self
            .read(move |db| {
                let size = |path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
                let sql = "SELECT kind, COUNT(*) FROM findings GROUP BY kind";
                let kinds = db.all(sql, [], |row| {
                    let kind: String = row.get(0)?;
                    let count: i64 = row.get(1)?;
                    Ok((kind, count))
                })?;
                Ok((kinds, size(file), size(log)))
            })
            .await?;
        let (kinds, bytes, log_bytes) = counted;
        let findings = kinds
            .into_iter()
            .filter_map(|(kind, count)| Some((kind.parse().ok()?, u64::try_from(count).ok()?)));
        let done = self.shared.writer.done();
        Ok(DatabaseVitals {
            commits: done.commits,
            changes: done.changes,
            waiting: self.shared.writer.waiting() as u64,
            bytes,
            log_bytes,
            findings: findings.collect(),
        })
    }
}
