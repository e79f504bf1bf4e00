//! The rules of the registry: push, pull, mount, delete, tags, referrers, adoption.
//!
//! It takes permits and parsed names, and returns domain types; it knows neither HTTP nor SQL.
//! Only this crate sees both [`boxyard_blobs`] and [`boxyard_meta`], because what must never be lost rests on the order between them: bytes before the row that makes them reachable, and rows before bytes go.

mod adopted;
mod backup;
mod blob;
mod changes;
mod claims;
mod collector;
mod compare;
mod complete;
mod courtesy;
mod delete;
mod error;
mod events;
mod existence;
mod findings;
mod gently;
mod indexer;
mod listing;
mod looks;
mod manifests;
mod missing;
mod mount;
mod pace;
mod probe;
mod projector;
mod promises;
mod pull;
mod purge;
mod push_error;
mod reading;
mod receive;
mod referrers;
mod release;
mod remove;
mod rows;
mod rules;
mod scrub;
mod sessions;
mod settings;
mod small;
mod space;
mod start;
mod suspects;
mod tally;
mod tree;
mod uploads;
mod usage;
mod vitals;
mod waiting;
mod young;

pub use backup::{Backup, BackupError, BackupProgress, Hold, RestoreOptions, restore};
pub use blob::{Blob, FilePart, Piece, ReadError, Shortcut, Way};
pub use collector::{CollectError, CollectOptions, CollectReport, Collecting};
pub use delete::DeleteError;
pub use error::Internal;
pub use events::{Happening, Silent, Teller};
pub use indexer::IndexProgress;
pub use listing::{Listing, NameListing};
pub use manifests::{PushManifestError, Pushed};
pub use mount::MountSource;
pub use probe::Room;
pub use pull::PullError;
pub use purge::{Purged, Purging};
pub use push_error::{Body, BodyError, PushError};
pub use referrers::Referrers;
pub use remove::Removed;
pub use rules::{BadExpression, Children, Platform, RuleError, Rules, Urls};
pub use scrub::{ScrubError, ScrubEvent, ScrubOptions, ScrubReport};
pub use settings::Settings;
pub use start::{Options, StartError};
pub use tally::CollectVitals;
pub use usage::Condemnable;
pub use vitals::Vitals;

pub use boxyard_blobs::{Action, Stopwatch, Syncing, UploadId};
pub use boxyard_meta::{
    Backlog, CacheVitals, Condemned, Event, Finding, FindingKind, Kept, PendingEvent, Receiver,
    RepositorySummary, ReviewKind, StoredFinding, StoredManifest, TagSummary,
};

use std::sync::Arc;

use boxyard_blobs::{Folder, FolderLock};
use boxyard_meta::Meta;
use tokio_util::task::TaskTracker;

/// One registry over one folder and its database.
#[derive(Debug)]
pub struct Registry {
    folder: Folder,
    meta: Meta,
    /// The number of this run.
    generation: u64,
    settings: Settings,
    sessions: sessions::Sessions,
    nursery: young::Nursery,
    plenty: space::Plenty,
    looks: looks::Looks,
    waiting: waiting::Waiting,
    claims: claims::Claims,
    suspects: suspects::Suspects,
    known: tree::Known,
    turns: indexer::Turns,
    projector: projector::Handle,
    promises: Arc<promises::Promises>,
    collected: tally::Tally,
    told: events::Told,
    holds: backup::Holds,
    /// Changes go on when their client leaves; an orderly stop waits for them.
    changes: TaskTracker,
    stopping: tokio_util::sync::CancellationToken,
    background: TaskTracker,
    lock: FolderLock,
}

impl Registry {
    /// Runs `change` to its end even if the caller is dropped, as happens when a client vanishes.
    async fn change<T, F>(self: &Arc<Self>, change: F) -> T
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        match self.changes.spawn(change).await {
            Ok(result) => result,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}
