//! Changes: one thread that owns the write connection and groups what waits into one commit.

mod group;
mod touched;

use std::{
    cell::Cell,
    ops::Deref,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use self::{
    group::{Group, Next},
    touched::Touched,
};
use crate::{
    cache::stamps::Stamps,
    checkpoints::Bell,
    clock::Timestamp,
    connection::{self, Purpose},
    error::{CommitError, MetaError, OpenError},
    faults::CommitFaults,
    migrate::migrate,
    projections,
    statements::Statements,
};

/// How many changes may wait; further callers wait for a place.
const WAITING: usize = 1024;

/// The handle of the thread.
pub(crate) struct Writer {
    sender: Sender<Message>,
    places: Arc<Semaphore>,
    thread: Mutex<Option<JoinHandle<()>>>,
    tally: Arc<Tally>,
}

/// What was committed since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) commits: u64,
    /// The changes that shared them.
    pub(crate) changes: u64,
}

/// The count of it.
#[derive(Debug, Default)]
struct Tally {
    commits: AtomicU64,
    changes: AtomicU64,
}

/// The transaction of a change, with the time at which it happens.
pub(crate) struct Write<'a> {
    db: &'a Connection,
    pub(crate) now: Timestamp,
    /// The last number that the projection queue has given away. Lost changes leave gaps.
    sequence: &'a Cell<i64>,
    /// None where nobody remembers what is changed.
    touched: Option<&'a Touched<'a>>,
    /// Whether there are findings, once somebody has asked: each change of a path would look for some to close, and mostly there are none.
    pub(crate) findings: Cell<Option<bool>>,
}

impl<'a> Write<'a> {
    /// A transaction of a connection that cannot change the file: what it changes is its own.
    pub(crate) fn aside(db: &'a Connection, sequence: &'a Cell<i64>) -> Self {
        Self {
            db,
            now: Timestamp::now(),
            sequence,
            touched: None,
            findings: Cell::new(None),
        }
    }

    /// A number larger than any that this process has seen in the projection queue.
    pub(crate) fn next_sequence(&self) -> i64 {
        let next = self.sequence.get() + 1;
        self.sequence.set(next);
        next
    }
}

impl Deref for Write<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.db
    }
}

enum Message {
    Job(Box<dyn Job>),
    Stop,
}

/// A change and whoever waits for it.
trait Job: Send {
    /// Makes the change and keeps what came of it; one that was undone is made again.
    fn run(&mut self, tx: &Write<'_>) -> Result<(), MetaError>;

    /// Tells the caller, now that the group is committed or lost.
    fn answer(self: Box<Self>, commit: Result<(), Arc<CommitError>>);
}

struct Task<T, F> {
    work: F,
    result: Option<Result<T, MetaError>>,
    caller: oneshot::Sender<Result<T, MetaError>>,
    _place: OwnedSemaphorePermit,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: Fn(&Write<'_>) -> rusqlite::Result<T> + Send,
{
    fn run(&mut self, tx: &Write<'_>) -> Result<(), MetaError> {
        let result = (self.work)(tx).map_err(MetaError::from);
        let outcome = result.as_ref().map(|_| ()).map_err(Clone::clone);
        self.result = Some(result);
        outcome
    }

    fn answer(self: Box<Self>, commit: Result<(), Arc<CommitError>>) {
        let result = match (self.result, commit) {
            // Its own error says more than the group's.
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (_, Err(error)) => Err(MetaError::Commit(error)),
            (None, Ok(())) => Err(MetaError::Closed),
        };
        // A caller that went away needs no answer; its change stays.
        let _gone = self.caller.send(result);
    }
}

impl Writer {
    /// Opens and migrates the database at `path`, then starts the thread.
    pub(crate) fn start(
        path: &Path,
        faults: Arc<dyn CommitFaults>,
        stamps: Arc<Stamps>,
        bell: impl FnOnce() -> Result<Bell, OpenError>,
    ) -> Result<Self, OpenError> {
        let mut db = connection::open(path, Purpose::Create)
            .map_err(|source| OpenError::of(path, source))?;
        migrate(&mut db, path)?;
        let (sender, receiver) = mpsc::channel();
        let mut desk = Desk {
            path: path.to_owned(),
            faults,
            stamps,
            bell: bell()?,
            receiver,
            db: None,
            sequence: Cell::new(0),
            tally: Arc::default(),
        };
        let tally = Arc::clone(&desk.tally);
        desk.take(db)
            .map_err(|source| OpenError::of(path, source))?;
        let thread = thread::Builder::new()
            .name("meta-writer".to_owned())
            .spawn(move || desk.serve())
            .map_err(OpenError::Thread)?;
        let places = Arc::new(Semaphore::new(WAITING));
        Ok(Self {
            sender,
            places,
            thread: Mutex::new(Some(thread)),
            tally,
        })
    }

    /// Makes a change durable, together with whatever else waits.
    ///
    /// It happens even when the caller stops waiting for it. `work` may be done again after all
    /// that it has changed was taken back.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, MetaError>
    where
        T: Send + 'static,
        F: Fn(&Write<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let places = Arc::clone(&self.places);
        let place = places
            .acquire_owned()
            .await
            .map_err(|_| MetaError::Closed)?;
        let (caller, answer) = oneshot::channel();
        let task = Task {
            work,
            result: None,
            caller,
            _place: place,
        };
        self.sender
            .send(Message::Job(Box::new(task)))
            .map_err(|_| MetaError::Closed)?;
        answer.await.map_err(|_| MetaError::Closed)?
    }

    /// What was committed since the start.
    pub(crate) fn done(&self) -> Done {
        Done {
            commits: self.tally.commits.load(Ordering::Relaxed),
            changes: self.tally.changes.load(Ordering::Relaxed),
        }
    }

    /// How many changes wait or run.
    pub(crate) fn waiting(&self) -> usize {
        WAITING - self.places.available_permits()
    }

    /// Ends the thread after what already waits.
    pub(crate) fn stop(&self) {
        self.places.close();
        // A thread that is gone already needs no message.
        let _gone = self.sender.send(Message::Stop);
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the writer thread has panicked");
        }
    }
}

/// What the thread works with.
struct Desk {
    path: PathBuf,
    faults: Arc<dyn CommitFaults>,
    /// What tells readers that what they remember has changed.
    stamps: Arc<Stamps>,
    bell: Bell,
    receiver: Receiver<Message>,
    /// Missing after a failed commit, until it opens again.
    db: Option<Connection>,
    sequence: Cell<i64>,
    tally: Arc<Tally>,
}

impl Desk {
    fn serve(mut self) {
        while let Ok(Message::Job(first)) = self.receiver.recv() {
            if self.group(first) == Next::Stop {
                break;
            }
        }
    }

