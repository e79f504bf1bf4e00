use boxyard_oci::{Algorithm, Digest, EdgeKind, Manifest, MediaType};
use bytes::Bytes;
use rusqlite::Row;

use crate::{
    Commit, CommitManifest, Finding, FindingKind, Owner, TagLookup,
    statements::Statements,
    testing::{Database, digest, image, index, long_digest, manifest, names, repo, tag},
};

#[tokio::test]
async fn a_manifest_is_served_byte_for_byte_by_digest_and_by_tag() {
    let db = Database::new();
    let pushed = db.image("a", "one", &["latest"]).await;

    let by_digest = db
        .meta
        .manifest(&repo("a"), &pushed)
        .await
        .unwrap()
        .unwrap();
    let by_tag = db
        .meta
        .manifest_by_tag(&repo("a"), &tag("latest"))
        .await
        .unwrap();

    assert_eq!(Algorithm::Sha256.digest(&by_digest.payload), pushed);
    assert_eq!(
        by_digest.media_type,
        "application/vnd.oci.image.manifest.v1+json"
    );
    assert!(by_digest.expressible && !by_digest.schema1);
    assert_eq!(by_tag, TagLookup::Found(by_digest));
    assert_eq!(db.meta.manifest(&repo("b"), &pushed).await.unwrap(), None);
    let absent = db
        .meta
        .manifest_by_tag(&repo("a"), &tag("old"))
        .await
        .unwrap();
    assert_eq!(absent, TagLookup::NoTag);
}

#[tokio::test]
async fn a_manifest_that_names_unknown_blobs_is_refused_with_all_of_them() {
    let db = Database::new();
    let known = db.blob("a", "known").await;
    let (config, layer) = (digest("config"), digest("layer"));
    let image = image(&config, &[known, layer, layer]);

    let refused = db.try_push("a", &image, &["latest"]).await;

    assert_eq!(refused, Commit::UnknownBlobs(vec![config, layer]));
    assert_eq!(db.tag("a", "latest").await, None);
    assert_eq!(
        db.meta.manifest(&repo("a"), &image.digest()).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn what_another_repository_holds_is_unknown_here() {
    let db = Database::new();
    let blob = db.blob("a", "content").await;

    let refused = db.try_push("b", &image(&blob, &[]), &[]).await;

    assert_eq!(refused, Commit::UnknownBlobs(vec![blob]));
}

#[tokio::test]
async fn an_index_is_refused_with_its_missing_children_and_accepted_with_them() {
    let db = Database::new();
    let child = db.image("a", "one", &[]).await;
    let missing = digest("missing");

    let refused = db.try_push("a", &index(&[child, missing]), &[]).await;

    assert_eq!(refused, Commit::UnknownBlobs(vec![missing]));
    db.push("a", &index(&[child]), &["latest"]).await;
}

#[tokio::test]
async fn an_index_may_list_a_blob_but_must_not_make_one_up() {
    let db = Database::new();
    let blob = db.blob("a", "content").await;
    let listing = |digest: &Digest| {
        let media_type = "application/vnd.oci.image.index.v1+json";
        manifest(&format!(
            r#"{{"schemaVersion":2,"mediaType":"{media_type}","manifests":[
                {{"mediaType":"application/x-cache","digest":"{digest}","size":7}}]}}"#
        ))
    };

    db.push("a", &listing(&blob), &[]).await;

    let refused = db.try_push("a", &listing(&digest("missing")), &[]).await;
    assert_eq!(refused, Commit::UnknownBlobs(vec![digest("missing")]));
}

#[tokio::test]
async fn a_sparse_manifest_is_accepted_when_asked_for() {
    let db = Database::new();
    let push = CommitManifest {
        may_lack: Vec::new(),
        repo: repo("a"),
        manifest: index(&[digest("missing")]),
        tags: vec![tag("latest")],
        sparse: true,
        events: Vec::new(),
    };

    let commit = db.meta.commit_manifest(push).await.unwrap();

    assert_eq!(commit, Commit::Done);
    assert_eq!(db.tags("a").await, ["latest"]);
}

#[tokio::test]
async fn a_bad_blob_counts_as_unknown() {
    let db = Database::new();
    let blob = db.blob("a", "content").await;
    let finding = Finding {
        kind: FindingKind::BlobSize,
        repo: None,
        subject: blob.to_string(),
        detail: String::new(),
    };
    db.meta.mark_blob_bad(&blob, &finding).await.unwrap();

    let refused = db.try_push("a", &image(&blob, &[]), &[]).await;

    assert_eq!(refused, Commit::UnknownBlobs(vec![blob]));
}

#[tokio::test]
async fn what_an_unknown_type_names_need_not_be_there() {
    let db = Database::new();

    db.push(
        "a",
        &crate::testing::unknown_type(&digest("anything")),
        &["latest"],
    )
    .await;
}

#[tokio::test]
async fn a_layer_that_comes_from_elsewhere_need_not_be_there() {
    let db = Database::new();
    let (config, foreign) = (db.blob("a", "config").await, digest("foreign"));
    let kind = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let image = manifest(&format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",
            "config":{{"mediaType":"application/x","digest":"{config}","size":7}},
            "layers":[{{"mediaType":"{kind}","digest":"{foreign}","size":7,
                        "urls":["https://elsewhere.example/"]}}]}}"#
    ));

    db.push("a", &image, &["latest"]).await;
}

