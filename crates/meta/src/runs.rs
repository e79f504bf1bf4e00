//! Runs of the server: how the last one ended, and the number of this one.

use rusqlite::{Connection, Row, types::Type};

use crate::{Meta, MetaError, column, statements::Statements};

/// One run of a server on this database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Counts the runs, from 1.
    pub generation: u64,
    /// Whether the run before, if there was one, has ended in order.
    pub clean: bool,
}

/// The run before this one, as its end has left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRun {
    /// Its number; 0 before the first.
    pub generation: u64,
    /// How far it came.
    pub phase: Phase,
}

/// How far a run came. Stored as 0, 1 and 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It ended in order.
    Ended,
    /// It was running.
    Running,
    /// It had only got its number.
    Begun,
}

impl Phase {
    const fn stored(self) -> i64 {
        match self {
            Self::Ended => 0,
            Self::Running => 1,
            Self::Begun => 2,
        }
    }

    fn read(row: &Row<'_>, index: usize) -> rusqlite::Result<Self> {
        match row.get(index)? {
            0 => Ok(Self::Ended),
            1 => Ok(Self::Running),
            2 => Ok(Self::Begun),
            _ => Err(column::malformed(index, Type::Integer, "phase of a run")),
        }
    }
}

impl Meta {
    /// Begins a run; every repository is incomplete again until it is marked.
    pub async fn begin_run(&self) -> Result<Run, MetaError> {
        self.begin_run_after(0).await
    }

    /// The same with a number larger than `generation`, which another database may have given away.
    ///
    /// The run has only begun until [`Meta::confirm_run`] is told that its number is known elsewhere too.
    pub async fn begin_run_after(&self, generation: u64) -> Result<Run, MetaError> {
        self.write(move |tx| {
            let last = last(tx)?;
            // Another program may have changed the tree since, so the tree may be right again.
            tx.change("DELETE FROM touched", [])?;
            let next = last.generation.max(generation) + 1;
            let begin = "UPDATE run SET generation = $1, running = $2, all_complete = 0
                         WHERE id = 1";
            tx.change(begin, (column::integer(next), Phase::Begun.stored()))?;
            Ok(Run {
                generation: next,
                clean: last.phase == Phase::Ended,
            })
        })
        .await
    }

    /// Notes that the run goes on under its number.
    pub async fn confirm_run(&self) -> Result<(), MetaError> {
        self.set_phase(Phase::Running).await
    }

    /// Notes that the run ends in order.
    pub async fn end_run(&self) -> Result<(), MetaError> {
        self.set_phase(Phase::Ended).await
    }

    /// The run before, or this one once it has begun.
    pub async fn last_run(&self) -> Result<LastRun, MetaError> {
        self.read(last).await
    }

    async fn set_phase(&self, phase: Phase) -> Result<(), MetaError> {
        self.write(move |tx| {
            let sql = "UPDATE run SET running = $1 WHERE id = 1";
            tx.change(sql, [phase.stored()]).map(drop)
        })
        .await
    }
}

fn last(db: &Connection) -> rusqlite::Result<LastRun> {
    let sql = "SELECT generation, running FROM run WHERE id = 1";
    let last = db.one(sql, [], |row| {
        Ok(LastRun {
            generation: column::size(row, 0)?,
            phase: Phase::read(row, 1)?,
        })
    })?;
    Ok(last.unwrap_or(LastRun {
        generation: 0,
        phase: Phase::Ended,
    }))
}

#[cfg(test)]
mod tests;
