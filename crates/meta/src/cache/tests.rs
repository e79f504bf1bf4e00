//! What is remembered never differs from what the database says.

use std::sync::Arc;

use boxyard_oci::{Digest, Manifest};
use bytes::Bytes;

use crate::{
    DeleteBlob, Finding, FindingKind, LayerInTree, Meta, NoFaults, Reconcile, TagLookup,
    testing::{Database, Script, digest, image, index, repo, tag},
};

const REPOSITORIES: [&str; 2] = ["a", "b/c"];
const TAGS: [&str; 4] = ["latest", "v1", "v2", "v3"];

/// A database of which `forgetful` remembers nothing.
struct Twice {
    db: Database,
    digests: Vec<Digest>,
}

impl Twice {
    fn new() -> Self {
        Self {
            db: Database::new(),
            digests: Vec::new(),
        }
    }

    /// Asks for everything by way of the memory and by way of the tables alone.
    async fn compare(&self, after: &str) {
        let memory = said(&self.db.meta, &self.digests).await;
        let again = said(&self.db.meta, &self.digests).await;
        let stamps = &self.db.meta.shared.cache.stamps;
        stamps.doubt();
        let tables = said(&self.db.meta, &self.digests).await;
        assert_eq!(memory, tables, "after {after}");
        assert_eq!(again, tables, "after {after}");
        stamps.trust();
        // What comes next meets a full memory.
        said(&self.db.meta, &self.digests).await;
    }
}

/// All that is answered from memory, as one text.
async fn said(meta: &Meta, digests: &[Digest]) -> Vec<String> {
    let mut said = Vec::new();
    for name in REPOSITORIES {
        let of = repo(name);
        for name in TAGS {
            let lookup = meta.manifest_by_tag(&of, &tag(name)).await.unwrap();
            said.push(format!("{of}:{name} {lookup:?}"));
        }
        for digest in digests {
            let manifest = meta.manifest(&of, digest).await.unwrap();
            said.push(format!("{of}@{digest} {manifest:?}"));
            let held = meta.blob(&of, digest).await.unwrap();
            let content = held.as_ref().and_then(|held| meta.remembered_content(held));
            // Content may be forgotten at any time, but is never of another state.
            assert!(content.is_none() || held.is_some());
            said.push(format!(
                "{of} {digest} {:?}",
                held.map(|held| (held.row, held.target))
            ));
        }
        let names = meta.tag_names(&of, None, 3).await.unwrap();
        said.push(format!("{of} {names:?}"));
    }
    said.push(format!(
        "{:?}",
        meta.repository_names(None, 9).await.unwrap()
    ));
    said
}

fn bad(digest: &Digest) -> Finding {
    Finding {
        kind: FindingKind::BlobSize,
        repo: None,
        subject: digest.to_string(),
        detail: "it is cut short".to_owned(),
    }
}

/// What the changes are about.
struct Things {
    config: Digest,
    layer: Digest,
    alias: Digest,
    other: Digest,
    one: Manifest,
    many: Manifest,
}

#[tokio::test]
async fn every_way_to_change_something_is_seen_at_once() {
    let mut twice = Twice::new();
    let (config, layer) = (digest("config"), digest("layer"));
    let one = image(&config, &[layer]);
    let things = Things {
        config,
        layer,
        alias: digest("alias"),
        other: digest("other"),
        many: index(&[one.digest()]),
        one,
    };
    twice.digests = vec![config, layer, things.alias, things.other];
    let manifests = [things.one.digest(), things.many.digest()];
    twice.digests.extend(manifests);
    twice.compare("nothing").await;

    push(&twice, &things).await;
    damage_and_heal(&twice, &things).await;
    delete(&twice, &things).await;
    follow_a_tree(&twice, &things).await;
}

