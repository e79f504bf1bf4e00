//! A part of a file: one entry of an archive.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use anyhow::{Context, ensure};

/// One entry of an archive.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    file: Arc<File>,
    offset: u64,
    size: u64,
    /// What messages call it.
    place: String,
}

/// A piece that is being read.
#[derive(Debug)]
pub(crate) struct Reading {
    piece: Piece,
    read: u64,
}

impl Piece {
    pub(super) fn new(file: Arc<File>, offset: u64, size: u64, place: String) -> Self {
        Self {
            file,
            offset,
            size,
            place,
        }
    }

    /// All of a file that stands for what was at this place.
    pub(crate) fn of_file(file: File, place: &str) -> anyhow::Result<Self> {
        let found = file.metadata().context("look at a temporary file")?;
        Ok(Self::new(Arc::new(file), 0, found.len(), place.to_owned()))
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Where its bytes are, by which one is known that has several names.
    pub(crate) fn position(&self) -> (*const File, u64) {
        (Arc::as_ptr(&self.file), self.offset)
    }

    pub(crate) fn reader(&self) -> Reading {
        Reading {
            piece: self.clone(),
            read: 0,
        }
    }

    /// All of it, which must not be longer than `limit`.
    pub(crate) fn read(&self, limit: u64) -> anyhow::Result<Vec<u8>> {
        ensure!(
            self.size <= limit,
            "{} has {} bytes: expected at most {limit}",
            self.place,
            self.size
        );
        let mut bytes = Vec::new();
        let read = self.reader().read_to_end(&mut bytes);
        read.with_context(|| format!("read {}", self.place))?;
        Ok(bytes)
    }
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.piece.size - self.read;
        let wanted = usize::try_from(left).unwrap_or(usize::MAX);
        let wanted = wanted.min(buffer.len());
        let at = self.piece.offset + self.read;
        let read = self.piece.file.read_at(&mut buffer[..wanted], at)?;
        self.read += read as u64;
        Ok(read)
    }
}
