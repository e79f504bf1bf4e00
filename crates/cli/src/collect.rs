//! `boxyard garbage-collect`: removing at once what nothing uses any more.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::administration;
use crate::arguments::ConfigArgument;
use crate::output::say;
use crate::progress::{self, Unit};
use crate::size::show;

pub(crate) const HELP: &str = "\
Removes blobs that no manifest names and, if asked, manifests that no tag names and that no index
lists and no subject keeps. It works while the registry serves, as well as without a server;
nothing has to be read-only or stopped. A server does the same by itself, after a while (see
`boxyard.collect` in the configuration); `boxyard du` says what waits.

What a client was told within the last hour (`boxyard.collect.window`) stays: it may be in the
middle of a push. Flags and output are those of distribution's command.";

pub(crate) const EXAMPLES: &str = "\
Examples:
  boxyard garbage-collect --dry-run /etc/distribution/config.yml
  boxyard garbage-collect --delete-untagged /etc/distribution/config.yml

  docker exec registry registry garbage-collect /etc/docker/registry/config.yml";

/// What is to be removed.
#[derive(Debug, clap::Args)]
pub(crate) struct CollectArguments {
    #[command(flatten)]
    config: ConfigArgument,

    /// Only say what would be removed
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    dry_run: bool,

    /// Remove manifests without a tag, too
    #[arg(short = 'm', long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    delete_untagged: bool,

    /// Print nothing
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    quiet: bool,
}

/// What is said at the end, in the order of distribution.
#[derive(Debug, Default)]
struct Gone {
    manifests: Vec<String>,
    blobs: BTreeSet<String>,
    links: Vec<(String, String)>,
}

/// Removes it.
pub(crate) fn run(arguments: &CollectArguments) -> anyhow::Result<()> {
    let asked = json!({
        "untagged": arguments.delete_untagged,
        "dry_run": arguments.dry_run,
        "marks": !arguments.quiet,
    });
    administration::run(arguments.config.file(), async |administration| {
        let mut gone = Gone::default();
        let client = &administration.client;
        let report = progress::run(client, "collect", &asked, Unit::Objects, |item| {
            if arguments.quiet {
                return Ok(());
            }
            gone.take(item)
        });
        let report = report.await?;
        if arguments.quiet {
            return Ok(());
        }
        gone.say(&report)?;
        conclude(&report, arguments.dry_run);
        Ok(())
    })
}

impl Gone {
    fn take(&mut self, item: &Value) -> anyhow::Result<()> {
        let text = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
        let repo = text("repository");
        if let Some(names) = item["names"].as_array() {
            say(&format!("{repo}: marking manifest {} ", text("marked")))?;
            return names
                .iter()
                .filter_map(Value::as_str)
                .try_for_each(|name| say(&format!("{repo}: marking blob {name}")));
        }
        let digest = text("digest");
        match item["gone"].as_str() {
            Some("manifest") => self.manifests.push(digest.clone()),
            Some("link") => self.links.push((repo, digest.clone())),
            Some(_) => {}
            None => return say(&repo),
        }
        if item["bytes"].is_u64() {
            self.blobs.insert(digest);
        }
        Ok(())
    }

    fn say(&self, report: &Value) -> anyhow::Result<()> {
        for digest in &self.manifests {
            say(&format!("manifest eligible for deletion: {digest}"))?;
        }
        say(&format!(
            "\n{} blobs marked, {} blobs and {} manifests eligible for deletion",
            report["marked"],
            self.blobs.len(),
            self.manifests.len()
        ))?;
        for digest in &self.blobs {
            say(&format!("blob eligible for deletion: {digest}"))?;
        }
        for (repo, digest) in &self.links {
            say(&format!(
                "{repo}: layer link eligible for deletion: {digest}"
            ))?;
        }
        Ok(())
    }
}

/// What a person wants to know beyond distribution's words.
fn conclude(report: &Value, dry_run: bool) {
    let count = |key: &str| report[key].as_u64().unwrap_or_default();
    let verb = if dry_run { "would free" } else { "freed" };
    eprintln!("{verb} {}", show(count("bytes")));
    if count("promised") > 0 {
        eprintln!(
            "{} more stay for now: a client was told that they are there and may be about to use them (boxyard.collect.window)",
            count("promised")
        );
    }
    if count("doubtful") > 0 {
        eprintln!(
            "{} more stay: their repositories have manifests that cannot be read (see `boxyard findings`)",
            count("doubtful")
        );
    }
}
