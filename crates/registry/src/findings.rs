//! The bad objects that were met.

use boxyard_meta::StoredFinding;

use crate::Registry;
use crate::error::{During, Internal};

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
}
