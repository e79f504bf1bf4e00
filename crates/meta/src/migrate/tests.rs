use std::{fs, path::Path, sync::Arc};

use rusqlite::Connection;

use crate::{
    Meta, NoFaults, OpenError,
    testing::{Database, digest},
};

#[tokio::test]
async fn a_database_is_the_same_after_it_was_closed() {
    let db = Database::new();
    let pushed = db.image("a", "one", &["latest"]).await;

    let db = db.reopen();

    assert_eq!(db.tag("a", "latest").await, Some(pushed));
    assert!(db.holds("a", &digest("layer of one")).await);
}

#[test]
fn a_newer_schema_is_refused_naming_both_versions() {
    let newer = |path: &Path| {
        let db = Connection::open(path).unwrap();
        let sql = "INSERT INTO migrations (number, name, applied_at) VALUES (99, 'later', 0)";
        db.execute(sql, []).unwrap();
    };

    let refused = Database::new().open_after(newer);

    let known = super::MIGRATIONS.len();
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
