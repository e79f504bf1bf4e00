//! Events of pulls: many, and no pull waits for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use boxyard_registry::{Event, Registry};
use tokio::sync::mpsc::{self, Receiver, Sender, error::TrySendError};
use tokio_util::sync::CancellationToken;

use crate::error::chain;

/// How many pulls may wait to be written down; more are dropped.
const WAITING: usize = 8_192;
/// How many are written in one go.
const GROUP: usize = 256;

/// Takes events of pulls.
#[derive(Clone, Debug)]
pub(super) struct Pulls {
    sender: Sender<Event>,
    dropped: Arc<AtomicU64>,
}

/// Writes them to the outbox.
#[derive(Debug)]
pub(super) struct Scribe {
    registry: Arc<Registry>,
    receiver: Receiver<Event>,
    dropped: Arc<AtomicU64>,
    stop: CancellationToken,
}

/// A way from pulls to the outbox.
pub(super) fn channel(registry: Arc<Registry>, stop: CancellationToken) -> (Pulls, Scribe) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let dropped = Arc::default();
    let pulls = Pulls {
        sender,
        dropped: Arc::clone(&dropped),
    };
    let scribe = Scribe {
        registry,
        receiver,
        dropped,
        stop,
    };
    (pulls, scribe)
}

impl Pulls {
    /// Takes events, or counts them where too many wait.
    pub(super) fn note(&self, events: Vec<Event>) {
        for event in events {
            if let Err(TrySendError::Full(_)) = self.sender.try_send(event) {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Scribe {
    /// Runs until it is time to stop, and then writes what still waits.
    pub(super) async fn run(mut self) {
        let mut group = Vec::with_capacity(GROUP);
        loop {
            let stop = self.stop.clone();
            let more = tokio::select! {
                biased;
                read = self.receiver.recv_many(&mut group, GROUP) => read > 0,
                () = stop.cancelled() => false,
            };
            if !more {
                break;
            }
            self.write(std::mem::take(&mut group)).await;
        }
    }

    async fn write(&self, events: Vec<Event>) {
        if let Err(error) = self.registry.record_events(events).await {
            tracing::error!(error = %chain(&error), "notifications of pulls were lost");
        }
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(
                dropped,
                "there were more pulls than could be noted: some notifications of pulls were dropped"
            );
        }
    }
}
