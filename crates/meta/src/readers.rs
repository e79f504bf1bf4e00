//! Reads: a small pool of connections, each read one short transaction.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rusqlite::Connection;
use tokio::sync::Semaphore;

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
}

impl Readers {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: Arc::new(path.to_owned()),
            permits: Arc::new(Semaphore::new(READERS)),
            idle: Arc::default(),
        }
    }

    /// Runs `read` on one snapshot of the database, off the async threads.
    pub(crate) async fn read<T, F>(&self, read: F) -> Result<T, MetaError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let permits = Arc::clone(&self.permits);
        let permit = permits
            .acquire_owned()
            .await
            .map_err(|_| MetaError::Closed)?;
        let pool = self.clone();
        let work = move || {
            let result = pool.snapshot(read);
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
        let idle = self.idle().pop();
        let db = match idle {
            Some(db) => db,
            None => connection::open(&self.path, Purpose::Read)?,
        };
        db.change("BEGIN", [])?;
        let result = read(&db);
        // A connection whose transaction does not end is dropped, which ends it.
        db.change("ROLLBACK", [])?;
        if !self.permits.is_closed() {
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
