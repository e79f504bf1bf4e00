//! Moving the log into the file, beside the writer.

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rusqlite::Connection;

use crate::{
    connection::{self, Purpose},
    error::OpenError,
};

/// How long the log may grow, in pages of 4 KiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogBounds {
    /// From here on the log is copied into the file while readers and the writer go on.
    pub(crate) copy: i32,
    /// From here on the writer waits until the log is empty again.
    pub(crate) empty: i32,
}

impl Default for LogBounds {
    fn default() -> Self {
        Self {
            // The pages of indexes are in the log again and again, and are copied once: a few MiB cost half the writes of one.
            copy: 4_000,
            empty: 16_000,
        }
    }
}

/// How long an emptying waits for readers, whose transactions last one page.
const PATIENCE: Duration = Duration::from_secs(1);

/// The thread that checkpoints.
pub(crate) struct Checkpoints {
    bell: Bell,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Wakes the thread; further rings are lost until it has looked.
#[derive(Clone)]
pub(crate) struct Bell {
    bounds: LogBounds,
    rung: Arc<AtomicBool>,
    sender: Sender<Message>,
}

enum Message {
    Look,
    Stop,
}

impl Checkpoints {
    /// Starts the thread for the database at `path`.
    pub(crate) fn start(path: &Path, bounds: LogBounds) -> Result<Self, OpenError> {
        let sql = |source| OpenError::of(path, source);
        let db = connection::open(path, Purpose::Checkpoint).map_err(sql)?;
        db.busy_timeout(PATIENCE).map_err(sql)?;
        let (sender, receiver) = mpsc::channel();
        let bell = Bell {
            bounds,
            rung: Arc::default(),
            sender,
        };
        let rung = Arc::clone(&bell.rung);
        let thread =
            spawn(move || serve(&db, bounds, &rung, &receiver)).map_err(OpenError::Thread)?;
        Ok(Self {
            bell,
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(crate) fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// Ends the thread after a last checkpoint, which leaves an empty log.
    pub(crate) fn stop(&self) {
        // A thread that is gone already needs no message.
        let _gone = self.bell.sender.send(Message::Stop);
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the checkpoint thread has panicked");
        }
    }
}

impl Bell {
    /// Called after each commit with the length of the log.
    pub(crate) fn committed(&self, pages: i32) {
        if pages >= self.bounds.copy && !self.rung.swap(true, Ordering::AcqRel) {
            // Without its thread the log only grows, and the next start shortens it.
            let _gone = self.sender.send(Message::Look);
        }
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new()
        .name("meta-checkpoint".to_owned())
        .spawn(work)
}

fn serve(db: &Connection, bounds: LogBounds, rung: &AtomicBool, receiver: &Receiver<Message>) {
    while let Ok(Message::Look) = receiver.recv() {
        rung.store(false, Ordering::Release);
        report(copy(db, bounds));
    }
    report(checkpoint(db, "PRAGMA wal_checkpoint(TRUNCATE)").map(drop));
}

fn copy(db: &Connection, bounds: LogBounds) -> rusqlite::Result<()> {
    let pages = checkpoint(db, "PRAGMA wal_checkpoint(PASSIVE)")?;
    if pages >= bounds.empty {
        // Nearly everything is copied by now, so the writer waits for little.
        checkpoint(db, "PRAGMA wal_checkpoint(TRUNCATE)")?;
    }
    Ok(())
}

/// Runs a checkpoint and answers how many pages the log had.
fn checkpoint(db: &Connection, sql: &str) -> rusqlite::Result<i32> {
    db.query_row(sql, [], |row| row.get(1))
}

/// A checkpoint that failed loses nothing: the log stays, and the next commit asks again.
fn report(result: rusqlite::Result<()>) {
    if let Err(error) = result {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "checkpoint the database"
        );
    }
}

#[cfg(test)]
mod tests;
