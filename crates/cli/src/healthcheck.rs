//! `boxyard healthcheck`, for images that have no shell and no curl.

mod ask;
mod target;

use anyhow::{Context, bail};

use crate::config::{self, ConfigFile};
use ask::Answer;
use target::Target;

/// Asks the registry at `url`, or where the configuration says that it listens, whether it serves.
pub(crate) fn run(url: Option<&str>, file: ConfigFile<'_>) -> anyhow::Result<()> {
    let target = match url {
        Some(url) => Target::of_url(url)?,
        None => Target::of_config(&config::load(file)?),
    };
    match ask::ask(&target).with_context(|| format!("ask `{target}`"))? {
        // A registry that wants to know who asks is a healthy one.
        Answer::WantsCertificate => Ok(()),
        Answer::Status(status) if matches!(status.as_str(), "200" | "401") => Ok(()),
        Answer::Status(other) => bail!("`{target}` answers {other}: expected 200"),
    }
}
