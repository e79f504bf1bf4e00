//! Brings the schema of the file up to what this program knows.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::{clock::Timestamp, error::OpenError};

/// Every migration in its order; what has been released is never changed again.
const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "0001_initial",
        sql: include_str!("migrations/0001_initial.sql"),
    },
    Migration {
        name: "0002_events",
        sql: include_str!("migrations/0002_events.sql"),
    },
    Migration {
        name: "0003_reviews",
        sql: include_str!("migrations/0003_reviews.sql"),
    },
    Migration {
        name: "0004_earlier_reviews",
        sql: include_str!("migrations/0004_earlier_reviews.sql"),
    },
    Migration {
        name: "0005_neighbours",
        sql: include_str!("migrations/0005_neighbours.sql"),
    },
];

struct Migration {
    name: &'static str,
    sql: &'static str,
}

/// Makes `db` use a write-ahead log and the newest schema.
pub(crate) fn migrate(db: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let sql = |source| OpenError::of(path, source);
    refuse_newer(schema(db).map_err(sql)?)?;
    if !use_log(db).map_err(sql)? {
        let path = path.to_owned();
        return Err(OpenError::Unusable { path, source: None });
    }
    // Read again under the write lock: another process may have migrated meanwhile.
    let transaction = db
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(sql)?;
    let found = schema(&transaction).map_err(sql)?;
    refuse_newer(found)?;
    apply(&transaction, found).map_err(sql)?;
    transaction.commit().map_err(sql)
}

/// Refuses a file that no version of this program, or only a newer one, has written.
pub(crate) fn refuse_unknown(db: &Connection, path: &Path) -> Result<(), OpenError> {
    match schema(db).map_err(|source| OpenError::of(path, source))? {
        0 => Err(OpenError::NoRegistry {
            path: path.to_owned(),
        }),
        found => refuse_newer(found),
    }
}

fn refuse_newer(found: u32) -> Result<(), OpenError> {
    let known = numbered().map(|(number, _)| number).max().unwrap_or(0);
    if found > known {
        return Err(OpenError::NewerSchema { found, known });
    }
    Ok(())
}

/// The migrations with their numbers, which begin at 1.
fn numbered() -> impl Iterator<Item = (u32, &'static Migration)> {
    (1..).zip(MIGRATIONS)
}

/// The number of the last migration that the file has seen; 0 for a new file.
fn schema(db: &Connection) -> rusqlite::Result<u32> {
    let table = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'migrations')";
    if !db.query_row(table, [], |row| row.get(0))? {
        return Ok(0);
    }
    let last = "SELECT COALESCE(MAX(number), 0) FROM migrations";
    db.query_row(last, [], |row| row.get(0))
}

/// Whether the engine agrees to a write-ahead log; it does not where memory cannot be shared.
fn use_log(db: &Connection) -> rusqlite::Result<bool> {
    let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    Ok(mode == "wal")
}

fn apply(transaction: &Transaction<'_>, found: u32) -> rusqlite::Result<()> {
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS migrations (
             number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL
         ) STRICT",
    )?;
    for (number, migration) in numbered().filter(|(number, _)| *number > found) {
        tracing::info!(migration = migration.name, "migrating the database");
        transaction.execute_batch(migration.sql)?;
        transaction.execute(
            "INSERT INTO migrations (number, name, applied_at) VALUES ($1, $2, $3)",
            (number, migration.name, Timestamp::now()),
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
