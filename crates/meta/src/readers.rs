//! Reads: a small pool of connections, each read one short transaction.
//!
//! A read of some rows costs a few microseconds where their pages are in memory, and a trip to
//! another thread costs several times that. So the small ones run where they are asked for, and
//! go off the async threads only while the disk turns out to be slow.

mod pace;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rusqlite::Connection;
use tokio::sync::Semaphore;

pub use self::pace::Pace;
use crate::{
    connection::{self, Purpose},
    error::MetaError,
    statements::Statements,
};

/// How many reads run at once; they are short, and more would only wait for the processors.
const READERS: usize = 8;

/// The pool. Connections open when they are first needed.
#[derive(Clone)]
pub(crate) struct Readers {
    path: Arc<PathBuf>,
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
    pace: Arc<Pace>,
}

impl Readers {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: Arc::new(path.to_owned()),
            permits: Arc::new(Semaphore::new(READERS)),
            idle: Arc::default(),
            pace: Arc::default(),
        }
    }

    /// Runs `read`, which is one statement that touches a few pages.
    ///
    /// One statement sees one state of the database without a transaction around it, which would
    /// cost as much again.
    pub(crate) async fn look<T, F>(&self, read: F) -> Result<T, MetaError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        if self.pace.is_slow() {
            let pool = self.clone();
            return self
                .permitted(move || pool.pace.timed(|| pool.with(read)))
                .await;
        }
        if self.permits.is_closed() {
            return Err(MetaError::Closed);
        }
        Ok(self.pace.timed(|| self.with(read))?)
    }

    /// Runs `read` on one snapshot of the database, off the async threads.
    pub(crate) async fn read<T, F>(&self, read: F) -> Result<T, MetaError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let pool = self.clone();
        self.permitted(move || pool.snapshot(read)).await
    }

    /// Runs `work` off the async threads, when its turn has come.
    async fn permitted<T, F>(&self, work: F) -> Result<T, MetaError>
    where
        T: Send + 'static,
        F: FnOnce() -> rusqlite::Result<T> + Send + 'static,
    {
        let permits = Arc::clone(&self.permits);
        let permit = permits
            .acquire_owned()
            .await
            .map_err(|_| MetaError::Closed)?;
        let work = move || {
            let result = work();
            // The connection is back before the next read may look for one.
            drop(permit);
            result
        };
        let result = tokio::task::spawn_blocking(work).await;
        Ok(result.map_err(|_| MetaError::Closed)??)
    }

    /// Ends the pool; reads that run go on, later ones are refused.
    pub(crate) fn close(&self) {
        self.permits.close();
        self.idle().clear();
    }

    fn snapshot<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.with(|db| {
            db.change("BEGIN", [])?;
            let result = read(db);
            db.change("ROLLBACK", [])?;
            result
        })
    }

    /// Runs `read` on a connection that nobody else has meanwhile.
    fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let idle = self.idle().pop();
        let db = match idle {
            Some(db) => db,
            None => connection::open(&self.path, Purpose::Read)?,
        };
        let result = read(&db);
        // A connection whose transaction does not end is dropped, which ends it.
        if db.is_autocommit() && !self.permits.is_closed() {
            self.idle().push(db);
        }
        result
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