async fn push(twice: &Twice, things: &Things) {
    let (meta, of) = (twice.db.meta.clone(), repo("a"));
    meta.begin_run().await.unwrap();
    twice.compare("begin_run").await;
    meta.hold_blob(&of, &things.config, 6, None, Vec::new())
        .await
        .unwrap();
    twice.compare("hold_blob").await;
    let bytes = Some(Bytes::from_static(b"layer"));
    meta.hold_blob(&of, &things.layer, 5, bytes, Vec::new())
        .await
        .unwrap();
    twice.compare("hold_blob with bytes").await;
    meta.alias_blob(&of, &things.alias, &things.layer)
        .await
        .unwrap();
    twice.compare("alias_blob").await;
    twice.db.push("a", &things.one, &["latest", "v1"]).await;
    twice.compare("commit_manifest").await;
    twice.db.push("a", &things.many, &["v1", "v2"]).await;
    twice.compare("commit_manifest that moves a tag").await;
    twice.db.settle().await;
    twice.compare("end_projections").await;
    meta.mount_blob(&of, &repo("b/c"), &things.alias, Vec::new())
        .await
        .unwrap();
    twice.compare("mount_blob").await;
}

async fn damage_and_heal(twice: &Twice, things: &Things) {
    let (meta, of) = (twice.db.meta.clone(), repo("a"));
    meta.mark_blob_bad(&things.config, &bad(&things.config))
        .await
        .unwrap();
    twice.compare("mark_blob_bad").await;
    meta.judge_suspect(&things.config, 7, false).await.unwrap();
    twice.compare("judge_suspect that is damaged").await;
    meta.judge_suspect(&things.config, 6, true).await.unwrap();
    twice.compare("judge_suspect that is intact").await;
    meta.mark_blob_bad(&things.config, &bad(&things.config))
        .await
        .unwrap();
    meta.hold_blob(&of, &things.config, 6, None, Vec::new())
        .await
        .unwrap();
    twice.compare("hold_blob that heals").await;
    meta.mend_manifest(&of, &things.one.digest(), Bytes::from_static(b"{}"))
        .await
        .unwrap();
    twice.compare("mend_manifest").await;
    meta.quarantine_manifest(&of, &things.one.digest(), &bad(&things.config))
        .await
        .unwrap();
    twice.compare("quarantine_manifest").await;
}

async fn delete(twice: &Twice, things: &Things) {
    let (meta, of) = (twice.db.meta.clone(), repo("a"));
    meta.delete_tag(&of, &tag("latest"), Vec::new())
        .await
        .unwrap();
    twice.compare("delete_tag").await;
    meta.delete_manifest(&of, &things.many.digest(), |_| Vec::new())
        .await
        .unwrap();
    twice.compare("delete_manifest").await;
    let deleted = meta
        .delete_blob(&of, &things.alias, Vec::new())
        .await
        .unwrap();
    assert_eq!(deleted, DeleteBlob::Deleted);
    twice.compare("delete_blob").await;
    meta.delete_blob(&of, &things.config, Vec::new())
        .await
        .unwrap();
    meta.release_blobs(&[things.config]).await.unwrap();
    twice.compare("release_blobs").await;
}

async fn follow_a_tree(twice: &Twice, things: &Things) {
    let (meta, of) = (twice.db.meta.clone(), repo("a"));
    meta.note_blob(&things.other, 5).await.unwrap();
    twice.compare("note_blob").await;
    let reconciled = meta.reconcile(vec![
        Reconcile::Layer {
            repo: repo("b/c"),
            digest: things.other,
            seen: None,
            tree: Some(LayerInTree {
                target: things.other,
                size: 9,
            }),
        },
        Reconcile::Revision {
            repo: repo("b/c"),
            digest: things.one.digest(),
            seen: false,
            tree: Some(things.one.clone()),
            modified: None,
        },
        Reconcile::Tag {
            repo: repo("b/c"),
            tag: tag("v3"),
            seen: None,
            tree: Some(things.one.digest()),
            modified: None,
        },
    ]);
    assert_eq!(reconciled.await.unwrap().applied, 3);
    twice.compare("reconcile").await;
    let reviews = meta.reviews(
        crate::ReviewKind::Blob,
        std::time::SystemTime::now(),
        None,
        100,
    );
    meta.collect(reviews.await.unwrap()).await.unwrap();
    twice.compare("collect").await;
    meta.mark_complete(&of, 1).await.unwrap();
    meta.mark_all_complete().await.unwrap();
    twice.compare("mark_all_complete").await;
}

