//! Open uploads: who writes to one, and how a newer request takes it over.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use boxyard_blobs::{Upload, UploadId};
use boxyard_oci::{Digest, RepoName};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard, watch};
use tokio::time::Instant;

/// How long a finished session answers its last request again.
const REMEMBERED: Duration = Duration::from_mins(10);
/// How many sessions are kept in memory before the idle ones are dropped; their files stay.
const KEPT: usize = 10_000;
/// How many of those that have finished are remembered.
const FINISHED: usize = 10_000;

/// What the server knows of one session beyond its file.
#[derive(Debug)]
pub(crate) struct Session {
    repo: RepoName,
    /// Who began it, once that was looked up; without an owner it belongs to whoever may push.
    owner: OnceLock<Option<String>>,
    turn: watch::Sender<u64>,
    slot: AsyncMutex<Slot>,
}

/// The writer's end of a session.
#[derive(Debug)]
pub(crate) enum Slot {
    /// Nothing is in memory; the file, if there is one, tells.
    Unread,
    /// The file and its hash state.
    Open(Box<Upload>),
    /// The session ended in this blob.
    Finished(Digest, Instant),
    /// The session was cancelled, or dropped after a failure.
    Gone,
}

/// A request's exclusive hold on a session, until a newer request wants it.
pub(crate) struct Turn<'a> {
    pub(crate) slot: MutexGuard<'a, Slot>,
    number: u64,
    turns: watch::Receiver<u64>,
}

impl Session {
    /// Who began it, if that was looked up before.
    pub(crate) fn owner(&self) -> Option<&Option<String>> {
        self.owner.get()
    }

    /// Remembers who began it; that never changes.
    pub(crate) fn set_owner(&self, owner: Option<String>) {
        self.owner.get_or_init(|| owner);
    }

    /// Fences whoever writes now, waits until it has let go, and takes the session.
    ///
    /// The older writer is told before the offset is read, so that nothing it still holds can land behind it.
    pub(crate) async fn take_over(&self) -> Turn<'_> {
        let mut number = 0;
        self.turn.send_modify(|turn| {
            *turn += 1;
            number = *turn;
        });
        let slot = self.slot.lock().await;
        Turn {
            slot,
            number,
            turns: self.turn.subscribe(),
        }
    }
}

impl Session {
    /// The session, if no request has it.
    pub(crate) fn if_idle(&self) -> Option<MutexGuard<'_, Slot>> {
        self.slot.try_lock().ok()
    }
}

impl Turn<'_> {
    /// Ends when a newer request asks for the session.
    pub(crate) async fn over(&self) {
        let mut turns = self.turns.clone();
        let number = self.number;
        // An error means that the session itself is gone, which is as final.
        let _ = turns.wait_for(|turn| *turn != number).await;
    }
}

/// The sessions that this process has touched.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    sessions: HashMap<UploadId, Arc<Session>>,
    /// In the order in which they did.
    finished: VecDeque<UploadId>,
    /// When so many are in memory, the idle ones are dropped.
    sweep_at: usize,
}

impl Default for Open {
    fn default() -> Self {
        Self {
            sessions: HashMap::new(),
            finished: VecDeque::new(),
            sweep_at: KEPT,
        }
    }
}

impl Sessions {
    /// The session of `id` in `repo`; an id of another repository answers none.
    pub(crate) fn get(&self, repo: &RepoName, id: &UploadId) -> Option<Arc<Session>> {
        let mut open = self.lock();
        open.sweep();
        let session = open
            .sessions
            .entry(id.clone())
            .or_insert_with(|| Arc::new(new_session(repo, Slot::Unread)));
        (session.repo == *repo).then(|| Arc::clone(session))
    }

    /// Registers a session that has just begun.
    pub(crate) fn begin(&self, repo: &RepoName, id: UploadId, upload: Upload) -> Arc<Session> {
        let owner = upload.owner().map(ToOwned::to_owned);
        let session = new_session(repo, Slot::Open(Box::new(upload)));
        session.set_owner(owner);
        let session = Arc::new(session);
        let mut open = self.lock();
        open.sweep();
        open.sessions.insert(id, Arc::clone(&session));
        session
    }

    /// Remembers for a while that a session has finished, and forgets the oldest of too many.
    pub(crate) fn finished(&self, id: &UploadId) {
        let mut open = self.lock();
        open.finished.push_back(id.clone());
        if open.finished.len() > FINISHED
            && let Some(oldest) = open.finished.pop_front()
        {
            open.sessions.remove(&oldest);
        }
    }

    /// How many uploads are in memory and not at their end; one that somebody writes to is not.
    pub(crate) fn open(&self) -> u64 {
        let is_open = |session: &Arc<Session>| match session.slot.try_lock().as_deref() {
            Ok(Slot::Open(_)) | Err(_) => true,
            Ok(Slot::Unread | Slot::Finished(..) | Slot::Gone) => false,
        };
        self.lock()
            .sessions
            .values()
            .filter(|one| is_open(one))
            .count() as u64
    }

    /// Forgets a session that never was.
    pub(crate) fn forget(&self, id: &UploadId) {
        self.lock().sessions.remove(id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open
            .lock()
            .expect("no code panics while it holds the sessions")
    }
}

fn new_session(repo: &RepoName, slot: Slot) -> Session {
    Session {
        repo: repo.clone(),
        owner: OnceLock::new(),
        turn: watch::Sender::new(0),
        slot: AsyncMutex::new(slot),
    }
}

impl Open {
    /// Drops what nobody holds: a finished session after its time, an open one because its file can be read again.
    fn sweep(&mut self) {
        if self.sessions.len() < self.sweep_at {
            return;
        }
        self.sessions.retain(|_, session| {
            if Arc::strong_count(session) > 1 {
                return true;
            }
            match session.slot.try_lock().as_deref() {
                Ok(Slot::Finished(_, at)) => at.elapsed() < REMEMBERED,
                Ok(Slot::Open(upload)) => upload.is_young(),
                Ok(Slot::Unread | Slot::Gone) => false,
                Err(_) => true,
            }
        });
        // So that a look at all of them is shared by as many that come.
        self.sweep_at = KEPT.max(2 * self.sessions.len());
    }
}
