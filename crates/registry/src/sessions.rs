//! Open uploads: who writes to one, and how a newer request takes it over.

use std::collections::HashMap;
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
    open: Mutex<HashMap<UploadId, Arc<Session>>>,
}

impl Sessions {
    /// The session of `id` in `repo`; an id of another repository answers none.
    pub(crate) fn get(&self, repo: &RepoName, id: &UploadId) -> Option<Arc<Session>> {
        let mut open = self.lock();
        if open.len() >= KEPT {
            drop_idle(&mut open);
        }
        let session = open
            .entry(id.clone())
            .or_insert_with(|| Arc::new(new_session(repo, Slot::Unread)));
        (session.repo == *repo).then(|| Arc::clone(session))
    }

    /// Registers a session that has just begun.
    pub(crate) fn begin(&self, repo: &RepoName, id: UploadId, upload: Upload) {
        let owner = upload.owner().map(ToOwned::to_owned);
        let session = new_session(repo, Slot::Open(Box::new(upload)));
        session.set_owner(owner);
        self.lock().insert(id, Arc::new(session));
    }

    /// How many uploads are in memory and not at their end; one that somebody writes to is not.
    pub(crate) fn open(&self) -> u64 {
        let is_open = |session: &Arc<Session>| match session.slot.try_lock().as_deref() {
            Ok(Slot::Open(_)) | Err(_) => true,
            Ok(Slot::Unread | Slot::Finished(..) | Slot::Gone) => false,
        };
        self.lock().values().filter(|one| is_open(one)).count() as u64
    }

    /// Forgets a session that never was.
    pub(crate) fn forget(&self, id: &UploadId) {
        self.lock().remove(id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<UploadId, Arc<Session>>> {
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

/// Drops what nobody holds: a finished session after its time, an open one because its file can be read again.
fn drop_idle(open: &mut HashMap<UploadId, Arc<Session>>) {
    open.retain(|_, session| {
        if Arc::strong_count(session) > 1 {
            return true;
        }
        match session.slot.try_lock().as_deref() {
            Ok(Slot::Finished(_, at)) => at.elapsed() < REMEMBERED,
            Ok(_) => false,
            Err(_) => true,
        }
    });
}
