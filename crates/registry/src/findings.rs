//! The bad objects that were met.

use boxyard_meta::{StoredFinding, findings_beside};

use crate::Registry;
use crate::error::{During, Internal};
use crate::start::{Options, StartError};

impl Registry {
    /// The findings after the one with the number `after`, oldest first.
    pub async fn findings(
        &self,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<StoredFinding>, Internal> {
        self.meta
            .findings(after, limit)
            .await
            .during("list the findings")
    }

    /// All findings of the registry that `options` describe, beside a server that may be running.
    ///
    /// Blocks.
    pub fn findings_of(options: &Options) -> Result<Vec<StoredFinding>, StartError> {
        findings_beside(&options.database_path()).map_err(StartError::Database)
    }
}
