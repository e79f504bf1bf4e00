//! `boxyard serve`.

use anyhow::Context;
use boxyard_server::{Config, Logs, Server};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::{self, ConfigFile};
use crate::memory::Memory;
use crate::welcome;

/// Serves until it is told to stop.
pub(crate) fn run(file: ConfigFile<'_>) -> anyhow::Result<()> {
    let mut config = config::load_to_serve(file)?;
    // It lives as long as the server does.
    let memory = config.storage.in_memory.then(Memory::make).transpose()?;
    if let Some(memory) = &memory {
        memory.path().clone_into(&mut config.storage.root);
    }
    let is_new = welcome::is_new(&config);
    let logs = Logs::start_and_trace(&config.log, &config.tracing).context("begin to log")?;
    raise_file_limit();
    if let Some(memory) = &memory {
        tracing::warn!(path = %memory.path().display(), "nothing is kept: the folder goes when the server stops");
    }
    let result = runtime(&config)?.block_on(serve(&config, &logs, is_new));
    // What waits in the log comes before the last word.
    drop(logs);
    result
}

async fn serve(config: &Config, logs: &Logs, is_new: bool) -> anyhow::Result<()> {
    let stop = stop_on_signals()?;
    let server = match Server::start(config, logs, &stop).await {
        Err(_) if stop.is_cancelled() => {
            tracing::info!("told to stop before it served");
            return Ok(());
        }
        started => started?,
    };
    welcome::greet(config, &server.place(), is_new);
    server.run(stop).await?;
    Ok(())
}

fn runtime(config: &Config) -> anyhow::Result<Runtime> {
    Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(config.storage.threads)
        .build()
        .context("start the runtime")
}

/// A token that the first signal to stop cancels; the second one ends the program at once.
fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate()).context("wait for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("wait for signals")?;
    let stop = CancellationToken::new();
    let cancelled = stop.clone();
    tokio::spawn(async move {
        either(&mut terminate, &mut interrupt).await;
        cancelled.cancel();
        either(&mut terminate, &mut interrupt).await;
        eprintln!("error: told to stop twice: ended at once; the next start makes up for it");
        std::process::exit(1);
    });
    Ok(stop)
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Every connection and every open blob is a file; shells start programs with a limit from other times.
fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}
