//! What a collection would take, found out beside the writer.
//!
//! A connection that may not change the file has temporary tables and views of the same names
//! over it, which remember what has gone. So the very statements that collect run here too, a
//! page at a time, and no push waits for them.

use std::cell::Cell;

use rusqlite::Connection;

use super::{
    ReviewKind,
    collect::{Collected, CollectionPlan, collect},
};
use crate::{
    Meta, MetaError, Review,
    clock::Timestamp,
    connection::{self, Purpose},
    statements::Statements,
    writer::Write,
};

/// Reviews decided in one transaction, which keeps the log from being emptied.
const PAGE: usize = 1_000;

/// What hides the tables of the file.
const OVERLAY: &str = include_str!("overlay.sql");

impl Meta {
    /// What a collection of all of `kinds`, in this order, would take if it were done now.
    ///
    /// Everything that follows from what goes is followed; nothing changes, and nobody waits.
    pub async fn plan_collection<P>(
        &self,
        kinds: Vec<ReviewKind>,
        promised: P,
    ) -> Result<CollectionPlan, MetaError>
    where
        P: Fn(&Review) -> bool + Send + 'static,
    {
        let path = self.shared.path.clone();
        let planning = move || -> rusqlite::Result<CollectionPlan> {
            let db = connection::open(&path, Purpose::Plan)?;
            let mut plan = CollectionPlan::default();
            db.execute_batch(OVERLAY)?;
            for kind in kinds {
                while pass(&db, kind, &promised, &mut plan)? {}
            }
            Ok(plan)
        };
        let planned = tokio::task::spawn_blocking(planning).await;
        let planned = planned.map_err(|_| MetaError::Closed)?;
        let planned = planned.map_err(MetaError::from);
        self.shared.damage.look_at(&planned);
        planned
    }
}

/// Goes once through the queue; whether something went, so that more may follow.
fn pass(
    db: &Connection,
    kind: ReviewKind,
    promised: &impl Fn(&Review) -> bool,
    plan: &mut CollectionPlan,
) -> rusqlite::Result<bool> {
    let before = plan.gone.len();
    let (mut staying, mut doubtful) = (0, 0);
    let mut after = None;
    let sequence = Cell::new(0);
    let until = Timestamp::now();
    loop {
        db.change("BEGIN", [])?;
        let tx = Write::aside(db, &sequence);
        let page = super::page(&tx, kind, until, after, PAGE)?;
        after = page.last().map(|last| last.position);
        for review in &page {
            if promised(review) {
                staying += 1;
                continue;
            }
            match collect(&tx, review)? {
                Collected::Gone(condemned) => plan.gone.push(condemned),
                Collected::Doubtful => doubtful += 1,
                Collected::Needed => {}
            }
        }
        db.change("COMMIT", [])?;
        if page.is_empty() {
            break;
        }
    }
    if plan.gone.len() > before {
        return Ok(true);
    }
    // What stays is counted on the last way through.
    plan.promised += staying;
    plan.doubtful += doubtful;
    Ok(false)
}
