use crate::testing::{Database, names, repo, tag};

#[tokio::test]
async fn tags_are_listed_bytewise_and_page_by_page() {
    let db = Database::new();
    db.image("a", "one", &["b", "B", "a-b", "a.b", "a_b", "a", "9"])
        .await;
    db.image("b", "one", &["other"]).await;

    let first = db.meta.tags(&repo("a"), None, 4).await.unwrap();
    let rest = db.meta.tags(&repo("a"), Some("a-b"), 10).await.unwrap();

    assert_eq!(names(&first), ["9", "B", "a", "a-b"]);
    assert_eq!(names(&rest), ["a.b", "a_b", "b"]);
}

#[tokio::test]
async fn a_page_of_no_tags_is_empty_and_so_is_one_of_no_repository() {
    let db = Database::new();
    db.image("a", "one", &["latest"]).await;

    assert!(db.meta.tags(&repo("a"), None, 0).await.unwrap().is_empty());
    assert!(db.meta.tags(&repo("b"), None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_tag_moves_to_what_was_pushed_last() {
    let db = Database::new();
    let one = db.image("a", "one", &["latest", "old"]).await;

    let two = db.image("a", "two", &["latest"]).await;

    assert_eq!(db.tag("a", "latest").await, Some(two));
    assert_eq!(db.tag("a", "old").await, Some(one));
    let all = db
        .meta
        .all_tags(&repo("a"), Some(&tag("latest")), 10)
        .await
        .unwrap();
    assert_eq!(all, [(tag("old"), one)]);
}

#[tokio::test]
async fn deleting_a_tag_leaves_its_manifest_and_its_siblings() {
    let db = Database::new();
    let one = db.image("a", "one", &["latest", "old"]).await;

    assert!(
        db.meta
            .delete_tag(&repo("a"), &tag("latest"), Vec::new())
            .await
            .unwrap()
    );
    assert!(
        !db.meta
            .delete_tag(&repo("a"), &tag("latest"), Vec::new())
            .await
            .unwrap()
    );
    assert!(
        !db.meta
            .delete_tag(&repo("b"), &tag("latest"), Vec::new())
            .await
            .unwrap()
    );

    assert_eq!(db.tags("a").await, ["old"]);
    assert!(db.meta.manifest(&repo("a"), &one).await.unwrap().is_some());
}
