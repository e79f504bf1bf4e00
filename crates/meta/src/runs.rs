//! Runs of the server: how the last one ended, and the number of this one.

use crate::{Meta, MetaError, column, statements::Statements};

/// One run of a server on this database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Counts the runs, from 1.
    pub generation: u64,
    /// Whether the run before, if there was one, has ended in order.
    pub clean: bool,
}

impl Meta {
    /// Begins a run; every repository is incomplete again until it is marked.
    pub async fn begin_run(&self) -> Result<Run, MetaError> {
        self.write(|tx| {
            let clean = tx.one("SELECT running = 0 FROM run WHERE id = 1", [], |row| {
                row.get(0)
            })?;
            // Another program may have changed the tree since, so the tree may be right again.
            tx.change("DELETE FROM touched", [])?;
            let begin = "UPDATE run SET generation = generation + 1, running = 1 WHERE id = 1";
            tx.change(begin, [])?;
            let sql = "SELECT generation FROM run WHERE id = 1";
            let generation = tx.one(sql, [], |row| column::size(row, 0))?.unwrap_or(0);
            Ok(Run {
                generation,
                clean: clean.unwrap_or(true),
            })
        })
        .await
    }

    /// Notes that the run ends in order.
    pub async fn end_run(&self) -> Result<(), MetaError> {
        self.write(|tx| {
            tx.change("UPDATE run SET running = 0 WHERE id = 1", [])
                .map(drop)
        })
        .await
    }
}

#[cfg(test)]
mod tests;