#[tokio::test]
async fn what_a_lost_commit_touched_is_read_anew() {
    let script = Arc::new(Script::default());
    let db = Database::with(Arc::clone(&script) as Arc<_>);
    let one = db.image("a", "one", &["latest"]).await;
    let found = |lookup| match lookup {
        TagLookup::Found(manifest) => Some(manifest.digest),
        _ => None,
    };
    let latest = || async {
        found(
            db.meta
                .manifest_by_tag(&repo("a"), &tag("latest"))
                .await
                .unwrap(),
        )
    };
    assert_eq!(latest().await, Some(one));
    let before = db.meta.cache_vitals();
    assert_eq!(latest().await, Some(one));
    assert!(db.meta.cache_vitals().hits > before.hits);

    script.fail_after();
    let lost = db
        .meta
        .delete_tag(&repo("a"), &tag("latest"), Vec::new())
        .await;

    assert!(lost.is_err());
    assert_eq!(latest().await, None);
    db.image("a", "two", &["v2"]).await;
    assert_eq!(latest().await, None);
}

#[tokio::test]
async fn a_read_that_a_change_overtakes_is_not_remembered() {
    let db = Database::new();
    let one = db.image("a", "one", &["latest"]).await;
    let stamps = &db.meta.shared.cache.stamps;
    let at = stamps.now();
    db.meta
        .delete_manifest(&repo("a"), &one, |_| Vec::new())
        .await
        .unwrap();

    let names = crate::Names::of(["latest"]);
    let key = crate::cache::Asked::Tags(repo("a"), "".into(), 9);
    db.meta
        .remember_names(key.clone(), &names, crate::cache::stamps::Part::Tags(1), at);

    assert_eq!(db.meta.remembered_names(&key), None);
}

#[tokio::test]
async fn a_closed_database_remembers_nothing() {
    let db = Database::new();
    let one = db.image("a", "one", &["latest"]).await;
    db.meta.manifest(&repo("a"), &one).await.unwrap();
    let clone = db.meta.clone();

    db.meta.clone().close();

    assert!(clone.manifest(&repo("a"), &one).await.is_err());
}

#[test]
fn the_memory_has_a_bound_and_keeps_what_is_wanted() {
    let stamps = Arc::new(super::Stamps::default());
    let most = 1 << 20;
    let cache = super::Cache::new(Arc::clone(&stamps), most);
    let keep = |number: u32| {
        let key = super::Asked::Content(digest(&number.to_string()));
        let seen = stamps.seen_one(stamps.now(), super::Part::Blob(i64::from(number)));
        let value = super::Remembered::Content(Bytes::from(vec![0; 1000]));
        cache.keep(key, value, seen);
    };
    let has = |number: u32| {
        let key = super::Asked::Content(digest(&number.to_string()));
        cache.get(&key).is_some()
    };
    for number in 0..50 {
        keep(number);
        has(number);
    }

    for number in 50..20_000 {
        keep(number);
    }

    assert!(cache.vitals().bytes <= most as u64);
    let kept = (0..50).filter(|number| has(*number)).count();
    assert_eq!(
        kept, 50,
        "a walk through everything drove out what was wanted"
    );
    assert!((50..20_000).any(has));
}

#[tokio::test]
async fn without_room_nothing_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("boxyard.db");
    let meta = Meta::open_remembering(&path, Arc::new(NoFaults), 0).unwrap();
    let blob = digest("blob");
    meta.hold_blob(&repo("a"), &blob, 4, None, Vec::new())
        .await
        .unwrap();

    meta.blob(&repo("a"), &blob).await.unwrap();
    meta.blob(&repo("a"), &blob).await.unwrap();

    let vitals = meta.cache_vitals();
    assert_eq!((vitals.hits, vitals.bytes), (0, 0));
}
