//! Running prepared statements.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row};

/// The ways in which this crate runs SQL.
///
/// Statements are prepared once per connection. Their parameters are `$1`, `$2`, … in the order
/// of their first use, which both engines number alike.
pub(crate) trait Statements {
    /// Runs a change and counts the rows it touched.
    fn change(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize>;

    /// Inserts a row and answers the number that the engine gave it.
    ///
    /// The engine would copy aside what `RETURNING` might have to undo, for each row.
    fn insert(&self, sql: &str, params: impl Params) -> rusqlite::Result<i64>;

    /// The first row, if there is one.
    fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>>;

    /// All rows; the statement bounds how many.
    fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>>;
}

impl Statements for Connection {
    fn change(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        prepare(self, sql)?.execute(params)
    }

    fn insert(&self, sql: &str, params: impl Params) -> rusqlite::Result<i64> {
        self.change(sql, params)?;
        Ok(self.last_insert_rowid())
    }

    fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        prepare(self, sql)?.query_row(params, read).optional()
    }

    fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        prepare(self, sql)?.query_map(params, read)?.collect()
    }
}

fn prepare<'a>(db: &'a Connection, sql: &str) -> rusqlite::Result<CachedStatement<'a>> {
    let statement = db.prepare_cached(sql)?;
    debug_assert!(
        numbers_by_first_use(&statement),
        "parameters out of order: {sql}"
    );
    #[cfg(test)]
    crate::plans::check(db, sql);
    Ok(statement)
}

/// The engine numbers `$n` by first use, whatever `n` is; another order would bind the wrong values.
fn numbers_by_first_use(statement: &CachedStatement<'_>) -> bool {
    (1..=statement.parameter_count())
        .all(|index| statement.parameter_name(index) == Some(format!("${index}").as_str()))
}
