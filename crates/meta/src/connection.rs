//! How each connection to the file is set up.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

/// The writer waits for the checkpoint of a long log; nobody else holds the write lock.
const BUSY: Duration = Duration::from_mins(1);

/// More statements than this crate has.
const STATEMENTS: usize = 256;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The first one, which makes the file if there is none and then changes rows.
    Create,
    /// The one that changes rows after that. It checkpoints only what another one has left, so that no client waits for much.
    Write,
    /// One of several that see one committed state per transaction.
    Read,
    /// The one that moves the log into the file.
    Checkpoint,
    /// One that tries a change out in temporary tables.
    Plan,
}

/// Opens the file at `path`. Only the first connection may make it: whoever lost it while it
/// was open must not go on with an empty one.
pub(crate) fn open(path: &Path, purpose: Purpose) -> rusqlite::Result<Connection> {
    let access = match purpose {
        // Of this one not even a mistake may change the file.
        Purpose::Plan => OpenFlags::SQLITE_OPEN_READ_ONLY,
        _ => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    let mut flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, purpose == Purpose::Create);
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    // One plan per statement, whatever is bound to it: what the tests have seen is what runs,
    // and no other value makes the engine plan again.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.execute_batch(settings(purpose))?;
    Ok(db)
}

/// Commits are synced (`FULL`) whatever the library was compiled for. Cache sizes are KiB.
fn settings(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Create | Purpose::Write => {
            "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
             PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY;"
        }
        Purpose::Read => {
            "PRAGMA query_only = ON; PRAGMA cache_size = -4096; PRAGMA temp_store = MEMORY;"
        }
        Purpose::Plan => "PRAGMA cache_size = -4096; PRAGMA temp_store = MEMORY;",
        Purpose::Checkpoint => "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_engine_is_built_to_sync_content_without_the_times_of_its_file() {
        let flags = option_env!("LIBSQLITE3_FLAGS").unwrap_or_default();

        assert!(flags.contains("-DHAVE_FDATASYNC=1"), "{flags}");
    }
}
