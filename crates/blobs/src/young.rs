//! Uploads that are still in memory: begun, written down, recovered.
//!
//! The folder of an upload costs five files and folders to make and to remove again, which for some KiB is most of the work.
//! So an upload begins in memory and gets its folder when it outgrows its bound or its time.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use boxyard_oci::RepoName;
use bytes::Bytes;

use crate::folder::Folder;
use crate::journal::{Entry, Segment, SessionState, leave};
use crate::look;
use crate::session::{Sidecar, UploadId};
use crate::upload::{Store, Upload};

/// What all uploads in memory may hold together, in bytes.
const TOGETHER: usize = 16 << 20;

/// What an upload in memory costs beside its bytes.
const OVERHEAD: usize = 1024;

/// The bytes of an upload that has no folder yet.
#[derive(Debug)]
pub(crate) struct Young {
    pub(crate) bytes: Vec<u8>,
    pub(crate) started: SystemTime,
    share: Share,
    most: usize,
    segment: Option<Arc<Segment>>,
    /// How much of it the journal has; none where it has nothing, or something else.
    noted: Option<usize>,
}

/// A part of what all may hold together.
#[derive(Debug)]
struct Share {
    all: Arc<AtomicUsize>,
    mine: usize,
}

impl Share {
    fn of(all: &Arc<AtomicUsize>) -> Option<Self> {
        let mut share = Self {
            all: Arc::clone(all),
            mine: 0,
        };
        share.grow(OVERHEAD).then_some(share)
    }

    fn grow(&mut self, more: usize) -> bool {
        let before = self.all.fetch_add(more, Ordering::Relaxed);
        self.mine += more;
        if before + more <= TOGETHER {
            return true;
        }
        self.all.fetch_sub(more, Ordering::Relaxed);
        self.mine -= more;
        false
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.all.fetch_sub(self.mine, Ordering::Relaxed);
    }
}

impl Young {
    /// Whether it may hold `more` bytes, which it has room for from then on.
    pub(crate) fn grow(&mut self, more: usize) -> bool {
        self.bytes.len() + more <= self.most && self.share.grow(more)
    }

    pub(crate) fn truncate(&mut self, to: usize) {
        self.bytes.truncate(to);
        self.noted = None;
    }
}

impl Folder {
    /// Begins an upload in memory, where it may have up to `most` bytes; none if there is too much there already.
    ///
    /// It is gone with this process until [`Upload::note`].
    pub fn begin_young(
        &self,
        repo: &RepoName,
        id: &UploadId,
        sidecar: &Sidecar,
        started: SystemTime,
        most: usize,
    ) -> Option<Upload> {
        let share = Share::of(&self.inner.young)?;
        let store = Store::Memory(Young {
            bytes: Vec::new(),
            started,
            share,
            most,
            segment: None,
            noted: None,
        });
        Some(self.empty_upload(repo, id, sidecar, store))
    }

    /// Makes ordinary uploads of what an earlier process, which was killed, had in memory.
    pub fn recover_young(&self) -> io::Result<()> {
        for entry in self.inner.journal.read()? {
            self.recover(&entry)?;
        }
        self.inner.journal.clear(&self.inner.disk)
    }

    fn recover(&self, entry: &Entry) -> io::Result<()> {
        let (repo, id) = (&entry.repo, &entry.id);
        let bytes = entry.bytes.as_deref().unwrap_or_default();
        let had = self.upload_size(repo, id)?;
        if had.is_some_and(|size| size >= bytes.len() as u64) {
            // It was just getting its folder, or has had it for long.
            return Ok(());
        }
        if look::is_folder(&self.inner.layout.upload(repo, id))? {
            self.cancel_upload(repo, id)?;
        }
        let mut upload = self.begin_upload(repo, id, &entry.sidecar, entry.started)?;
        upload.append(bytes)
    }

    /// Removes what is written down of uploads in memory, once there are none.
    pub fn end_young(&self) -> io::Result<()> {
        self.inner.journal.end(&self.inner.disk)
    }
}

impl Upload {
    /// Whether it is in memory and has no folder yet.
    pub fn is_young(&self) -> bool {
        matches!(self.store, Store::Memory(_))
    }

    /// Whether [`Upload::append`] would keep so many more bytes in memory, which takes no time.
    pub fn keeps(&self, more: usize) -> bool {
        match &self.store {
            Store::Memory(young) => young.bytes.len() + more <= young.most,
            Store::File { .. } => false,
        }
    }

    /// Its bytes, if it is in memory.
    pub fn young_bytes(&self) -> Option<Bytes> {
        match &self.store {
            Store::Memory(young) => Some(Bytes::copy_from_slice(&young.bytes)),
            Store::File { .. } => None,
        }
    }

    /// Writes down what there is of it in memory, so that it outlives this process if that is killed.
    ///
    /// That is owed before a client is told of it.
    pub fn note(&mut self) -> io::Result<()> {
        let inner = &self.folder.inner;
        let Store::Memory(young) = &mut self.store else {
            return Ok(());
        };
        if young.noted == Some(young.bytes.len()) {
            return Ok(());
        }
        let segment = match &young.segment {
            Some(segment) => Arc::clone(segment),
            None => inner.journal.segment(&inner.disk)?,
        };
        let state = SessionState {
            id: self.fence.id(),
            repo: &self.repo,
            sidecar: &self.sidecar,
            started: young.started,
            open: true,
        };
        segment.write(&inner.disk, &state, &young.bytes)?;
        young.segment = Some(segment);
        young.noted = Some(young.bytes.len());
        Ok(())
    }

    /// Gives it a folder as every older upload has, so that others see it as well.
    pub fn settle(&mut self) -> io::Result<()> {
        let Store::Memory(young) = &self.store else {
            return Ok(());
        };
        let writing = self.writing()?;
        let (repo, id) = (&self.repo, self.fence.id());
        let store =
            self.folder
                .make_session(repo, id, &self.sidecar, young.started, &young.bytes)?;
        drop(writing);
        let former = std::mem::replace(&mut self.store, store);
        forget(&self.folder, &self.repo, self.fence.id(), former)
    }

    /// Ends an upload that is in memory, whatever became of its bytes.
    pub fn end(self) -> io::Result<()> {
        forget(&self.folder, &self.repo, self.fence.id(), self.store)
    }
}

/// Takes back what was written down of an upload that is not in memory any more.
fn forget(folder: &Folder, repo: &RepoName, id: &UploadId, store: Store) -> io::Result<()> {
    let Store::Memory(Young {
        segment: Some(segment),
        started,
        ..
    }) = store
    else {
        return Ok(());
    };
    let inner = &folder.inner;
    let state = SessionState {
        id,
        repo,
        sidecar: &Sidecar::default(),
        started,
        open: false,
    };
    let written = segment.write(&inner.disk, &state, &[]);
    leave(&inner.disk, segment)?;
    written
}

#[cfg(test)]
mod tests;
