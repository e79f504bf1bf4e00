//! Receiving a body: one batch is hashed and written while the next arrives.

mod ahead;
mod batch;
mod share;

use std::sync::Arc;

use boxyard_blobs::{Upload, UploadId};
use boxyard_oci::{ContentRange, RepoName};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::Fuse;

use crate::Registry;
use crate::error::{During, blocking};
use crate::push_error::{Body, PushError};
use crate::sessions::{Slot, Turn};
use crate::space::has_room;
use ahead::Ahead;
use batch::Batch;
use share::Share;

impl Registry {
    /// Appends the whole body, or leaves the upload as it was before, or as far as a vanished client got.
    pub(crate) async fn receive(
        self: &Arc<Self>,
        repo: &RepoName,
        id: &UploadId,
        mut upload: Box<Upload>,
        range: Option<ContentRange>,
        body: Body,
        turn: &mut Turn<'_>,
    ) -> Result<Box<Upload>, PushError> {
        let begins = upload.size();
        // A chunk that turns out wrong is taken back without reading the file again.
        upload.mark();
        let (upload, result) = match check_range(range.as_ref(), begins) {
            Ok(()) => self.pour(upload, range.as_ref(), body, turn).await,
            Err(error) => (Some(upload), Err(error)),
        };
        match (upload, result) {
            (Some(upload), Ok(())) => Ok(upload),
            (Some(mut upload), Err(error)) if error.leaves_upload_usable() => {
                if matches!(error, PushError::SizeMismatch { .. }) {
                    upload = blocking(move || upload.rewind().map(|()| upload))
                        .await
                        .during("take back a chunk")?;
                }
                *turn.slot = Slot::Open(upload);
                Err(error)
            }
            (upload, result) => {
                *turn.slot = Slot::Gone;
                match upload {
                    Some(upload) => self.drop_upload(repo, id, upload).await?,
                    None => self.discard(repo, id).await?,
                };
                Err(result.err().unwrap_or(PushError::UploadUnknown))
            }
        }
    }

    /// Writes the body, and syncs what is written while more arrives; no upload comes back when either has failed.
    async fn pour(
        self: &Arc<Self>,
        upload: Box<Upload>,
        range: Option<&ContentRange>,
        body: Body,
        turn: &Turn<'_>,
    ) -> (Option<Box<Upload>>, Result<(), PushError>) {
        let mut ahead = Ahead::of(&upload);
        let poured = self.write_all(upload, range, body, turn, &mut ahead).await;
        match ahead.end().await {
            Ok(()) => poured,
            Err(error) => (None, Err(error.into())),
        }
    }

    /// Writes one batch while the next one arrives; no upload comes back when writing has failed.
    async fn write_all(
        self: &Arc<Self>,
        mut upload: Box<Upload>,
        range: Option<&ContentRange>,
        body: Body,
        turn: &Turn<'_>,
        ahead: &mut Ahead,
    ) -> (Option<Box<Upload>>, Result<(), PushError>) {
        let share = Share::take();
        let mut body = body.fuse();
        let begins = upload.size();
        let announced = range.map(ContentRange::len);
        let mut batch = gather(&mut body, turn, share.begin(begins, Vec::new())).await;
        loop {
            let (chunks, later) = match batch {
                Ok((chunks, _)) if chunks.is_empty() => break,
                Ok(gathered) => gathered,
                Err(error) => return (Some(upload), Err(error)),
            };
            let reached = upload.size() - begins + length(&chunks);
            if let Some(announced) = announced
                && reached > announced
            {
                let actual = reached;
                return (
                    Some(upload),
                    Err(PushError::SizeMismatch { announced, actual }),
                );
            }
            let whole = upload.whole(length(&chunks));
            let (chunks, mut rest) = split(chunks, whole);
            rest.extend(later);
            let next = share.begin(upload.size() + whole, rest);
            let writing = self.write(upload, chunks);
            let (written, next) = tokio::join!(writing, gather(&mut body, turn, next));
            upload = match written {
                Ok(upload) => upload,
                Err(error) => return (None, Err(error)),
            };
            if let Err(error) = ahead.follow(&upload).await {
                return (None, Err(error.into()));
            }
            batch = next;
        }
        let actual = upload.size() - begins;
        match announced {
            Some(announced) if announced != actual => (
                Some(upload),
                Err(PushError::SizeMismatch { announced, actual }),
            ),
            _ => (Some(upload), Ok(())),
        }
    }

    async fn write(
        self: &Arc<Self>,
        mut upload: Box<Upload>,
        chunks: Vec<Bytes>,
    ) -> Result<Box<Upload>, PushError> {
        let more = length(&chunks);
        if usize::try_from(more).is_ok_and(|more| upload.keeps(more)) {
            return self.keep(upload, chunks).await;
        }
        let (folder, settings) = (self.folder.clone(), self.settings.clone());
        blocking(move || {
            if !has_room(&folder, &settings, more)? {
                return Err(PushError::NoSpace);
            }
            let written = upload.append_all(&chunks);
            written.during("write an upload")?;
            Ok(upload)
        })
        .await
    }

    /// The same for a few bytes of an upload in memory, which takes less time than to go elsewhere for it.
    async fn keep(
        self: &Arc<Self>,
        mut upload: Box<Upload>,
        chunks: Vec<Bytes>,
    ) -> Result<Box<Upload>, PushError> {
        if !self.has_room_for(length(&chunks)).await? {
            return Err(PushError::NoSpace);
        }
        let written = upload.append_all(&chunks);
        written.during("write an upload")?;
        Ok(upload)
    }
}

fn check_range(range: Option<&ContentRange>, expected: u64) -> Result<(), PushError> {
    match range {
        Some(range) if range.start != expected => Err(PushError::RangeInvalid {
            begins: range.start,
            expected,
        }),
        _ => Ok(()),
    }
}

fn length(chunks: &[Bytes]) -> u64 {
    chunks.iter().map(|chunk| chunk.len() as u64).sum()
}

/// Parts what is behind the first `most` bytes from them.
fn split(mut chunks: Vec<Bytes>, most: u64) -> (Vec<Bytes>, Vec<Bytes>) {
    let mut rest = Vec::new();
    let mut over = usize::try_from(length(&chunks) - most).unwrap_or(usize::MAX);
    while over > 0
        && let Some(mut last) = chunks.pop()
    {
        let stays = last.len().saturating_sub(over);
        over -= last.len() - stays;
        rest.push(last.split_off(stays));
        if stays > 0 {
            chunks.push(last);
        }
    }
    rest.reverse();
    (chunks, rest)
}

/// Takes what arrives until the batch is full or the body ends: what is to be written now, and what after that; nothing is the end.
async fn gather(
    body: &mut Fuse<Body>,
    turn: &Turn<'_>,
    mut batch: Batch,
) -> Result<(Vec<Bytes>, Vec<Bytes>), PushError> {
    while !batch.is_full() {
        let next = tokio::select! {
            next = body.next() => next,
            () = turn.over() => return Err(PushError::TakenOver),
        };
        match next {
            Some(Ok(chunk)) => batch.push(chunk),
            // A client that resumes is told the size that was written, so a batch cut short is simply sent again.
            Some(Err(error)) => return Err(PushError::Body(error)),
            None => break,
        }
    }
    Ok(batch.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_parted_within_a_chunk_and_between_two() {
        let chunks = || vec![Bytes::from("one"), Bytes::from("two"), Bytes::from("three")];

        for most in 0..=11 {
            let (now, rest) = split(chunks(), most);

            assert_eq!(length(&now), most);
            assert_eq!([now, rest].concat().concat(), b"onetwothree");
        }
    }
}
