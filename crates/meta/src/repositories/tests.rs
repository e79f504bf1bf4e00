use crate::testing::{Database, digest, names, repo, tag};

#[tokio::test]
async fn the_catalog_is_bytewise_and_comes_in_pages() {
    let db = Database::new();
    for name in ["b", "a/b", "a", "a-b", "a0"] {
        db.image(name, "one", &["latest"]).await;
    }

    let first = db.meta.repositories(None, 3).await.unwrap();
    let rest = db.meta.repositories(Some("a/b"), 3).await.unwrap();

    assert_eq!(names(&first), ["a", "a-b", "a/b"]);
    assert_eq!(names(&rest), ["a0", "b"]);
}

#[tokio::test]
async fn a_page_may_begin_after_what_is_no_repository() {
    let db = Database::new();
    db.image("b", "one", &["latest"]).await;

    assert_eq!(
        db.meta.repositories(Some("A?"), 10).await.unwrap(),
        [repo("b")]
    );
    assert!(
        db.meta
            .repositories(Some("bb"), 10)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_repository_with_blobs_alone_exists_but_is_not_in_the_catalog() {
    let db = Database::new();

    db.blob("a", "content").await;

    assert!(db.repositories().await.is_empty());
    assert!(db.meta.repository_exists(&repo("a")).await.unwrap());
    assert!(!db.meta.repository_exists(&repo("b")).await.unwrap());
    assert_eq!(
        db.meta.every_repository(None, 10).await.unwrap(),
        [repo("a")]
    );
}

#[tokio::test]
async fn a_repository_leaves_the_catalog_with_its_last_manifest_and_comes_back() {
    let db = Database::new();
    let one = db.image("a", "one", &["latest"]).await;
    let two = db.image("a", "two", &[]).await;

    db.meta
        .delete_manifest(&repo("a"), &one, |_| Vec::new())
        .await
        .unwrap();
    assert_eq!(db.repositories().await, ["a"]);
    db.meta
        .delete_manifest(&repo("a"), &two, |_| Vec::new())
        .await
        .unwrap();
    assert!(db.repositories().await.is_empty());
    db.image("a", "one", &[]).await;

    assert_eq!(db.repositories().await, ["a"]);
}

#[tokio::test]
async fn a_repository_whose_tags_are_gone_stays_for_its_manifests() {
    let db = Database::new();
    db.image("a", "one", &["latest"]).await;

    db.meta
        .delete_tag(&repo("a"), &tag("latest"), Vec::new())
        .await
        .unwrap();

    assert_eq!(db.repositories().await, ["a"]);
    assert!(db.tags("a").await.is_empty());
}

#[tokio::test]
async fn a_refused_manifest_makes_no_repository() {
    let db = Database::new();
    let image = crate::testing::image(&digest("config"), &[]);

    db.try_push("a", &image, &["latest"]).await;

    assert!(!db.meta.repository_exists(&repo("a")).await.unwrap());
    assert!(db.meta.every_repository(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn once_all_are_complete_nobody_remembers_what_clients_change() {
    let db = Database::new();
    let doubted = async |name: &str| {
        let states = db.meta.tag_states(&repo(name), &[tag("latest")]).await;
        states.unwrap()[0].1
    };
    db.meta.begin_run().await.unwrap();
    db.image("a", "one", &["latest"]).await;
    db.settle().await;
    assert!(doubted("a").await);

    db.meta.mark_all_complete().await.unwrap();
    db.image("new", "one", &["latest"]).await;
    db.settle().await;

    assert!(!doubted("a").await);
    assert!(!doubted("new").await);
    db.meta.begin_run().await.unwrap();
    db.image("newer", "one", &["latest"]).await;
    db.settle().await;
    assert!(doubted("newer").await, "the next run has to compare again");
}
