//! A bar on a terminal, for what takes long.

use std::time::Duration;

use anyhow::Context;
use boxyard_client::{Client, Event};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

/// How often the bar moves where nothing else does.
const TICK: Duration = Duration::from_millis(200);

/// What the numbers of a bar count.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    Repositories,
    Objects,
    Bytes,
}

/// A bar for `total` of what `unit` says; nothing is drawn where nobody looks.
pub(crate) fn bar(total: u64, unit: Unit) -> anyhow::Result<ProgressBar> {
    let template = match unit {
        Unit::Repositories => {
            "{bar:40} {pos}/{len} repositories, {msg} [{elapsed} elapsed, {eta} left]"
        }
        Unit::Objects => "{spinner} {pos} {msg} [{elapsed} elapsed]",
        Unit::Bytes => {
            "{bar:40} {bytes}/{total_bytes} {bytes_per_sec}, {msg} [{elapsed} elapsed, {eta} left]"
        }
    };
    let style = ProgressStyle::with_template(template).context("make a progress bar")?;
    let bar = ProgressBar::new(total).with_style(style);
    bar.enable_steady_tick(TICK);
    Ok(bar)
}

/// Counts bytes of which nobody knows how many there are.
pub(crate) fn counter(message: &'static str) -> anyhow::Result<ProgressBar> {
    let template = "{spinner} {bytes} {bytes_per_sec}, {msg} [{elapsed} elapsed]";
    let style = ProgressStyle::with_template(template).context("make a progress bar")?;
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.set_message(message);
    bar.enable_steady_tick(TICK);
    Ok(bar)
}

/// Runs a command of the administration under a bar; `item` takes what it says on the way.
pub(crate) async fn run(
    client: &Client,
    command: &str,
    arguments: &Value,
    unit: Unit,
    mut item: impl FnMut(&Value) -> anyhow::Result<()>,
) -> anyhow::Result<Value> {
    let mut events = client.run(command, arguments).await?;
    let bar = bar(0, unit)?;
    let result = loop {
        match events.next().await {
            Ok(Event::Progress { done, total, text }) => {
                bar.set_length(total);
                bar.set_position(done);
                bar.set_message(text);
            }
            Ok(Event::Item(value)) => bar.suspend(|| item(&value))?,
            Ok(Event::Result(value)) => break Ok(value),
            Ok(Event::Error(message)) => break Err(anyhow::anyhow!(message)),
            Err(error) => break Err(error.into()),
        }
    };
    bar.finish_and_clear();
    result
}
