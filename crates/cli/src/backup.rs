//! `boxyard backup` and `boxyard restore`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use boxyard_client::Events;
use boxyard_registry::{Backup, BackupProgress, RestoreOptions, restore as restore_backup};
use boxyard_server::{Logs, registry_options};
use indicatif::ProgressBar;
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tracing::level_filters::LevelFilter;

use crate::arguments::ConfigArgument;
use crate::outcome::Found;
use crate::output::{plural, say};
use crate::progress::{self, Unit};
use crate::size::show;
use crate::{administration, config};

pub(crate) const BACKUP_HELP: &str = "\
Copies the database and every blob that it names into DIR, while the registry serves or without a
server. Everything that was acknowledged before the backup began is in it. The next backup into
the same DIR copies only what is new. One that dies or is interrupted leaves the former one whole.
Blobs that are damaged are named and left out; the exit status is 3 then.";

pub(crate) const BACKUP_EXAMPLES: &str = "\
Examples:
  boxyard backup /backup/registry /etc/distribution/config.yml
  boxyard backup /srv/snapshots/registry --link

  # every night
  0 3 * * * boxyard backup /backup/registry /etc/distribution/config.yml";

pub(crate) const RESTORE_HELP: &str = "\
Makes a registry from a backup in the folder that the configuration names, which must be empty.
Afterwards `boxyard serve` serves it, and an older registry can, too. A restore that was
interrupted goes on when it is run again.";

pub(crate) const RESTORE_EXAMPLES: &str = "\
Examples:
  boxyard restore /backup/registry /etc/distribution/config.yml --verify
  REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=/srv/new boxyard restore /backup/registry";

/// Where a backup goes.
#[derive(Debug, clap::Args)]
pub(crate) struct BackupArguments {
    /// The folder of the backup; it is made where it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    #[command(flatten)]
    config: ConfigArgument,

    /// Make other names of the blobs' files instead of copies, where DIR is on the same filesystem
    #[arg(long)]
    link: bool,
}

/// Where a backup is.
#[derive(Debug, clap::Args)]
pub(crate) struct RestoreArguments {
    /// The folder of the backup
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    #[command(flatten)]
    config: ConfigArgument,

    /// Make other names of the backup's files instead of copies, where it is on the same filesystem
    #[arg(long)]
    link: bool,

    /// Hash every blob of the backup before anything is written
    #[arg(long)]
    verify: bool,
}

/// Tells the copying thread to stop when nobody waits for it any more.
struct Running(Arc<AtomicBool>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// Makes a backup.
pub(crate) fn backup(arguments: &BackupArguments) -> anyhow::Result<()> {
    let file = arguments.config.file();
    administration::run(file, async |administration| {
        let mut hold = administration.client.run("hold", &json!({})).await?;
        hold.next().await?;
        let mut copying = Box::pin(copy(arguments));
        let (backup, damaged) = tokio::select! {
            copied = &mut copying => copied?,
            lost = hold.next() => return Err(is_lost(lost)),
        };
        if !is_held(&mut hold).await {
            bail!("{LOST}");
        }
        let progress = tokio::task::spawn_blocking(move || backup.finish())
            .await
            .context("finish the backup")??;
        say(&format!(
            "{} with {}; {} of them copied now",
            plural(progress.blobs, "blob"),
            show(progress.bytes),
            progress.copied
        ))?;
        for digest in &damaged {
            eprintln!("damaged, and not in the backup: {digest}");
        }
        if damaged.is_empty() {
            Ok(())
        } else {
            Err(Found.into())
        }
    })
}

const LOST: &str = "the server ended during the backup: the backup before it is as it was";

fn is_lost<T>(lost: Result<T, boxyard_client::ClientError>) -> anyhow::Error {
    match lost {
        Err(error) => anyhow::Error::from(error).context(LOST),
        Ok(_) => anyhow::anyhow!("{LOST}"),
    }
}

/// Whether the server still keeps every file: it says nothing as long as it does.
async fn is_held(hold: &mut Events) -> bool {
    timeout(Duration::from_millis(1), hold.next())
        .await
        .is_err()
}

async fn copy(arguments: &BackupArguments) -> anyhow::Result<(Backup, Vec<boxyard_oci::Digest>)> {
    let options = registry_options(&config::load(arguments.config.file())?);
    let running = Running(Arc::new(AtomicBool::new(true)));
    let goes_on = Arc::clone(&running.0);
    let (folder, link) = (arguments.folder.clone(), arguments.link);
    let bar = progress::bar(0, Unit::Bytes)?;
    let copied = tokio::task::spawn_blocking(move || {
        let mut backup = Backup::begin(&options, &folder, link)?;
        let damaged = backup.copy(|progress| {
            show_progress(&bar, progress);
            goes_on.load(Ordering::SeqCst)
        })?;
        let damaged = damaged.to_vec();
        bar.finish_and_clear();
        Ok::<_, anyhow::Error>((backup, damaged))
    });
    let copied = copied.await.context("copy the blobs")?;
    drop(running);
    copied
}

fn show_progress(bar: &ProgressBar, progress: BackupProgress) {
    bar.set_length(progress.total_bytes);
    bar.set_position(progress.bytes);
    bar.set_message(format!("{} copied", progress.copied));
}

/// Makes a registry from a backup.
pub(crate) fn restore(arguments: &RestoreArguments) -> anyhow::Result<()> {
    let mut config = config::load(arguments.config.file())?;
    config.log.level = config.log.level.min(LevelFilter::WARN);
    let _logs = Logs::start(&config.log).context("begin to log")?;
    let options = registry_options(&config);
    let how = RestoreOptions {
        link: arguments.link,
        verify: arguments.verify,
    };
    let bar = progress::bar(0, Unit::Bytes)?;
    let shown = bar.clone();
    let restoring = restore_backup(options, &arguments.folder, how, move |progress| {
        show_progress(&shown, progress);
    });
    let progress = Runtime::new()
        .context("start the runtime")?
        .block_on(restoring)?;
    bar.finish_and_clear();
    say(&format!(
        "restored {} with {} into `{}`",
        plural(progress.blobs, "blob"),
        show(progress.bytes),
        config.storage.root.display()
    ))
}
