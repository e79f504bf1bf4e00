//! Starting and stopping.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use boxyard_blobs::{Faults, Folder, LockError, Stopwatch, Syncing};
use boxyard_meta::{CommitFaults, DAMAGE_MARK, LastRun, Meta, OpenError, Phase};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Registry;
use crate::backup::Holds;
use crate::claims::Claims;
use crate::error::{During, Internal, blocking};
use crate::events::Told;
use crate::indexer::Turns;
use crate::looks::Looks;
use crate::projector::Handle;
use crate::promises::Promises;
use crate::sessions::Sessions;
use crate::settings::Settings;
use crate::space::Plenty;
use crate::suspects::Suspects;
use crate::tally::Tally;
use crate::tree::Known;
use crate::waiting::Waiting;
use crate::young::Nursery;

/// How long to wait for another process that has the folder, unless said otherwise: an orderly stop and start overlap.
const LOCK_WAIT: Duration = Duration::from_secs(30);

/// The socket in our own folder, at which a server listens for commands.
const ADMIN_SOCKET: &str = "admin.sock";

/// The mark in our own folder of a restore that has not ended.
pub(crate) const RESTORING: &str = "restoring";

/// What a registry is started with.
#[derive(Debug)]
pub struct Options {
    /// The folder that holds `docker/registry/v2`.
    pub root: PathBuf,
    /// Where the database is; beside the blobs unless said otherwise.
    pub database: Option<PathBuf>,
    /// Bounds and switches.
    pub settings: Settings,
    /// How long to wait for another process that has the folder.
    pub lock_wait: Duration,
    /// Whoever cancels it wants the wait for another process to end.
    pub stop: CancellationToken,
    /// Whether whoever opens it ends a restore.
    pub(crate) resumes_restore: bool,
    /// Who is told how long the folder's work takes.
    pub stopwatch: Option<Arc<dyn Stopwatch>>,
    /// How what follows a change is made durable.
    pub syncing: Syncing,
    /// What fails on purpose, in tests.
    pub faults: Arc<dyn Faults>,
    /// What fails on purpose around commits, in tests.
    pub commit_faults: Arc<dyn CommitFaults>,
}

impl Options {
    /// The defaults over the folder `root`, with nothing failing on purpose.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            database: None,
            settings: Settings::default(),
            lock_wait: LOCK_WAIT,
            stop: CancellationToken::new(),
            resumes_restore: false,
            stopwatch: None,
            syncing: Syncing::default(),
            faults: Arc::new(boxyard_blobs::NoFaults),
            commit_faults: Arc::new(boxyard_meta::NoFaults),
        }
    }

    /// Where a server that has the folder listens for commands.
    pub fn admin_socket(&self) -> PathBuf {
        self.root.join("boxyard").join(ADMIN_SOCKET)
    }

    /// Where the database is.
    pub(crate) fn database_path(&self) -> PathBuf {
        let beside = || self.root.join("boxyard.db");
        self.database.clone().unwrap_or_else(beside)
    }
}

