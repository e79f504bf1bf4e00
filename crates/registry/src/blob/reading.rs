//! Reading a blob from one place to another.
//!
//! A large answer to whoever hands it on untouched consists of parts of the mapped file, which the kernel sends: neither a copy nor a buffer of ours.
//! Everything else is read, and so is the end of every answer: where a file is cut within a page, the rest of that page is zeros to a map, but a read tells.
//! So an answer never comes to its end over a file that was cut before.
//!
//! What is in memory is sent by whoever serves the connection; what is not is fetched by threads that may wait for a disk.

use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use boxyard_blobs::{Map, read_resident, shared_map};
use tokio::sync::Semaphore;

use super::buffer::{Buffer, PIECE};
use super::{Blob, Content, Piece, ReadError, Source, Way};
use crate::error::blocking;

/// How much of a map is handed out at once.
const SLICE: u64 = 1 << 20;
/// From this length on a map is cheaper than copies.
const WORTH_A_MAP: u64 = 256 << 10;
/// How many pulls wait for a disk at once; whatever else needs a thread that may wait still finds one.
static WAITING_FOR_DISKS: Semaphore = Semaphore::const_new(16);

/// A read that goes on.
pub(super) struct Reading {
    blob: Blob,
    at: u64,
    end: u64,
    /// The file as memory, up to where it is sent from there.
    map: Option<(Arc<Map>, u64)>,
}

impl Reading {
    pub(super) fn begin(blob: Blob, start: u64, end: u64, way: Way) -> Self {
        let map = match (&blob.content, way) {
            (Content::File(source), Way::Untouched) if end - start >= WORTH_A_MAP => {
                let until = (end - 1) / PIECE as u64 * PIECE as u64;
                // Not every filesystem has maps.
                let map = shared_map(&source.file, blob.size).ok();
                map.map(|map| (map, until))
            }
            _ => None,
        };
        Self {
            blob,
            at: start,
            end,
            map,
        }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Piece>, ReadError> {
        if self.at >= self.end {
            return Ok(None);
        }
        let source = match &self.blob.content {
            Content::Bytes(bytes) => {
                let part = bytes.slice(address(self.at)..address(self.end));
                self.at = self.end;
                return Ok(Some(part.into()));
            }
            Content::File(source) => source,
        };
        let (piece, length) = match &self.map {
            Some((map, until)) if self.at < *until => {
                let end = (self.at / SLICE + 1) * SLICE;
                let range = address(self.at)..address(end.min(*until));
                let length = range.len();
                (source.mapped(map, range).await?, length)
            }
            _ => source.copied(self.at, self.end).await?,
        };
        self.at += length as u64;
        Ok(Some(piece))
    }
}

impl Source {
    async fn mapped(&self, map: &Arc<Map>, range: Range<usize>) -> Result<Piece, ReadError> {
        if !map.was_resident(&range) {
            let (map, range) = (Arc::clone(map), range.clone());
            let _turn = WAITING_FOR_DISKS.acquire().await;
            let brought = blocking(move || map.bring_in(&range)).await;
            brought.map_err(|error| self.fail(error))?;
        }
        Ok(Piece::mapped(map.slice(range), self))
    }

    async fn copied(&self, at: u64, end: u64) -> Result<(Piece, usize), ReadError> {
        let mut buffer = Buffer::take();
        let length = address(end - at).min(PIECE);
        let read = read_resident(&self.file, buffer.room(length), at);
        let read = read.map_err(|error| self.fail(error))?;
        if let Some(read @ 1..) = read {
            return Ok((buffer.freeze(read).into(), read));
        }
        let file = Arc::clone(&self.file);
        let _turn = WAITING_FOR_DISKS.acquire().await;
        let read = blocking(move || {
            let read = file.read_exact_at(buffer.room(length), at);
            read.map(|()| buffer)
        });
        let buffer = read.await.map_err(|error| self.fail(error))?;
        Ok((buffer.freeze(length).into(), length))
    }

    /// Says why the file could not be read; one that was cut short is reported.
    pub(super) fn fail(&self, source: io::Error) -> ReadError {
        let digest = self.digest;
        if source.kind() == io::ErrorKind::UnexpectedEof {
            self.reporter.cut_short(self.target);
            return ReadError::CutShort { digest };
        }
        ReadError::Folder { digest, source }
    }
}

fn address(at: u64) -> usize {
    usize::try_from(at).expect("a blob that is read is smaller than the address space")
}
