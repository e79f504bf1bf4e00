use crate::testing::{Database, repo};

#[tokio::test]
async fn tags_are_listed_bytewise_and_page_by_page() {
    let db = Database::new();
    db.image("a", "one", &["b", "B", "a-b", "a.b", "a_b", "a", "9"])
        .await;

    let first = db.meta.tags(&repo("a"), None, 4).await.unwrap();
    let last = db.meta.tags(&repo("a"), Some("a-b"), 10).await.unwrap();

    let names =
        |tags: Vec<boxyard_oci::Tag>| tags.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(first), ["9", "B", "a", "a-b"]);
    assert_eq!(names(last), ["a.b", "a_b", "b"]);
}
