//! Damage that shows only while the database is open.
//!
//! Opening a database reads its first pages. Where a later one is damaged, whoever meets it
//! leaves a mark beside the file, so that the next opening says what this one could not.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use rusqlite::ffi;

use crate::error::{MetaError, OpenError};

/// What is known of the damage of an open database.
#[derive(Debug)]
pub(crate) struct Damage {
    mark: PathBuf,
    is_known: AtomicBool,
}

impl Damage {
    pub(crate) fn of(path: &Path) -> Self {
        Self {
            mark: mark(path),
            is_known: AtomicBool::new(false),
        }
    }

    /// Leaves the mark if the error is about damage.
    pub(crate) fn look_at<T>(&self, result: &Result<T, MetaError>) {
        let Err(error) = result else { return };
        if !error.is_corrupt() || self.is_known.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::error!(
            error = error as &dyn std::error::Error,
            "the database is damaged; the next start moves it aside"
        );
        if let Err(error) = File::create(&self.mark).and_then(|mark| mark.sync_all()) {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "mark the damaged database"
            );
        }
    }
}

/// Refuses a database that somebody has found damaged.
pub(crate) fn refuse_marked(path: &Path) -> Result<(), OpenError> {
    if !mark(path).exists() {
        return Ok(());
    }
    let code = ffi::Error::new(ffi::SQLITE_CORRUPT);
    let reason = "it was found damaged while it was open".to_owned();
    Err(OpenError::Corrupt {
        path: path.to_owned(),
        source: rusqlite::Error::SqliteFailure(code, Some(reason)),
    })
}

fn mark(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(crate::DAMAGE_MARK);
    name.into()
}

#[cfg(test)]
mod tests;
