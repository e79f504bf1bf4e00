//! Blobs that a pull found shorter than they were when it began.
//!
//! A pull that is under way has only its connection to end; the finding is made beside it.

use std::sync::Arc;

use boxyard_oci::Digest;
use tokio::sync::{Mutex as AsyncMutex, mpsc};

use crate::Registry;

/// Reports that may wait; a blob whose report is dropped is found by whoever asks for it next.
const WAITING: usize = 64;

/// What was reported and not looked at yet.
#[derive(Debug)]
pub(crate) struct Suspects {
    reports: mpsc::Sender<Digest>,
    inbox: AsyncMutex<mpsc::Receiver<Digest>>,
}

/// Whom an open blob tells.
#[derive(Clone, Debug)]
pub(crate) struct Reporter(mpsc::Sender<Digest>);

impl Default for Suspects {
    fn default() -> Self {
        let (reports, inbox) = mpsc::channel(WAITING);
        Self {
            reports,
            inbox: AsyncMutex::new(inbox),
        }
    }
}

impl Suspects {
    pub(crate) fn reporter(&self) -> Reporter {
        Reporter(self.reports.clone())
    }
}

impl Reporter {
    pub(crate) fn cut_short(&self, blob: Digest) {
        // Full or closed, the next one who asks for the blob finds out.
        let _ = self.0.try_send(blob);
    }
}

impl Registry {
    /// The worker: compares each reported blob with its row, which records the damage.
    pub(crate) async fn judge_suspects(self: Arc<Self>) {
        let mut inbox = self.suspects.inbox.lock().await;
        loop {
            let reported = tokio::select! {
                reported = inbox.recv() => reported,
                () = self.stopping.cancelled() => return,
            };
            let Some(digest) = reported else { return };
            if let Err(error) = self.good_at_rest(&digest).await {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(blob.digest = %digest, error = %error, source, "damaged blob could not be recorded");
            }
        }
    }
}
