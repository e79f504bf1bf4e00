//! What young uploads hold, written where the end of the process does not reach it.
//!
//! Most uploads are small and over within a moment: they never need a folder of their own.
//! What a client was told of one is one record here, by one call and without a sync, which survives a process that is killed just as the files of an upload do.
//! The next start makes ordinary uploads of what it finds.
//!
//! A session keeps to the segment that it began in, so that its records have an order; a segment goes when none of its sessions is left.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use boxyard_oci::{Algorithm, RepoName};
use serde::{Deserialize, Serialize};

use crate::disk::Disk;
use crate::look;
use crate::session::{Sidecar, UploadId};

/// Where a segment ends and the next begins, in bytes.
const SEGMENT: u64 = 1 << 20;

/// Bounds what one record may claim to hold: an upload in memory is smaller by far.
const MOST: usize = 1 << 20;

/// The length of a record and of its head, and what the record's bytes hash to.
const PREFIX: usize = 4 + 4 + 32;

/// The segments, of which the last one takes new sessions.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    current: Option<Arc<Segment>>,
}

/// One file of records.
#[derive(Debug)]
pub(crate) struct Segment {
    path: PathBuf,
    file: File,
    written: Mutex<u64>,
}

/// A session as one record tells it; the last one counts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: UploadId,
    pub(crate) repo: RepoName,
    pub(crate) sidecar: Sidecar,
    pub(crate) started: SystemTime,
    /// None for a session that has ended, or that has a folder now.
    pub(crate) bytes: Option<Vec<u8>>,
}

#[derive(Deserialize, Serialize)]
struct Head {
    id: String,
    repo: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    algorithm: Option<String>,
    /// Seconds since 1970.
    started: u64,
    open: bool,
}

impl Journal {
    pub(crate) fn new(folder: PathBuf) -> Self {
        let state = Mutex::default();
        Self { folder, state }
    }

    /// The segment for a session that begins.
    pub(crate) fn segment(&self, disk: &Disk) -> io::Result<Arc<Segment>> {
        let mut state = self.lock();
        if let Some(current) = &state.current
            && *current.written() < SEGMENT
        {
            return Ok(Arc::clone(current));
        }
        if !look::is_folder(&self.folder)? {
            disk.create_folder(&self.folder)?;
        }
        state.last += 1;
        let path = self.folder.join(state.last.to_string());
        let segment = Arc::new(Segment {
            file: disk.create_file_anew(&path)?,
            path,
            written: Mutex::default(),
        });
        let former = state.current.replace(Arc::clone(&segment));
        drop(state);
        former.map_or(Ok(()), |former| leave(disk, former))?;
        Ok(segment)
    }

    /// Removes what is left once no session is in memory any more.
    pub(crate) fn end(&self, disk: &Disk) -> io::Result<()> {
        let current = self.lock().current.take();
        current.map_or(Ok(()), |current| leave(disk, current))
    }

    /// The sessions that an earlier process had in memory, as it has last told their clients.
    pub(crate) fn read(&self) -> io::Result<Vec<Entry>> {
        let mut open = BTreeMap::new();
        for number in self.numbers()? {
            let path = self.folder.join(number.to_string());
            let content = look::read_bounded(&path, u64::MAX)?.unwrap_or_default();
            for entry in entries(&content) {
                if entry.bytes.is_some() {
                    open.insert(entry.id.clone(), entry);
                } else {
                    open.remove(&entry.id);
                }
            }
        }
        Ok(open.into_values().collect())
    }

    /// Removes what [`Journal::read`] has read.
    pub(crate) fn clear(&self, disk: &Disk) -> io::Result<()> {
        for number in self.numbers()? {
            disk.unlink(&self.folder.join(number.to_string()))?;
        }
        Ok(())
    }

    /// The numbers of the segments that are there, in their order.
    fn numbers(&self) -> io::Result<Vec<u64>> {
        let entries = look::entries(&self.folder)?;
        let number = |entry: &look::Entry| entry.name.to_str()?.parse().ok();
        let mut numbers: Vec<u64> = entries.iter().filter_map(number).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets go of a segment, which goes with the last session that leaves it.
pub(crate) fn leave(disk: &Disk, segment: Arc<Segment>) -> io::Result<()> {
    // Of those who let go at the same time, one is the last.
    match Arc::into_inner(segment) {
        Some(Segment { path, .. }) => disk.unlink(&path).map(drop),
        None => Ok(()),
    }
}

impl Segment {
    /// Writes what a session is now.
    pub(crate) fn write(
        &self,
        disk: &Disk,
        state: &SessionState<'_>,
        bytes: &[u8],
    ) -> io::Result<()> {
        let record = state.record(bytes)?;
        let mut written = self.written();
        disk.write(&self.file, &self.path, &record, *written)?;
        *written += record.len() as u64;
        Ok(())
    }

    fn written(&self) -> MutexGuard<'_, u64> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a record says beside the bytes.
pub(crate) struct SessionState<'a> {
    pub(crate) id: &'a UploadId,
    pub(crate) repo: &'a RepoName,
    pub(crate) sidecar: &'a Sidecar,
    pub(crate) started: SystemTime,
    pub(crate) open: bool,
}

impl SessionState<'_> {
    fn record(&self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let since = self.started.duration_since(SystemTime::UNIX_EPOCH);
        let head = serde_json::to_vec(&Head {
            id: self.id.to_string(),
            repo: self.repo.to_string(),
            owner: self.sidecar.owner.clone(),
            algorithm: self.sidecar.algorithm.map(|one| one.to_string()),
            started: since.unwrap_or_default().as_secs(),
            open: self.open,
        })?;
        let length = |length: usize| {
            u32::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
        };
        let mut record = Vec::with_capacity(PREFIX + head.len() + bytes.len());
        record.extend(length(head.len() + bytes.len())?.to_le_bytes());
        record.extend(length(head.len())?.to_le_bytes());
        record.extend([0; 32]);
        record.extend(head);
        record.extend(bytes);
        let sum = Algorithm::Sha256.digest(&record[PREFIX..]);
        record[PREFIX - 32..PREFIX].copy_from_slice(sum.as_bytes());
        Ok(record)
    }
}

/// The records of a segment, up to the first that is cut short or, after a power cut, is not what was written.
fn entries(mut content: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    while let Some((body, head, rest)) = next(content) {
        content = rest;
        entries.extend(entry(&body[..head], &body[head..]));
    }
    entries
}

fn next(content: &[u8]) -> Option<(&[u8], usize, &[u8])> {
    let (length, rest) = content.split_first_chunk::<4>()?;
    let (head, rest) = rest.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<32>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let head = usize::try_from(u32::from_le_bytes(*head)).ok()?;
    if length > MOST || head > length {
        return None;
    }
    let (body, rest) = rest.split_at_checked(length)?;
    (Algorithm::Sha256.digest(body).as_bytes() == sum).then_some((body, head, rest))
}

fn entry(head: &[u8], bytes: &[u8]) -> Option<Entry> {
    let head: Head = serde_json::from_slice(head).ok()?;
    Some(Entry {
        id: head.id.parse().ok()?,
        repo: head.repo.parse().ok()?,
        sidecar: Sidecar {
            owner: head.owner,
            algorithm: head.algorithm.and_then(|name| name.parse().ok()),
        },
        started: SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(head.started))?,
        bytes: head.open.then(|| bytes.to_vec()),
    })
}

#[cfg(test)]
mod tests;
