//! Why the database refuses.

use std::{io, path::PathBuf, sync::Arc};

use rusqlite::ErrorCode;

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file is not a database, or not a whole one.
    #[error("the database `{}` is damaged", path.display())]
    Corrupt {
        /// Where it is.
        path: PathBuf,
        /// What the engine says.
        #[source]
        source: rusqlite::Error,
    },
    /// A newer version of this program has written the file.
    #[error(
        "the database has schema {found}, but this version knows {known}; run a newer version, or restore a backup"
    )]
    NewerSchema {
        /// The schema of the file.
        found: u32,
        /// The newest schema that this program knows.
        known: u32,
    },
    /// The file is a database, but none of a registry.
    #[error("`{}` is not the database of a registry", path.display())]
    NoRegistry {
        /// Where it is.
        path: PathBuf,
    },
    /// The filesystem cannot share memory between connections, or cannot lock.
    #[error(
        "the filesystem of `{}` cannot share memory or lock files; set `database.path` to a file on a local one",
        path.display()
    )]
    Unusable {
        /// Where the database was asked to be.
        path: PathBuf,
        /// What the engine says, if it says anything.
        #[source]
        source: Option<rusqlite::Error>,
    },
    /// Anything else, such as a missing right or a full disk.
    #[error("open the database `{}`", path.display())]
    Sql {
        /// Where it is.
        path: PathBuf,
        /// What the engine says.
        #[source]
        source: rusqlite::Error,
    },
    /// A thread of the database does not start.
    #[error("start a thread for the database")]
    Thread(#[source] io::Error),
}

impl OpenError {
    /// Sorts what the engine said about the file at `path`.
    pub(crate) fn of(path: &std::path::Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        if is_corrupt(&source) {
            Self::Corrupt { path, source }
        } else if is_unusable(&source) {
            let source = Some(source);
            Self::Unusable { path, source }
        } else {
            Self::Sql { path, source }
        }
    }
}

/// Why a read or a change failed. A change that fails may still have happened if its commit
/// is what failed; it is never acknowledged.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MetaError {
    /// A statement failed; nothing of its change remains.
    #[error("run a statement in the database")]
    Sql(#[source] Arc<rusqlite::Error>),
    /// The change was made, but not durably.
    #[error("commit to the database")]
    Commit(#[source] Arc<CommitError>),
    /// The database is closed or being closed.
    #[error("the database is closed")]
    Closed,
}

impl MetaError {
    /// Whether the disk is full, so that deleting something helps.
    pub fn is_full(&self) -> bool {
        self.engine()
            .is_some_and(|error| error.sqlite_error_code() == Some(ErrorCode::DiskFull))
    }

    /// Whether the database file is damaged.
    pub fn is_corrupt(&self) -> bool {
        self.engine().is_some_and(is_corrupt)
    }

    fn engine(&self) -> Option<&rusqlite::Error> {
        match self {
            Self::Sql(error) => Some(error),
            Self::Commit(error) => match error.as_ref() {
                CommitError::Sql(error) => Some(error),
                CommitError::Undone(cause) => cause.engine(),
                CommitError::Reopen(OpenError::Corrupt { source, .. }) => Some(source),
                CommitError::Reopen(_) | CommitError::Fault(_) => None,
            },
            Self::Closed => None,
        }
    }
}

impl From<rusqlite::Error> for MetaError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(Arc::new(error))
    }
}

/// Why a group of changes was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The engine could not begin, commit or sync.
    #[error("write the log of the database")]
    Sql(#[source] rusqlite::Error),
    /// One change failed so badly that the engine took back the whole group.
    #[error("the engine undid all changes of the group")]
    Undone(#[source] MetaError),
    /// An earlier commit failed, and the database does not open again.
    #[error("open the database again after a failed commit")]
    Reopen(#[source] OpenError),
    /// A test asked for this failure.
    #[error("injected fault")]
    Fault(#[source] io::Error),
}

fn is_corrupt(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// The extended codes by which the engine says that shared memory or locks do not work.
fn is_unusable(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi;
    let Some(error) = error.sqlite_error() else {
        return false;
    };
    matches!(
        error.extended_code,
        ffi::SQLITE_IOERR_SHMOPEN
            | ffi::SQLITE_IOERR_SHMSIZE
            | ffi::SQLITE_IOERR_SHMLOCK
            | ffi::SQLITE_IOERR_SHMMAP
            | ffi::SQLITE_IOERR_LOCK
            | ffi::SQLITE_IOERR_RDLOCK
            | ffi::SQLITE_PROTOCOL
            | ffi::SQLITE_NOLFS
    )
}
