//! `boxyard adopt`, `boxyard settle` and `boxyard findings`: work on a folder that is not being served.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use boxyard_registry::{IndexProgress, Options, Registry, StoredFinding};
use boxyard_server::{Logs, registry_options};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::runtime::Runtime;

use crate::config;

/// Reads everything that another registry left.
pub(crate) fn adopt(path: Option<&Path>) -> anyhow::Result<()> {
    run(path, async |registry| {
        let bar = progress_bar(registry.repositories_in_tree().await?)?;
        let progress = registry.adopt(|progress| show(&bar, progress)).await?;
        bar.finish_and_clear();
        say(&format!(
            "read {} repositories with {} tags, {} manifests and {} layer links",
            progress.repositories, progress.tags, progress.manifests, progress.layers
        ))?;
        if progress.failed > 0 {
            bail!(
                "{} repositories could not be read; the log above says why",
                progress.failed
            );
        }
        Ok(())
    })
}

/// Lets the folder catch up with the database.
pub(crate) fn settle(path: Option<&Path>) -> anyhow::Result<()> {
    run(path, async |registry| {
        let settled = registry.settle().await?;
        say(&format!(
            "the folder is up to date: {settled} paths were behind"
        ))
    })
}

/// Lists what was found to be bad.
pub(crate) fn findings(path: Option<&Path>) -> anyhow::Result<()> {
    let options = registry_options(&config::load(path)?);
    let found = Registry::findings_of(&options)?;
    for finding in &found {
        say(&line(finding))?;
    }
    if found.is_empty() {
        eprintln!("no findings");
    }
    Ok(())
}

/// Opens the folder that the configuration names, works on it, and closes it in order.
fn run<W>(path: Option<&Path>, work: W) -> anyhow::Result<()>
where
    W: AsyncFnOnce(Arc<Registry>) -> anyhow::Result<()>,
{
    let config = config::load(path)?;
    let _logs = Logs::start(&config.log).context("begin to log")?;
    let options: Options = registry_options(&config);
    Runtime::new()
        .context("start the runtime")?
        .block_on(async {
            let registry = Registry::open(options).await?;
            let result = work(Arc::clone(&registry)).await;
            registry.stop().await.context("close the registry")?;
            result
        })
}

fn progress_bar(repositories: u64) -> anyhow::Result<ProgressBar> {
    let style = "{bar:40} {pos}/{len} repositories, {msg} [{elapsed} elapsed, {eta} left]";
    let style = ProgressStyle::with_template(style).context("make a progress bar")?;
    Ok(ProgressBar::new(repositories).with_style(style))
}

fn show(bar: &ProgressBar, progress: IndexProgress) {
    bar.set_position(progress.repositories + progress.failed);
    bar.set_message(format!("{} tags", progress.tags));
}

/// One finding as a line: what, where, and since when.
fn line(found: &StoredFinding) -> String {
    let finding = &found.finding;
    let place = finding.repo.as_ref().map(|repo| format!("{repo} "));
    format!(
        "{}\t{}{}\t{}",
        finding.kind,
        place.unwrap_or_default(),
        finding.subject,
        finding.detail
    )
}

/// Prints a line; a reader that has gone away is no failure on a terminal, and one in a pipe.
fn say(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let printed = writeln!(out, "{text}");
    if out.is_terminal() {
        return Ok(());
    }
    printed.context("print the result")
}