    /// Runs `first` and what waits behind it, commits once and answers all.
    fn group(&mut self, first: Box<dyn Job>) -> Next {
        let mut group = Group::of(first);
        let outcome = self.commit(&mut group).map_err(Arc::new);
        if let Err(error) = &outcome {
            tracing::error!(
                error = error as &dyn std::error::Error,
                "commit to the database"
            );
            // A sync that failed is not asked again: the pages it was about may be gone. What
            // the log really holds is read anew before anything is answered from it.
            self.db = None;
            self.stamps.doubt();
        }
        for job in group.jobs {
            job.answer(outcome.clone());
        }
        if let Some(db) = &self.db {
            self.bell.finish(db);
        }
        group.next
    }

    fn commit(&mut self, group: &mut Group) -> Result<(), CommitError> {
        if self.db.is_none() {
            self.reopen().map_err(CommitError::Reopen)?;
        }
        let db = self.db.as_ref().expect("it has just been opened");
        let touched = Touched::new(&self.stamps);
        let tx = Write {
            db,
            now: Timestamp::now(),
            sequence: &self.sequence,
            touched: Some(&touched),
            findings: Cell::new(None),
        };
        db.change("BEGIN IMMEDIATE", []).map_err(CommitError::Sql)?;
        if group.run_together(&tx, &self.receiver).is_err() {
            group.run_apart(&tx, &self.receiver)?;
        }
        self.faults.before_commit().map_err(CommitError::Fault)?;
        touched.changing();
        let committed = db.change("COMMIT", []);
        touched.changed();
        committed.map_err(CommitError::Sql)?;
        self.tally.commits.fetch_add(1, Ordering::Relaxed);
        let changes = group.jobs.len() as u64;
        self.tally.changes.fetch_add(changes, Ordering::Relaxed);
        self.faults.after_commit().map_err(CommitError::Fault)
    }

    fn reopen(&mut self) -> Result<(), OpenError> {
        let sql = |source| OpenError::of(&self.path, source);
        let db = connection::open(&self.path, Purpose::Write).map_err(sql)?;
        self.take(db)
            .map_err(|source| OpenError::of(&self.path, source))?;
        self.stamps.trust();
        Ok(())
    }

    /// Works on `db` from now on, telling the checkpoints how long the log gets.
    fn take(&mut self, mut db: Connection) -> rusqlite::Result<()> {
        let given = projections::last_sequence(&db)?.max(self.sequence.get());
        self.sequence.set(given);
        let bell = self.bell.clone();
        db.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            bell.committed(pages);
            Ok(())
        }))?;
        self.db = Some(db);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