/// Why a registry did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder cannot be used.
    #[error("open the registry's folder")]
    Folder(#[source] boxyard_blobs::OpenError),
    /// Another process has the folder.
    #[error("take the registry's folder")]
    Locked(#[source] LockError),
    /// A restore was cut short.
    #[error("`{}` holds half of a restored registry: run `boxyard restore` again, which goes on, or remove the folder", .root.display())]
    Restoring {
        /// The folder.
        root: PathBuf,
    },
    /// The database cannot be used.
    #[error("open the registry's database")]
    Database(#[source] OpenError),
    /// Storage or database failed.
    #[error("start the registry")]
    Internal(#[source] Internal),
}

impl From<Internal> for StartError {
    fn from(error: Internal) -> Self {
        Self::Internal(error)
    }
}

impl Registry {
    /// Opens the folder and its database, and takes up what the last run left.
    ///
    /// Nothing is scanned: the background workers begin with [`Registry::work`].
    pub async fn open(options: Options) -> Result<Arc<Self>, StartError> {
        blocking(move || open_blocking(options))
            .await?
            .begin()
            .await
    }

    async fn begin(mut self) -> Result<Arc<Self>, StartError> {
        let last = self.meta.last_run().await;
        let last = last.during("read the run's number")?;
        let mark = self.folder.generation();
        let mark = mark.during("read the tree's run number")?;
        if mark.is_some_and(|mark| !is_level(last, mark)) {
            tracing::warn!(
                database = last.generation,
                tree = mark,
                "the database and the folder are not of the same run; the folder wins"
            );
            let dropped = self.meta.drop_projections().await;
            dropped.during("drop the queue of the tree")?;
        }
        let run = self.meta.begin_run_after(mark.unwrap_or(0) / 2).await;
        self.generation = run.during("begin a run")?.generation;
        self.mark_tree(mark_of(self.generation, Phase::Running))?;
        let confirmed = self.meta.confirm_run().await;
        confirmed.during("begin a run")?;
        self.end_intents().await?;
        let recovered = self.folder.recover_young();
        recovered.during("recover the uploads in memory")?;
        self.take_promises(last).await?;
        self.count_waiting().await?;
        Ok(Arc::new(self))
    }

    /// Goes on with what the last run promised; after a crash nobody knows what that was.
    async fn take_promises(&self, last: LastRun) -> Result<(), Internal> {
        let kept = self.meta.take_promises().await;
        self.promises
            .restore(kept.during("read what was promised")?, Instant::now());
        if last.generation > 0 && last.phase != Phase::Ended {
            self.promises.promise_all(Instant::now());
        }
        Ok(())
    }

    /// Where a server of this registry listens for commands.
    pub fn admin_socket(&self) -> PathBuf {
        self.folder.own().join(ADMIN_SOCKET)
    }

    fn mark_tree(&self, mark: u64) -> Result<(), Internal> {
        let marked = self.folder.set_generation(mark);
        marked.during("write the tree's run number")
    }

    /// Begins the work in the background: the tree follows the database, and the database learns the tree.
    pub fn work(self: &Arc<Self>) {
        self.work_without_reading();
        self.background.spawn(Arc::clone(self).index());
    }

    /// The same for who reads the tree itself, or not at all.
    pub fn work_without_reading(self: &Arc<Self>) {
        self.background.spawn(Arc::clone(self).project());
        self.background.spawn(Arc::clone(self).judge_suspects());
        self.background.spawn(Arc::clone(self).purge());
        self.background.spawn(Arc::clone(self).settle_uploads());
        self.background.spawn(Arc::clone(self).collect());
    }

    /// Waits for running changes, lets the tree catch up, and closes the database.
    ///
    /// No request may be answered any more when this is called.
    pub async fn stop(&self) -> Result<(), Internal> {
        self.changes.close();
        self.changes.wait().await;
        self.stopping.cancel();
        self.background.close();
        self.background.wait().await;
        self.settle_last_uploads().await;
        self.settle().await?;
        let promises = self.promises.kept(Instant::now());
        let kept = self.meta.keep_promises(promises).await;
        kept.during("keep what was promised")?;
        self.meta.end_run().await.during("end the run")?;
        self.mark_tree(mark_of(self.generation, Phase::Ended))?;
        let meta = self.meta.clone();
        blocking(move || meta.close()).await;
        Ok(())
    }

    /// Queues the files that were renamed into place just before a crash, so that each goes unless its row was written.
    ///
    /// Nobody was told that they are stored, and their folders may not be synced: a row made now would promise too much.
    async fn end_intents(&self) -> Result<(), Internal> {
        for digest in self.folder.intents().during("list the intents")? {
            self.meta
                .review_blob(&digest)
                .await
                .during("queue a blob that nobody may need")?;
            self.folder
                .end_intent(&digest)
                .during("end an upload's intent")?;
        }
        Ok(())
    }
}

/// What the tree says of a run: its number, and whether it ended in order.
fn mark_of(generation: u64, phase: Phase) -> u64 {
    generation * 2 + u64::from(phase == Phase::Ended)
}

/// Whether the tree is where the last run of this database has left it.
///
/// It is not where one of the two was put back from a copy, or where the database was copied while it ran.
/// The database moves on first: starts or a stop that died in between have left the tree behind, and nothing more in the queue.
fn is_level(last: LastRun, mark: u64) -> bool {
    let number = last.generation;
    match last.phase {
        Phase::Running => mark == mark_of(number, Phase::Running),
        Phase::Ended => mark / 2 == number,
        Phase::Begun => mark / 2 <= number,
    }
}

fn open_blocking(options: Options) -> Result<Registry, StartError> {
    let database = options.database_path();
    let folder = Folder::open(&options.root, options.faults).map_err(StartError::Folder)?;
    folder.sync_by(options.syncing);
    if let Some(stopwatch) = options.stopwatch {
        folder.watch(stopwatch);
    }
    let lock = folder.lock_unless(options.lock_wait, &|| options.stop.is_cancelled());
    let lock = lock.map_err(StartError::Locked)?;
    if !options.resumes_restore && folder.own().join(RESTORING).exists() {
        let root = options.root;
        return Err(StartError::Restoring { root });
    }
    let remembered = options.settings.cache_bytes;
    let meta = open_database(&database, &options.commit_faults, remembered)?;
    let promises = Arc::new(Promises::new(options.settings.collecting.window));
    Ok(Registry {
        folder,
        meta,
        generation: 0,
        settings: options.settings,
        sessions: Sessions::default(),
        nursery: Nursery::default(),
        plenty: Plenty::default(),
        looks: Looks::default(),
        waiting: Waiting::new(),
        claims: Claims::default(),
        suspects: Suspects::default(),
        known: Known::default(),
        turns: Turns::default(),
        projector: Handle::new(),
        promises,
        collected: Tally::default(),
        told: Told::default(),
        holds: Holds::default(),
        changes: TaskTracker::new(),
        stopping: CancellationToken::new(),
        background: TaskTracker::new(),
        lock,
    })
}

/// Opens the database; a corrupt one is moved aside, because all it holds can be read from the tree again.
fn open_database(
    path: &Path,
    faults: &Arc<dyn CommitFaults>,
    cache_bytes: usize,
) -> Result<Meta, StartError> {
    let open = || Meta::open_remembering(path, Arc::clone(faults), cache_bytes);
    match open() {
        Err(OpenError::Corrupt { .. }) => {
            let aside = move_aside(path).during("move a corrupt database aside")?;
            tracing::error!(
                path = %path.display(),
                aside = %aside.display(),
                "the database is corrupt: it was moved aside and is rebuilt from the folder"
            );
            open().map_err(StartError::Database)
        }
        opened => opened.map_err(StartError::Database),
    }
}

fn move_aside(path: &Path) -> std::io::Result<PathBuf> {
    let aside = (1..=u32::MAX)
        .map(|number| suffixed(path, &format!(".corrupt-{number}")))
        .find(|aside| !aside.exists())
        .expect("some number is free");
    for suffix in ["", "-wal", "-shm", DAMAGE_MARK] {
        let from = suffixed(path, suffix);
        if from.exists() {
            std::fs::rename(&from, suffixed(&aside, suffix))?;
        }
    }
    Ok(aside)
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
