use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError, mpsc};

use boxyard_auth::{Gate, Identity};
use boxyard_blobs::{Faults, Step};
use boxyard_meta::Owner;
use boxyard_oci::{Algorithm, Digest, RepoName};
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::oneshot;

use super::*;
use crate::{Body, Options, Silent};

fn links(count: usize, target: Option<Digest>) -> Vec<Wanted> {
    let owner = Owner::Layer(repo(), digest());
    let state = WantedState::Layer(target);
    let one = Wanted {
        owner,
        sequence: 1,
        state,
    };
    vec![one; count]
}

fn repo() -> RepoName {
    "team/app".parse().unwrap()
}

fn digest() -> Digest {
    Algorithm::Sha256.digest(b"layer")
}

#[test]
fn a_tree_that_has_fallen_behind_follows_as_fast_as_it_can() {
    let links = |count| links(count, Some(digest()));

    assert!(may_wait(&links(MUCH - 1)));
    assert_eq!(pieces(&links(MUCH - 1)), Pieces::Small);
    assert!(!may_wait(&links(MUCH)));
    assert_eq!(pieces(&links(MUCH)), Pieces::One);
}

#[test]
fn what_only_removes_is_never_urgent() {
    let mut removes = links(MUCH, None);
    assert!(may_wait(&removes));

    removes.extend(links(1, Some(digest())));
    assert!(!may_wait(&removes));
}

/// A disk that takes its time with the file of a blob: it says when it has begun to remove it, and waits.
#[derive(Debug, Default)]
struct Slow {
    gate: Mutex<Option<(oneshot::Sender<()>, mpsc::Receiver<()>)>>,
}

impl Slow {
    /// Makes the next removal wait; it has begun when the first of these hears it, and ends when the second says so.
    fn down(&self) -> (oneshot::Receiver<()>, mpsc::Sender<()>) {
        let (begins, begun) = oneshot::channel();
        let (end, ended) = mpsc::channel();
        *self.lock() = Some((begins, ended));
        (begun, end)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(oneshot::Sender<()>, mpsc::Receiver<()>)>> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Faults for Slow {
    fn before(&self, step: Step, path: &Path) -> io::Result<()> {
        if step != Step::Unlink || !path.ends_with("data") {
            return Ok(());
        }
        let gate = self.lock().take();
        if let Some((begins, ended)) = gate {
            let _ = begins.send(());
            let _ = ended.recv();
        }
        Ok(())
    }
}

async fn push(registry: &Arc<Registry>) {
    let permit = Gate::open().permit(&Identity::Anonymous, &repo()).unwrap();
    let body: Body = Box::pin(stream::iter([Ok(Bytes::from_static(b"layer"))]));
    let (digest, teller) = (digest(), Silent::teller());
    let pushed = registry.push_blob(&permit, &digest, body, &teller);
    pushed.await.unwrap();
}

async fn delete(registry: &Arc<Registry>) {
    let permit = Gate::open().permit(&Identity::Anonymous, &repo()).unwrap();
    let (digest, teller) = (digest(), Silent::teller());
    let deleted = registry.delete_blob(&permit, &digest, &teller);
    deleted.await.unwrap();
}

#[tokio::test]
async fn a_round_keeps_what_it_removes_from_being_pushed_when_its_caller_has_left() {
    let root = tempfile::tempdir().unwrap();
    let slow = Arc::new(Slow::default());
    let mut options = Options::at(root.path());
    options.faults = Arc::<Slow>::clone(&slow);
    let registry = Registry::open(options).await.unwrap();
    registry.adopt(|_| {}).await.unwrap();
    push(&registry).await;
    registry.settle().await.unwrap();
    delete(&registry).await;
    let (begun, end) = slow.down();

    let caller = Arc::clone(&registry);
    let caller = tokio::spawn(async move { caller.catch_up().await.map(drop) });
    begun.await.unwrap();
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());

    assert!(registry.claims.try_claim(&digest()).is_none());
    assert!(registry.projector.turn.try_lock().is_err());

    end.send(()).unwrap();
    push(&registry).await;
    registry.settle().await.unwrap();
    let permit = Gate::open().permit(&Identity::Anonymous, &repo()).unwrap();
    registry.blob(&permit, &digest()).await.unwrap();
    registry.stop().await.unwrap();
}
