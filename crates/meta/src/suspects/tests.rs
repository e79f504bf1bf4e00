use boxyard_oci::Digest;

use crate::{
    BlobState, Finding, FindingKind, LayerInTree, Reconcile, Reconciled,
    testing::{Database, digest, repo},
};

/// A blob of 3 bytes in the tree whose content was found wrong.
async fn damaged() -> (Database, Digest) {
    let (db, blob) = (Database::new(), digest("blob"));
    link(&db, blob, 3).await;
    let finding = Finding {
        kind: FindingKind::BlobDamaged,
        repo: None,
        subject: blob.to_string(),
        detail: "another digest".to_owned(),
    };
    db.meta.mark_blob_bad(&blob, &finding).await.unwrap();
    (db, blob)
}

async fn link(db: &Database, blob: Digest, size: u64) -> Reconciled {
    let states = db.meta.layer_states(&repo("a"), &[blob]).await.unwrap();
    let item = Reconcile::Layer {
        repo: repo("a"),
        digest: blob,
        seen: states[0].0,
        tree: Some(LayerInTree { target: blob, size }),
    };
    db.meta.reconcile(vec![item]).await.unwrap()
}

async fn state(db: &Database, blob: &Digest) -> (u64, BlobState) {
    let row = db.meta.blob_anywhere(blob).await.unwrap().unwrap();
    (row.size, row.state)
}

#[tokio::test]
async fn a_damaged_blob_becomes_suspect_only_when_its_file_changes() {
    let (db, blob) = damaged().await;

    assert_eq!(link(&db, blob, 3).await.suspects, []);
    assert_eq!(link(&db, blob, 4).await.suspects, [blob]);

    assert_eq!(state(&db, &blob).await, (3, BlobState::Bad));
}

#[tokio::test]
async fn a_suspect_that_is_intact_is_present_and_no_finding() {
    let (db, blob) = damaged().await;

    db.meta.judge_suspect(&blob, 4, true).await.unwrap();

    assert_eq!(state(&db, &blob).await, (4, BlobState::Present));
    assert_eq!(db.meta.findings(None, 9).await.unwrap(), []);
    assert_eq!(
        link(&db, blob, 3).await.damaged,
        [blob],
        "its size is known now"
    );
}

#[tokio::test]
async fn a_suspect_that_is_still_damaged_is_not_suspect_again() {
    let (db, blob) = damaged().await;

    db.meta.judge_suspect(&blob, 4, false).await.unwrap();

    assert_eq!(state(&db, &blob).await, (4, BlobState::Bad));
    assert_eq!(link(&db, blob, 4).await.suspects, []);
}

#[tokio::test]
async fn a_blob_that_a_push_has_healed_is_no_suspect_any_more() {
    let (db, blob) = damaged().await;
    let name = repo("a");
    db.meta
        .hold_blob(&name, &blob, 4, None, Vec::new())
        .await
        .unwrap();

    db.meta.judge_suspect(&blob, 3, false).await.unwrap();

    assert_eq!(state(&db, &blob).await, (4, BlobState::Present));
}
