//! What a group of changes touches of what may be remembered.
//!
//! A change of a table from which something is remembered says what it touches where it is
//! made. One that does not is no error that anybody would notice, so it makes everything be
//! forgotten, and a build for tests stops at it.

use std::cell::{Cell, RefCell};

use rusqlite::{Params, Row};

use super::Write;
use crate::{
    cache::stamps::{Part, Place, Stamps},
    statements::Statements,
};

/// The tables from which something is remembered.
const REMEMBERED: [&str; 7] = [
    "blob_bytes",
    "blobs",
    "manifest_payloads",
    "manifests",
    "repositories",
    "repository_blobs",
    "tags",
];

/// What one group touches.
#[derive(Debug)]
pub(super) struct Touched<'a> {
    stamps: &'a Stamps,
    places: RefCell<Vec<Place>>,
    everything: Cell<bool>,
}

impl<'a> Touched<'a> {
    pub(super) fn new(stamps: &'a Stamps) -> Self {
        Self {
            stamps,
            places: RefCell::default(),
            everything: Cell::new(false),
        }
    }

    /// Before the commit: from now on the tables alone are right about it.
    pub(super) fn changing(&self) {
        if self.everything.get() {
            self.stamps.doubt();
        }
        self.stamps.changing(&self.places.borrow());
    }

    /// After the commit, before anybody is answered.
    pub(super) fn changed(&self) {
        self.stamps.changed(&self.places.borrow());
        if self.everything.get() {
            self.stamps.trust();
        }
    }

    fn note(&self, parts: &[Part<'_>]) {
        let places = parts.iter().map(|part| self.stamps.place(*part));
        self.places.borrow_mut().extend(places);
    }
}

impl Write<'_> {
    /// Runs a change of a table from which something is remembered: what `parts` say may be
    /// another afterwards, and nothing else.
    ///
    /// They are none where the row is new, or the column is one that nobody remembers.
    pub(crate) fn change_of(
        &self,
        parts: &[Part<'_>],
        sql: &str,
        params: impl Params,
    ) -> rusqlite::Result<usize> {
        if let Some(touched) = self.touched {
            touched.note(parts);
        }
        self.db.change(sql, params)
    }

    /// Inserts a row of which nobody can remember anything, since it is new.
    pub(crate) fn insert_new(&self, sql: &str, params: impl Params) -> rusqlite::Result<i64> {
        self.db.insert(sql, params)
    }

    fn look_at(&self, sql: &str) {
        if let Some(touched) = self.touched
            && changes_remembered(sql)
        {
            debug_assert!(false, "a change does not say what it touches: {sql}");
            touched.everything.set(true);
        }
    }
}

/// The other statements of a change: those that read, and those of tables from which nothing is
/// remembered.
impl Statements for Write<'_> {
    fn change(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.look_at(sql);
        self.db.change(sql, params)
    }

    fn insert(&self, sql: &str, params: impl Params) -> rusqlite::Result<i64> {
        self.look_at(sql);
        self.db.insert(sql, params)
    }

    fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        self.look_at(sql);
        self.db.one(sql, params, read)
    }

    fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        self.look_at(sql);
        self.db.all(sql, params, read)
    }
}

/// Whether a statement may change a table from which something is remembered.
fn changes_remembered(sql: &str) -> bool {
    let mut words = sql.split_ascii_whitespace();
    let table = match words.next() {
        Some("UPDATE") => words.next(),
        Some("INSERT" | "DELETE") => match words.next() {
            // What is replaced along with it is not told.
            Some("OR") => return true,
            _ => words.next(),
        },
        Some("WITH" | "REPLACE") => return true,
        _ => None,
    };
    table.is_some_and(|table| REMEMBERED.contains(&table))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_that_changes_a_remembered_table_is_told_from_others() {
        let remembered = [
            "UPDATE blobs SET size = $1",
            "INSERT INTO tags (name) VALUES ($1)",
            "DELETE FROM manifests\n WHERE id = $1",
            "WITH x AS (SELECT 1) DELETE FROM tags",
            "INSERT OR REPLACE INTO tags (name) VALUES ($1)",
        ];
        let others = [
            "SELECT name FROM tags",
            "INSERT INTO releases (blob_id) VALUES ($1)",
            "DELETE FROM edges WHERE manifest_id = $1",
            "SAVEPOINT job",
        ];

        assert!(remembered.into_iter().all(changes_remembered));
        assert!(!others.into_iter().any(changes_remembered));
    }
}
