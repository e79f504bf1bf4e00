//! Moving the log into the file, and making room in it ahead, beside the writer.

mod room;

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI32, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rusqlite::Connection;

use self::room::Room;
use crate::{
    Meta,
    connection::{self, Purpose},
    error::OpenError,
};

/// From this length of the log on, in pages of 4 KiB, it is copied into the file.
///
/// The pages of indexes are in the log again and again, and are copied once: a few MiB cost half the writes of one.
pub(crate) const LOG_PAGES: i32 = 4_000;

/// How long the emptying of the log at the end waits for readers, whose transactions last one page.
const PATIENCE: Duration = Duration::from_secs(1);

/// The thread that checkpoints.
pub(crate) struct Checkpoints {
    bell: Bell,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Wakes the thread; further rings are lost until it has looked.
#[derive(Clone)]
pub(crate) struct Bell {
    /// The length from which on the log is copied.
    copy: i32,
    /// The same for the next time.
    due: Arc<AtomicI32>,
    /// Whether nearly all of the log is copied.
    copied: Arc<AtomicBool>,
    room: Arc<Room>,
    rung: Arc<AtomicBool>,
    sender: Sender<Message>,
}

enum Message {
    Look,
    Stop,
}

impl Checkpoints {
    /// Starts the thread for the database at `path`.
    ///
    /// The log is copied from a length of `copy` pages on.
    pub(crate) fn start(path: &Path, copy: i32) -> Result<Self, OpenError> {
        let sql = |source| OpenError::of(path, source);
        let db = connection::open(path, Purpose::Checkpoint).map_err(sql)?;
        db.busy_timeout(PATIENCE).map_err(sql)?;
        let (sender, receiver) = mpsc::channel();
        let [_, log, _] = Meta::files(path);
        let bell = Bell {
            copy,
            due: Arc::new(AtomicI32::new(copy)),
            copied: Arc::default(),
            room: Arc::new(Room::of(log)),
            rung: Arc::default(),
            sender,
        };
        let desk = Desk {
            db,
            bell: bell.clone(),
            receiver,
        };
        let thread = spawn(move || desk.serve()).map_err(OpenError::Thread)?;
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
        self.room.used(pages);
        if pages < self.copy {
            // It has begun anew.
            self.due.store(self.copy, Ordering::Relaxed);
        }
        let is_due = pages >= self.due.load(Ordering::Relaxed);
        if (is_due || self.room.is_short()) && !self.rung.swap(true, Ordering::AcqRel) {
            // Without its thread the log only grows, and the next start shortens it.
            let _gone = self.sender.send(Message::Look);
        }
    }

    /// Copies what came while the log was copied, on the connection of the writer, between two commits.
    ///
    /// The log begins anew with the next commit if nothing of it is left to copy, and while the writer goes on something always is.
    /// It is little, and the clients that wait were answered before.
    pub(crate) fn finish(&self, db: &Connection) {
        if self.copied.swap(false, Ordering::AcqRel) {
            report(copy(db));
        }
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new()
        .name("meta-checkpoint".to_owned())
        .spawn(work)
}

/// What the thread works with.
struct Desk {
    db: Connection,
    bell: Bell,
    receiver: Receiver<Message>,
}

impl Desk {
    fn serve(self) {
        while let Ok(Message::Look) = self.receiver.recv() {
            self.bell.rung.store(false, Ordering::Release);
            self.bell.room.make();
            let pages = self.bell.room.pages();
            if pages >= self.bell.due.load(Ordering::Relaxed) {
                report(copy(&self.db));
                // A reader that takes long, as a backup does, keeps the log from its new beginning: it is not tried again at each commit.
                let due = pages + self.bell.copy;
                self.bell.due.store(due, Ordering::Relaxed);
                self.bell.copied.store(true, Ordering::Release);
            }
        }
        report(checkpoint(&self.db, "PRAGMA wal_checkpoint(TRUNCATE)"));
    }
}

/// Copies the log into the file while readers and the writer go on.
fn copy(db: &Connection) -> rusqlite::Result<()> {
    checkpoint(db, "PRAGMA wal_checkpoint(PASSIVE)")
}

fn checkpoint(db: &Connection, sql: &str) -> rusqlite::Result<()> {
    db.query_row(sql, [], |_| Ok(()))
}

/// A checkpoint that failed loses nothing: the log stays, and a later commit asks again.
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