#[tokio::test]
async fn a_manifest_that_names_an_alias_makes_the_repository_hold_its_target() {
    let db = Database::new();
    let (blob, alias) = (db.blob("a", "content").await, long_digest("content"));
    db.meta.alias_blob(&repo("b"), &alias, &blob).await.unwrap();
    db.settle().await;

    assert!(!db.holds("b", &blob).await);
    db.push("b", &image(&alias, &[]), &[]).await;

    assert!(db.holds("b", &blob).await);
    assert_eq!(db.owners().await[0], Owner::Layer(repo("b"), blob));
}

#[tokio::test]
async fn the_same_bytes_under_another_type_replace_type_and_edges() {
    let db = Database::new();
    let (image_type, other) = (
        "application/vnd.oci.image.manifest.v1+json",
        "application/x-one",
    );
    let config = db.blob("a", "config").await;
    let json = format!(
        r#"{{"schemaVersion":2,"layers":[],
            "config":{{"mediaType":"application/x","digest":"{config}","size":6}}}}"#
    );
    let pushed = db.push("a", &typed(&json, other), &["latest"]).await;

    db.push("a", &typed(&json, image_type), &[]).await;

    let stored = db
        .meta
        .manifest(&repo("a"), &pushed)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.media_type, image_type);
    assert_eq!(stored.payload, json);
    assert_eq!(
        db.meta.all_revisions(&repo("a"), None, 10).await.unwrap(),
        [pushed]
    );
    assert_eq!(edge_kinds(&db).await, [EdgeKind::Config]);
}

#[tokio::test]
async fn deleting_a_manifest_deletes_what_it_names_with_it() {
    let db = Database::new();
    let one = db.image("a", "one", &[]).await;
    assert_eq!(edge_kinds(&db).await, [EdgeKind::Config, EdgeKind::Layer]);

    db.meta
        .delete_manifest(&repo("a"), &one, |_| Vec::new())
        .await
        .unwrap();

    assert!(edge_kinds(&db).await.is_empty());
}

#[tokio::test]
async fn deleting_a_manifest_takes_every_tag_that_names_it_and_no_other() {
    let db = Database::new();
    let one = db.image("a", "one", &["1", "latest"]).await;
    db.image("a", "two", &["2"]).await;

    let removed = db
        .meta
        .delete_manifest(&repo("a"), &one, |_| Vec::new())
        .await
        .unwrap();

    assert_eq!(removed.map(|tags| names(&tags)).unwrap(), ["1", "latest"]);
    assert_eq!(db.tags("a").await, ["2"]);
    assert_eq!(db.meta.manifest(&repo("a"), &one).await.unwrap(), None);
    assert_eq!(
        db.meta
            .delete_manifest(&repo("a"), &one, |_| Vec::new())
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn deleting_a_manifest_queues_its_tags_before_its_revision() {
    let db = Database::new();
    let one = db.image("a", "one", &["latest"]).await;
    db.settle().await;

    db.meta
        .delete_manifest(&repo("a"), &one, |_| Vec::new())
        .await
        .unwrap();

    let tag = Owner::Tag(repo("a"), tag("latest"));
    assert_eq!(db.owners().await, [tag, Owner::Revision(repo("a"), one)]);
}

#[tokio::test]
async fn a_child_may_be_deleted_and_leaves_its_index_sparse() {
    let db = Database::new();
    let child = db.image("a", "one", &[]).await;
    let list = db.push("a", &index(&[child]), &["latest"]).await;

    db.meta
        .delete_manifest(&repo("a"), &child, |_| Vec::new())
        .await
        .unwrap()
        .unwrap();

    assert_eq!(db.tag("a", "latest").await, Some(list));
    assert!(db.meta.manifest(&repo("a"), &list).await.unwrap().is_some());
}

#[tokio::test]
async fn revisions_are_listed_in_pages() {
    let db = Database::new();
    let one = db.image("a", "one", &[]).await;
    let two = db.image("a", "two", &[]).await;
    db.image("b", "three", &[]).await;

    let first = db.meta.all_revisions(&repo("a"), None, 1).await.unwrap();
    let rest = db
        .meta
        .all_revisions(&repo("a"), Some(&one), 10)
        .await
        .unwrap();

    assert_eq!((first, rest), (vec![one], vec![two]));
}

fn typed(json: &str, media_type: &str) -> Manifest {
    let media_type: MediaType = media_type.parse().unwrap();
    let payload = Bytes::from(json.to_owned());
    Manifest::parse(payload, Some(&media_type), Algorithm::Sha256).unwrap()
}

/// What the manifests of the database name, in their order.
async fn edge_kinds(db: &Database) -> Vec<EdgeKind> {
    let sql = "SELECT kind FROM edges WHERE manifest_id > $1 ORDER BY manifest_id, kind";
    let kinds = |row: &Row<'_>| Ok(EdgeKind::from_u8(row.get(0)?).unwrap());
    db.meta
        .read(move |db| db.all(sql, [0], kinds))
        .await
        .unwrap()
}
