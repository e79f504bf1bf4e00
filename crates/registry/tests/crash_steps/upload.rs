//! The story of uploads that go on: what a client was told of one outlives the process.

use std::sync::Arc;

use boxyard_oci::{Algorithm, Digest};
use boxyard_registry::{Registry, Silent, UploadId};

use crate::harness::{Crash, body, name, open, push, read_blob};

/// How far each session has come by what its client was told; none once it was told that it is over.
type Told = Vec<(UploadId, Option<u64>)>;

static PIECE: [u8; 20_000] = [7; 20_000];

/// Grows beyond what stays in memory, with a piece more each time.
async fn grow(registry: &Arc<Registry>, told: &mut Told) -> Option<UploadId> {
    let permit = push(&name("app"));
    let id = registry.begin_upload(&permit, None).await.ok()?;
    told.push((id.clone(), Some(0)));
    for _ in 0..3 {
        let appended = registry.append(&permit, &id, None, body(&PIECE)).await;
        told.last_mut()?.1 = Some(appended.ok()?);
    }
    Some(id)
}

/// What the session holds becomes a blob, or nobody knows.
async fn finish(registry: &Arc<Registry>, id: &UploadId, pieces: usize, told: &mut Told) -> bool {
    let permit = push(&name("app"));
    told.retain(|(other, _)| other != id);
    let (digest, end, teller) = (whole(pieces), body(b"the end"), Silent::teller());
    let finished = registry.finish(&permit, id, &digest, None, end, &teller);
    finished.await.is_ok()
}

fn whole(pieces: usize) -> Digest {
    let bytes = [PIECE.repeat(pieces), b"the end".to_vec()].concat();
    Algorithm::Sha256.digest(&bytes)
}

/// Begins, goes on, finishes and cancels; answers which blobs were told to be stored.
async fn story(registry: &Arc<Registry>, told: &mut Told) -> Vec<Digest> {
    let permit = push(&name("app"));
    let mut stored = Vec::new();
    if let Ok(id) = registry.begin_upload(&permit, None).await {
        told.push((id.clone(), Some(0)));
        if finish(registry, &id, 0, told).await {
            stored.push(whole(0));
        }
    }
    if let Ok(id) = registry.begin_upload(&permit, None).await {
        told.push((id.clone(), Some(0)));
        if let Ok(size) = registry.append(&permit, &id, None, body(&PIECE)).await {
            told.retain(|(other, _)| *other != id);
            told.push((id.clone(), Some(size)));
            if finish(registry, &id, 1, told).await {
                stored.push(whole(1));
            }
        }
    }
    if let Ok(id) = registry.begin_upload(&permit, None).await {
        told.push((id.clone(), Some(0)));
        let cancelled = registry.cancel_upload(&permit, &id).await;
        told.retain(|(other, _)| *other != id);
        if cancelled.is_ok() {
            told.push((id, None));
        }
    }
    if let Some(id) = grow(registry, told).await
        && finish(registry, &id, 3, told).await
    {
        stored.push(whole(3));
    }
    let _ = grow(registry, told).await;
    if let Ok(id) = registry.begin_upload(&permit, None).await {
        told.push((id.clone(), Some(0)));
        if let Ok(size) = registry.append(&permit, &id, None, body(&PIECE)).await {
            told.retain(|(other, _)| *other != id);
            told.push((id, Some(size)));
        }
    }
    stored
}

#[tokio::test]
async fn a_crash_after_any_step_loses_nothing_that_was_told_of_an_upload() {
    let mut at = 0;
    loop {
        let root = tempfile::tempdir_in("/dev/shm").unwrap();
        let (mut told, mut stored) = (Told::new(), Vec::new());
        let crash = Crash::after(at);
        if let Some(registry) = open(root.path(), &crash).await {
            stored = story(&registry, &mut told).await;
            if !crash.happened() {
                // An orderly stop, which gives folders to what is in memory, may die as well.
                let _ = registry.stop().await;
            }
        }

        // The first start may die as well, halfway through.
        if let Some(registry) = open(root.path(), &Crash::after(at % 7)).await {
            drop(registry);
        }
        let registry = open(root.path(), &Crash::after(usize::MAX)).await.unwrap();
        let permit = push(&name("app"));
        for (id, size) in &told {
            let found = registry.upload_status(&permit, id).await.ok();
            // A last piece may have come without its answer getting out.
            let fits = found == *size || found > *size && size.is_some();
            assert!(fits, "step {at}: {found:?} instead of {size:?}");
        }
        for digest in &stored {
            let found = read_blob(&registry, &name("app"), digest).await;
            assert!(found.is_some(), "step {at}: {digest} is lost");
        }
        let left = told.last().filter(|(_, size)| *size == Some(20_000));
        if let Some((id, _)) = left.cloned() {
            assert!(finish(&registry, &id, 1, &mut told).await, "step {at}");
        }
        if !crash.happened() {
            assert_eq!((stored.len(), told.len()), (3, 2));
            break;
        }
        at += 1;
    }
    assert!(at > 60, "the story has only {at} steps");
}
