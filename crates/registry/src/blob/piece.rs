//! A part of a blob on its way to a client.

use std::ops::Range;
use std::sync::Arc;

use boxyard_blobs::{Map, Slice};
use bytes::{Buf, Bytes};
use tokio::runtime::Handle;

use super::Source;

/// A part of a blob, or other bytes that are sent.
///
/// What was asked for as [`Way::Untouched`](super::Way::Untouched) must not be looked at, but given to the kernel.
#[derive(Debug)]
pub struct Piece(Inner);

#[derive(Debug)]
enum Inner {
    Bytes(Bytes),
    Mapped(Box<Mapped>),
}

/// A part of a mapped file that looks after its file if it was not sent to its end.
#[derive(Debug)]
struct Mapped {
    slice: Slice,
    source: Source,
}

impl Piece {
    pub(super) fn mapped(slice: Slice, source: &Source) -> Self {
        let source = source.clone();
        Self(Inner::Mapped(Box::new(Mapped { slice, source })))
    }

    /// The mapped file that it is a part of.
    pub(super) fn map(&self) -> Option<&Arc<Map>> {
        match &self.0 {
            Inner::Bytes(_) => None,
            Inner::Mapped(mapped) => Some(mapped.slice.map()),
        }
    }
}

impl From<Bytes> for Piece {
    fn from(bytes: Bytes) -> Self {
        Self(Inner::Bytes(bytes))
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        match &self.0 {
            Inner::Bytes(bytes) => bytes.len(),
            Inner::Mapped(mapped) => mapped.slice.remaining(),
        }
    }

    fn chunk(&self) -> &[u8] {
        match &self.0 {
            Inner::Bytes(bytes) => bytes,
            Inner::Mapped(mapped) => mapped.slice.chunk(),
        }
    }

    fn advance(&mut self, count: usize) {
        match &mut self.0 {
            Inner::Bytes(bytes) => bytes.advance(count),
            Inner::Mapped(mapped) => mapped.slice.advance(count),
        }
    }
}

impl Drop for Mapped {
    /// What was not sent was not wanted any more, or the kernel could not read it.
    fn drop(&mut self) {
        if !self.slice.has_remaining() || self.slice.map().is_resident(self.slice.range()) {
            return;
        }
        let map = self.slice.map().clone();
        let (range, source): (Range<usize>, _) = (self.slice.range().clone(), self.source.clone());
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn_blocking(move || {
                if let Err(error) = map.bring_in(&range) {
                    let error = source.fail(error);
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(error = %error, source, "an answer has ended early");
                }
            });
        }
    }
}
