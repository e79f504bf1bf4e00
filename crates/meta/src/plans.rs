//! Watches in tests that no statement reads more than it answers.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use rusqlite::{Connection, MAIN_DB};

/// The statements that may look at every row: the queue, what waits and the receivers are
/// bounded, a new run starts over, and a scrub says once how much there is.
const WHOLE: [&str; 7] = [
    "SELECT COALESCE(SUM(size), 0) FROM blobs WHERE state = 1",
    "SELECT COUNT(*) FROM projections",
    "SELECT COALESCE(SUM(LENGTH(bytes)), 0) FROM blob_bytes",
    "DELETE FROM touched",
    "SELECT name, events FROM event_receivers ORDER BY name",
    "SELECT key, left_for FROM promises",
    "DELETE FROM promises",
];

/// The list of what is deleted from each of the views of a plan.
const VIEWS: [&str; 5] = [
    "SCAN manifests",
    "SCAN edges",
    "SCAN repository_blobs",
    "SCAN findings",
    "SCAN repositories",
];

/// Steps that look as if they found something and go through nearly all of a table.
const ALL_OF_A_KIND: [&str; 2] = [
    "SEARCH projections USING PRIMARY KEY (kind=?)",
    "SEARCH p USING PRIMARY KEY (kind=?)",
];

static CHECKED: Mutex<BTreeSet<(bool, String)>> = Mutex::new(BTreeSet::new());

/// Fails the test that first prepares a statement which scans or sorts.
pub(crate) fn check(db: &Connection, sql: &str) {
    let verb = sql.split_whitespace().next().unwrap_or_default();
    if !["SELECT", "INSERT", "UPDATE", "DELETE"].contains(&verb) || WHOLE.contains(&sql) {
        return;
    }
    // The same words mean other tables where the file cannot be changed.
    let is_aside = db.is_readonly(MAIN_DB).unwrap_or(false);
    if CHECKED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert((is_aside, sql.to_owned()))
    {
        let mut costly = costly(db, sql);
        // What is deleted from a view is listed first; a scan of its table has the table's alias.
        costly.retain(|step| !(is_aside && VIEWS.contains(&step.as_str())));
        assert!(costly.is_empty(), "{costly:#?} in {sql}");
    }
}

/// The steps of the plan of `sql` that cost more than the page.
fn costly(db: &Connection, sql: &str) -> Vec<String> {
    let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let rows = plan.raw_query().mapped(|row| row.get::<_, String>(3));
    rows.map(Result::unwrap)
        .filter(|step| is_costly(step))
        .collect()
}

fn is_costly(step: &str) -> bool {
    (step.starts_with("SCAN ") && step != "SCAN CONSTANT ROW")
        || step.contains("TEMP B-TREE")
        || ALL_OF_A_KIND.contains(&step)
}

mod tests;
