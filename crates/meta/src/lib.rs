//! Every SQL statement of the registry: what it holds, what refers to what, and what the tree
//! of files does not show yet.
//!
//! One thread changes the database and groups what waits into one synced commit; reads run on
//! connections of their own, each in one short transaction. What a method answers is durable.

mod beside;
mod blobs;
mod cache;
mod checkpoints;
mod clock;
mod column;
mod connection;
mod damage;
mod digests;
mod error;
mod events;
mod faults;
mod findings;
mod inventory;
mod manifests;
mod migrate;
mod pending;
#[cfg(test)]
mod plans;
mod projections;
mod promises;
mod readers;
mod reconcile;
mod referrers;
mod releases;
mod repositories;
mod reviews;
mod runs;
mod snapshot;
mod statements;
mod states;
mod suspects;
mod tags;
#[cfg(test)]
mod testing;
mod vitals;
mod writer;

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::Connection;

pub use crate::{
    beside::findings_beside,
    blobs::{BlobRow, BlobState, DeleteBlob, HeldBlob, HeldSize, Stored},
    cache::{CacheVitals, Names, Seen},
    error::{CommitError, MetaError, OpenError},
    events::{Backlog, Event, PendingEvent, Receiver},
    faults::{CommitFaults, NoFaults},
    findings::{Finding, FindingKind, StoredFinding},
    inventory::{PresentBlob, RepositorySummary, TagSummary},
    manifests::{Commit, CommitManifest, StoredManifest, TagLookup},
    projections::{Owner, TagTarget, Wanted, WantedState},
    readers::Pace,
    reconcile::{LayerInTree, Reconcile, Reconciled},
    referrers::StoredReferrer,
    reviews::{Collected, CollectionPlan, Condemned, Kept, Position, Review, ReviewKind, Waiting},
    runs::{LastRun, Phase, Run},
    snapshot::Snapshot,
    vitals::DatabaseVitals,
};
use crate::{
    cache::{Cache, stamps::Stamps},
    checkpoints::{Checkpoints, LOG_PAGES},
    damage::Damage,
    readers::Readers,
    writer::{Write, Writer},
};

/// What is appended to a database's path for the mark of one that was found damaged.
pub const DAMAGE_MARK: &str = "-damaged";

/// What is remembered of the tables at most, unless said otherwise, in bytes.
pub const CACHE_BYTES: usize = 8 << 20;

/// A page of at most so many rows is read where it is asked for.
const SHORT: usize = 256;

/// The registry's database. Clones share it.
#[derive(Clone)]
pub struct Meta {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    damage: Damage,
    cache: Cache,
    writer: Writer,
    readers: Readers,
    checkpoints: Checkpoints,
}

impl Meta {
    /// Opens the database at `path`, or makes a new one, and brings its schema up to date.
    ///
    /// Blocks. The folder must exist; that no other process has the file open is the caller's
    /// to ensure.
    pub fn open(path: &Path, faults: Arc<dyn CommitFaults>) -> Result<Self, OpenError> {
        Self::open_remembering(path, faults, CACHE_BYTES)
    }

    /// The same with so many bytes of memory for what was read lately.
    pub fn open_remembering(
        path: &Path,
        faults: Arc<dyn CommitFaults>,
        cache_bytes: usize,
    ) -> Result<Self, OpenError> {
        Self::open_copying(path, faults, LOG_PAGES, cache_bytes)
    }

    /// The same with a log that is copied from a length of `log_pages` on.
    fn open_copying(
        path: &Path,
        faults: Arc<dyn CommitFaults>,
        log_pages: i32,
        cache_bytes: usize,
    ) -> Result<Self, OpenError> {
        damage::refuse_marked(path)?;
        let mut checkpoints = None;
        let stamps = Arc::new(Stamps::default());
        let writer = Writer::start(path, faults, Arc::clone(&stamps), || {
            let started = Checkpoints::start(path, log_pages)?;
            Ok(checkpoints.insert(started).bell())
        })?;
        let checkpoints = checkpoints.expect("the writer starts only with its bell");
        let readers = Readers::new(path);
        let damage = Damage::of(path);
        let path = path.to_owned();
        Ok(Self {
            shared: Arc::new(Shared {
                path,
                damage,
                cache: Cache::new(stamps, cache_bytes),
                writer,
                readers,
                checkpoints,
            }),
        })
    }

    /// Finishes what waits, empties the log and closes the file. Blocks.
    ///
    /// Every clone answers [`MetaError::Closed`] from then on.
    pub fn close(self) {
        self.shared.writer.stop();
        self.shared.cache.stamps.doubt();
        self.shared.readers.close();
        self.shared.checkpoints.stop();
    }

    /// The files of a database at `path`: itself, its log and the log's index. Whoever moves a
    /// damaged database aside moves all of them.
    pub fn files(path: &Path) -> [PathBuf; 3] {
        ["", "-wal", "-shm"].map(|suffix| {
            let mut name = OsString::from(path);
            name.push(suffix);
            name.into()
        })
    }

    async fn read<T, F>(&self, read: F) -> Result<T, MetaError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let result = self.shared.readers.read(read).await;
        self.shared.damage.look_at(&result);
        result
    }

    /// Runs `read`, which is one statement that touches a few pages, where it is asked for.
    async fn look<T, F>(&self, read: F) -> Result<T, MetaError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let result = self.shared.readers.look(read).await;
        self.shared.damage.look_at(&result);
        result
    }

    /// Runs `read`, which looks at no more than `limit` rows and does not ask for one moment.
    async fn page<T, F>(&self, limit: usize, read: F) -> Result<T, MetaError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        if limit <= SHORT {
            self.look(read).await
        } else {
            self.read(read).await
        }
    }

    async fn write<T, F>(&self, work: F) -> Result<T, MetaError>
    where
        T: Send + 'static,
        F: Fn(&Write<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let result = self.shared.writer.write(work).await;
        self.shared.damage.look_at(&result);
        result
    }
}

impl fmt::Debug for Meta {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Meta")
            .field("path", &self.shared.path)
            .finish_non_exhaustive()
    }
}
