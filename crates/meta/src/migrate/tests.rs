use std::{fs, path::Path, sync::Arc};

use rusqlite::Connection;

use super::{MIGRATIONS, numbered};
use crate::{
    Meta, NoFaults, OpenError, Owner, ReviewKind, Waiting,
    testing::{Database, digest, repo, tag},
};

#[tokio::test]
async fn a_database_is_the_same_after_it_was_closed() {
    let db = Database::new();
    let pushed = db.image("a", "one", &["latest"]).await;

    let db = db.reopen();

    assert_eq!(db.tag("a", "latest").await, Some(pushed));
    assert!(db.holds("a", &digest("layer of one")).await);
}

/// Lets the file be as the first `count` migrations left it, with `rows` in it.
fn write_earlier(path: &Path, count: usize, rows: &str) {
    let db = Connection::open(path).unwrap();
    let table = "CREATE TABLE migrations (
                     number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL
                 ) STRICT";
    db.execute_batch(table).unwrap();
    for (number, migration) in numbered().take(count) {
        db.execute_batch(migration.sql).unwrap();
        let sql = "INSERT INTO migrations (number, name, applied_at) VALUES ($1, $2, 0)";
        db.execute(sql, (number, migration.name)).unwrap();
    }
    db.execute_batch(rows).unwrap();
}

/// A digest as SQL writes it.
fn literal(content: &str) -> String {
    let bytes = digest(content).to_bytes();
    let hex = bytes
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    format!("x'{hex}'")
}

fn doubts<State>(states: &[(State, bool)]) -> Vec<bool> {
    states.iter().map(|(_, is_doubtful)| *is_doubtful).collect()
}

#[tokio::test]
async fn what_waited_by_digest_waits_in_its_order_and_is_as_much_in_doubt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("boxyard.db");
    let (held, gone) = (literal("held"), literal("gone"));
    let rows = format!(
        "INSERT INTO repositories (id, name, listed) VALUES (7, 'some/app', 1);
         INSERT INTO blobs (id, digest, size, state, verified, state_since)
         VALUES (3, {held}, 4, 1, 1, 0);
         INSERT INTO blob_bytes (blob_id, bytes) VALUES (3, x'68656c64');
         INSERT INTO repository_blobs (repository_id, blob_id, target_id) VALUES (7, 3, 3);
         INSERT INTO projections (repository_id, kind, name, sequence, queued_at)
         VALUES (7, 4, CAST('v1' AS BLOB), 14, 0), (7, 3, {gone}, 13, 0), (7, 2, {held}, 12, 0),
             (0, 1, {held}, 11, 0);
         INSERT INTO touched (repository_id, kind, name)
         VALUES (7, 4, CAST('v2' AS BLOB)), (7, 2, {gone});
         INSERT INTO reviews (repository_id, blob_id, kind, since) VALUES (7, 3, 1, 5000);"
    );
    write_earlier(&path, 4, &rows);

    let meta = Meta::open(&path, Arc::new(NoFaults)).unwrap();

    let app = repo("some/app");
    let waiting = meta.projections(9).await.unwrap();
    let owners: Vec<_> = waiting
        .iter()
        .map(|one| (one.sequence, one.owner.clone()))
        .collect();
    let expected = [
        (11, Owner::Blob(digest("held"))),
        (12, Owner::Layer(app.clone(), digest("held"))),
        (13, Owner::Revision(app.clone(), digest("gone"))),
        (14, Owner::Tag(app.clone(), tag("v1"))),
    ];
    assert_eq!(owners, expected);
    let tags = ["v1", "v2", "v3"].map(tag);
    let tags = meta.tag_states(&app, &tags).await.unwrap();
    assert_eq!(doubts(&tags), [true, true, false]);
    let layers = ["held", "gone", "other"].map(digest);
    let layers = meta.layer_states(&app, &layers).await.unwrap();
    assert_eq!(doubts(&layers), [true, true, false]);
    let reviews = meta.waiting_reviews(Some(&app)).await.unwrap();
    assert!(
        matches!(
            reviews[..],
            [Waiting {
                kind: ReviewKind::Blob,
                count: 1,
                bytes: 4,
                ..
            }]
        ),
        "{reviews:?}"
    );
}

#[test]
fn a_newer_schema_is_refused_naming_both_versions() {
    let newer = |path: &Path| {
        let db = Connection::open(path).unwrap();
        let sql = "INSERT INTO migrations (number, name, applied_at) VALUES (99, 'later', 0)";
        db.execute(sql, []).unwrap();
    };

    let refused = Database::new().open_after(newer);

    let known = MIGRATIONS.len();
    assert!(
        matches!(refused, OpenError::NewerSchema { found: 99, known: newest } if newest as usize == known),
        "{refused:?}"
    );
    let message = refused.to_string();
    assert!(
        message.contains("schema 99") && message.contains(&format!("knows {known}")),
        "{message}"
    );
}

#[test]
fn a_file_that_is_no_database_is_corrupt() {
    let refused = Database::new().open_after(|path| fs::write(path, [b'x'; 9000]).unwrap());

    assert!(matches!(refused, OpenError::Corrupt { .. }), "{refused:?}");
}

#[test]
fn a_database_that_was_cut_short_is_corrupt() {
    let refused = Database::new().open_after(|path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    });

    assert!(matches!(refused, OpenError::Corrupt { .. }), "{refused:?}");
}

#[test]
fn a_database_whose_schema_is_overwritten_is_corrupt() {
    let refused = Database::new().open_after(|path| {
        let mut bytes = fs::read(path).unwrap();
        bytes[100..4096].fill(0xAA);
        fs::write(path, bytes).unwrap();
    });

    assert!(matches!(refused, OpenError::Corrupt { .. }), "{refused:?}");
}

#[test]
fn what_cannot_have_a_log_is_refused_naming_the_setting() {
    let refused = Meta::open(Path::new(":memory:"), Arc::new(NoFaults)).unwrap_err();

    assert!(matches!(refused, OpenError::Unusable { .. }), "{refused:?}");
    assert!(refused.to_string().contains("`database.path`"));
}

#[test]
fn a_missing_folder_is_named() {
    let refused = Meta::open(Path::new("/nowhere/boxyard.db"), Arc::new(NoFaults)).unwrap_err();

    assert!(matches!(refused, OpenError::Sql { .. }), "{refused:?}");
    assert!(refused.to_string().contains("/nowhere/boxyard.db"));
}
