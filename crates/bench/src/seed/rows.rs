//! Rows beyond what could be pushed in any reasonable time, put straight into the database of a server that rests.
//!
//! The server has made the schema and goes on with it, so these rows are like any others.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use rusqlite::Connection;

/// Gives every repository so many tags of a manifest that it has.
pub(crate) fn tags(file: &Path, count: u32) -> Result<()> {
    let inserted = open(file)?
        .execute(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
            INSERT INTO tags (repository_id, name, blob_id, created_at, updated_at)
            SELECT m.repository_id, printf('seeded-%07d', i), m.blob_id, m.created_at, m.created_at
            FROM (SELECT * FROM manifests LIMIT 1) m, n",
            [count],
        )
        .context("insert tags")?;
    ensure!(inserted == usize::try_from(count)?, "{inserted} tags came");
    Ok(())
}

/// Adds so many repositories that the catalog shows.
pub(crate) fn repositories(file: &Path, count: u32) -> Result<()> {
    let inserted = open(file)?
        .execute(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
            INSERT INTO repositories (name, listed, complete_run)
            SELECT printf('seeded/app-%06d', i), 1, generation FROM run, n",
            [count],
        )
        .context("insert repositories")?;
    ensure!(
        inserted == usize::try_from(count)?,
        "{inserted} repositories came"
    );
    Ok(())
}

fn open(file: &Path) -> Result<Connection> {
    Connection::open(file).context("open the database")
}
