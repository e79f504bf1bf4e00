//! The changes that share a commit.

use std::sync::mpsc::Receiver;

use super::{Job, Message, Write};
use crate::{
    error::{CommitError, MetaError},
    statements::Statements,
};

/// How many changes may share a commit, so that the first of them is answered in time.
const GROUP: usize = 256;

/// Whether a group took the last message.
#[derive(PartialEq, Eq)]
pub(super) enum Next {
    More,
    Stop,
}

/// The changes, in their order.
pub(super) struct Group {
    pub(super) jobs: Vec<Box<dyn Job>>,
    pub(super) next: Next,
}

impl Group {
    /// One that begins with `first`.
    pub(super) fn of(first: Box<dyn Job>) -> Self {
        Self {
            jobs: vec![first],
            next: Next::More,
        }
    }

    /// Runs all, without being able to take one back alone.
    ///
    /// Nearly every change succeeds, and for the others the engine would copy aside each page that
    /// a change is the first to touch. So the first failure ends this.
    pub(super) fn run_together(
        &mut self,
        tx: &Write<'_>,
        waiting: &Receiver<Message>,
    ) -> Result<(), MetaError> {
        self.run(waiting, |job| job.run(tx))
    }

    /// Takes everything back and runs each job so that it fails alone.
    pub(super) fn run_apart(
        &mut self,
        tx: &Write<'_>,
        waiting: &Receiver<Message>,
    ) -> Result<(), CommitError> {
        // Out of disk or memory, the engine may have taken it back by itself.
        if !tx.is_autocommit() {
            tx.change("ROLLBACK", []).map_err(CommitError::Sql)?;
        }
        tx.findings.set(None);
        tx.change("BEGIN IMMEDIATE", []).map_err(CommitError::Sql)?;
        self.run(waiting, |job| isolated(tx, job))
    }

    /// Runs the first job and whatever waits, up to the bound.
    fn run<E>(
        &mut self,
        waiting: &Receiver<Message>,
        run: impl Fn(&mut dyn Job) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut done = 0;
        while let Some(job) = self.jobs.get_mut(done) {
            run(job.as_mut())?;
            done += 1;
            if done == self.jobs.len() && done < GROUP {
                self.fetch(waiting);
            }
        }
        Ok(())
    }

    fn fetch(&mut self, waiting: &Receiver<Message>) {
        if self.next == Next::Stop {
            return;
        }
        match waiting.try_recv() {
            Ok(Message::Job(job)) => self.jobs.push(job),
            Ok(Message::Stop) => self.next = Next::Stop,
            Err(_) => {}
        }
    }
}

/// Runs a job in a savepoint, so that its failure takes back nothing of the others.
fn isolated(tx: &Write<'_>, job: &mut dyn Job) -> Result<(), CommitError> {
    tx.change("SAVEPOINT job", []).map_err(CommitError::Sql)?;
    if let Err(error) = job.run(tx) {
        // Then the whole group is gone, and it is told so.
        if tx.is_autocommit() {
            return Err(CommitError::Undone(error));
        }
        tx.change("ROLLBACK TO job", []).map_err(CommitError::Sql)?;
    }
    tx.change("RELEASE job", []).map_err(CommitError::Sql)?;
    Ok(())
}
