//! How the registry is, as far as numbers say it.

use std::sync::Arc;

use boxyard_meta::{CacheVitals, DatabaseVitals};

use crate::Registry;
use crate::error::{During, Internal, blocking};
use crate::tally::CollectVitals;

/// The numbers of one moment.
#[derive(Clone, Debug)]
pub struct Vitals {
    /// Uploads that this process has in memory.
    pub uploads: u64,
    /// Changes that the tree does not show yet.
    pub backlog: u64,
    /// What is left on the folder's filesystem, in bytes.
    pub free_bytes: u64,
    /// How much of that is not for uploads.
    pub reserve_bytes: u64,
    /// Those of collecting.
    pub collecting: CollectVitals,
    /// Those of what is remembered.
    pub cache: CacheVitals,
    /// The database's own.
    pub database: DatabaseVitals,
}

impl Registry {
    /// Counts and measures; it costs one short read of the database.
    pub async fn vitals(self: &Arc<Self>) -> Result<Vitals, Internal> {
        let database = self.meta.vitals().await.during("look at the database")?;
        let backlog = self.meta.projection_backlog().await;
        let folder = self.folder.clone();
        let free = blocking(move || folder.free()).await;
        Ok(Vitals {
            uploads: self.sessions.open(),
            backlog: backlog.during("count the queue of the tree")?,
            free_bytes: free.during("ask for free space")?.bytes,
            reserve_bytes: self.settings.reserve_bytes,
            collecting: self.collect_vitals().await?,
            cache: self.meta.cache_vitals(),
            database,
        })
    }
}
