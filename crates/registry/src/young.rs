//! Uploads in memory: each that is not finished within a moment gets its folder.
//!
//! So resuming after an orderly stop, purging, and another registry's purge see what they always saw.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::Registry;
use crate::error::{During, Internal, blocking};
use crate::sessions::{Session, Slot};

/// How long an upload stays in memory.
const YOUNG: Duration = Duration::from_secs(1);
/// How often it is looked for those that have been there for longer.
const LOOK: Duration = Duration::from_millis(250);

/// The sessions that began in memory, in the order in which they did.
#[derive(Debug, Default)]
pub(crate) struct Nursery {
    sessions: Mutex<VecDeque<(Instant, Weak<Session>)>>,
    came: Notify,
}

impl Nursery {
    pub(crate) fn add(&self, session: &Arc<Session>, now: Instant) {
        let was_empty = {
            let mut sessions = self.lock();
            sessions.push_back((now, Arc::downgrade(session)));
            sessions.len() == 1
        };
        if was_empty {
            self.came.notify_one();
        }
    }

    /// Takes those that began before `until` and are still known.
    fn take(&self, until: Instant) -> Vec<Arc<Session>> {
        let mut sessions = self.lock();
        let mut taken = Vec::new();
        while sessions.front().is_some_and(|(began, _)| *began <= until) {
            let session = sessions.pop_front();
            taken.extend(session.and_then(|(_, session)| session.upgrade()));
        }
        taken
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Instant, Weak<Session>)>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    /// The worker.
    pub(crate) async fn settle_uploads(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = self.nursery.came.notified() => {}
                () = self.stopping.cancelled() => return,
            }
            while !self.nursery.is_empty() {
                if tokio::time::timeout(LOOK, self.stopping.cancelled())
                    .await
                    .is_ok()
                {
                    return;
                }
                let Some(until) = Instant::now().checked_sub(YOUNG) else {
                    continue;
                };
                let registry = Arc::clone(&self);
                let settled = self.change(async move { registry.settle_young(until).await });
                settled.await.unwrap_or_else(|error| log_failure(&error));
            }
        }
    }

    /// Gives folders to all that is in memory; what cannot get one is left to the next start, which finds it written down.
    pub(crate) async fn settle_last_uploads(&self) {
        let settled = self.settle_young(Instant::now()).await;
        let ended = settled.and_then(|()| {
            let ended = self.folder.end_young();
            ended.during("end the uploads in memory")
        });
        ended.unwrap_or_else(|error| log_failure(&error));
    }

    /// Gives folders to the uploads that began before `until`, but for those that a request has right now.
    pub(crate) async fn settle_young(&self, until: Instant) -> Result<(), Internal> {
        let mut failed = Ok(());
        for session in self.nursery.take(until) {
            match self.settle_session(&session).await {
                Ok(true) => {}
                Ok(false) => self.nursery.add(&session, Instant::now()),
                Err(error) => {
                    self.nursery.add(&session, Instant::now());
                    failed = Err(error);
                }
            }
        }
        failed
    }

    /// Answers false if the session is in use.
    async fn settle_session(&self, session: &Session) -> Result<bool, Internal> {
        let Some(mut slot) = session.if_idle() else {
            return Ok(false);
        };
        let mut upload = match std::mem::replace(&mut *slot, Slot::Unread) {
            Slot::Open(upload) if upload.is_young() => upload,
            other => {
                *slot = other;
                return Ok(true);
            }
        };
        let (upload, settled) = blocking(move || {
            let settled = upload.settle();
            (upload, settled)
        })
        .await;
        *slot = Slot::Open(upload);
        settled.during("give an upload its folder").map(|()| true)
    }
}

fn log_failure(error: &Internal) {
    let source = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(%error, source, "an upload gets no folder now");
}
