//! Making an upload durable while it still arrives.
//!
//! The sync before a blob gets its name waits for every byte that is not on the disk yet.
//! Synced in between, the disk works while the network does, and the client waits at the end for the last bytes only.

use boxyard_blobs::Upload;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::error::{During, Internal};

/// How many bytes are worth a sync of their own.
const STRIDE: u64 = 16 << 20;
/// How many uploads are synced ahead at once; the threads that may wait are there for others too.
static SYNCING: Semaphore = Semaphore::const_new(8);

/// The syncs of one upload.
#[derive(Debug)]
pub(super) struct Ahead {
    /// As far as it was synced, or is being synced.
    reached: u64,
    running: Option<JoinHandle<std::io::Result<()>>>,
}

impl Ahead {
    pub(super) fn of(upload: &Upload) -> Self {
        Self {
            reached: upload.size(),
            running: None,
        }
    }

    /// Begins a sync where enough was written since the last; a failure of that one comes back.
    pub(super) async fn follow(&mut self, upload: &Upload) -> Result<(), Internal> {
        let is_running = |running: &JoinHandle<_>| !running.is_finished();
        if upload.size() < self.reached + STRIDE || self.running.as_ref().is_some_and(is_running) {
            return Ok(());
        }
        self.end().await?;
        let Ok(turn) = SYNCING.try_acquire() else {
            return Ok(());
        };
        let sync = upload.sync_ahead().during("sync an upload")?;
        self.reached = upload.size();
        self.running = Some(spawn_blocking(move || {
            let _turn = turn;
            sync()
        }));
        Ok(())
    }

    /// Waits for the sync that runs; after a failure nobody knows what the file holds.
    pub(super) async fn end(&mut self) -> Result<(), Internal> {
        match self.running.take() {
            None => Ok(()),
            Some(running) => match running.await {
                Ok(synced) => synced.during("sync an upload"),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use boxyard_blobs::testing::FailOnce;
    use boxyard_blobs::{Folder, Sidecar, Step, UploadId};
    use boxyard_oci::RepoName;

    use super::*;

    #[tokio::test]
    async fn a_sync_that_fails_while_more_arrives_is_told_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let faults = Arc::new(FailOnce::new(Step::SyncFile, 0));
        let folder = Folder::open(dir.path(), faults).unwrap();
        let repo: RepoName = "app".parse().unwrap();
        let (id, sidecar) = (UploadId::random(), Sidecar::default());
        let begun = folder.begin_upload(&repo, &id, &sidecar, SystemTime::now());
        let mut upload = begun.unwrap();
        let mut ahead = Ahead::of(&upload);

        upload.append(&[0; 1000]).unwrap();
        ahead.follow(&upload).await.unwrap();
        ahead.end().await.unwrap();
        upload.append(&vec![0; 16 << 20]).unwrap();
        ahead.follow(&upload).await.unwrap();

        ahead.end().await.unwrap_err();
    }
}
