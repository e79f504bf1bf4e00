//! Where tests make a commit fail.

use std::{fmt::Debug, io};

/// What may go wrong around a commit, for tests that crash there.
pub trait CommitFaults: Send + Sync + Debug {
    /// Asked before each commit; an error loses the group, as a crash before it would.
    fn before_commit(&self) -> io::Result<()>;

    /// Asked after each commit; an error loses the answers only, as a crash after it would.
    fn after_commit(&self) -> io::Result<()>;
}

/// No faults: what a server runs with.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFaults;

impl CommitFaults for NoFaults {
    fn before_commit(&self) -> io::Result<()> {
        Ok(())
    }

    fn after_commit(&self) -> io::Result<()> {
        Ok(())
    }
}
