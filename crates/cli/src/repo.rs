//! `boxyard repo`: whole repositories.

use anyhow::bail;
use boxyard_client::Client;
use boxyard_oci::RepoName;
use clap::Subcommand;
use serde_json::{Value, json};

use crate::administration::{self, Administration, Place};
use crate::confirm::confirm;
use crate::listing::Repositories;
use crate::output::{plural, say};
use crate::pattern::Pattern;
use crate::progress::{self, Unit};
use crate::size::show;
use crate::table::Table;

const REMOVE_EXAMPLES: &str = "\
Removes repositories with their tags and manifests; blobs that no other repository holds make
room. Repositories below one of that name stay: `repo rm team` never touches `team/app`. It works
while the registry serves, and also where `storage.delete.enabled` forbids clients to delete.

Examples:
  boxyard repo rm team/old
  boxyard repo rm 'review/**' --dry-run
  boxyard repo rm 'review/**' --yes";

const LIST_EXAMPLES: &str = "\
Examples:
  boxyard repo ls
  boxyard repo ls 'team/**'";

/// What is to be done about repositories.
#[derive(Debug, Subcommand)]
pub(crate) enum RepoCommand {
    /// List repositories with their numbers of tags, sizes and times
    #[command(name = "ls", after_help = LIST_EXAMPLES)]
    List {
        /// A repository, or a pattern of repositories; all where it is missing
        #[arg(value_name = "REPO")]
        repositories: Vec<Pattern>,

        #[command(flatten)]
        place: Place,
    },
    /// Remove repositories by their names or by patterns of names
    #[command(name = "rm", after_help = REMOVE_EXAMPLES)]
    Remove {
        /// A repository, or a pattern of repositories
        #[arg(value_name = "REPO", required = true)]
        repositories: Vec<Pattern>,

        /// Only print what would go
        #[arg(long)]
        dry_run: bool,

        /// Do not ask
        #[arg(long, short)]
        yes: bool,

        #[command(flatten)]
        place: Place,
    },
}

/// Does it.
pub(crate) fn run(command: RepoCommand) -> anyhow::Result<()> {
    match command {
        RepoCommand::List {
            repositories,
            place,
        } => administration::run(place.file(), async |administration| {
            list(&administration.client, &repositories).await
        }),
        RepoCommand::Remove {
            repositories,
            dry_run,
            yes,
            place,
        } => administration::run(place.file(), async |administration| {
            remove(administration, &repositories, dry_run, yes).await
        }),
    }
}

async fn list(client: &Client, patterns: &[Pattern]) -> anyhow::Result<()> {
    let everything = [Pattern::everything()];
    let patterns = if patterns.is_empty() {
        &everything
    } else {
        patterns
    };
    let mut table = Table::new(["REPOSITORY", "TAGS", "MANIFESTS", "SIZE", "UPDATED"]);
    for pattern in patterns {
        let mut repositories = Repositories::new(client, pattern);
        while let Some(page) = repositories.next().await? {
            for repo in page {
                if let Some(summary) = summary(client, &repo).await? {
                    let count = |key: &str| summary[key].as_u64().unwrap_or_default();
                    table.row([
                        repo.to_string(),
                        count("tags").to_string(),
                        count("manifests").to_string(),
                        show(count("bytes")),
                        crate::table::time(summary["updated"].as_u64()),
                    ])?;
                }
            }
        }
    }
    table.end()
}

/// The numbers of a repository that has anything.
async fn summary(client: &Client, repo: &RepoName) -> anyhow::Result<Option<Value>> {
    let asked = json!({"repository": repo});
    let summary = client.call("repositories/summary", &asked).await?;
    let has_any = ["tags", "manifests", "bytes"]
        .iter()
        .any(|key| summary[*key].as_u64().unwrap_or_default() > 0);
    Ok(has_any.then_some(summary))
}

async fn remove(
    administration: &Administration,
    patterns: &[Pattern],
    dry_run: bool,
    yes: bool,
) -> anyhow::Result<()> {
    let client = &administration.client;
    let mut found = Vec::new();
    for pattern in patterns {
        let before = found.len();
        let mut repositories = Repositories::new(client, pattern);
        while let Some(page) = repositories.next().await? {
            for repo in page {
                if let Some(summary) = summary(client, &repo).await? {
                    found.push((repo, summary));
                }
            }
        }
        if found.len() == before {
            bail!("no repository matches `{}`", pattern.text());
        }
    }
    if dry_run {
        for (repo, summary) in &found {
            say(&described(repo, summary))?;
        }
        return Ok(());
    }
    if found.len() > 1 {
        confirm(&format!("remove {} repositories?", found.len()), yes).await?;
    }
    for (repo, summary) in &found {
        let asked = json!({"repository": repo});
        progress::run(
            client,
            "repositories/remove",
            &asked,
            Unit::Repositories,
            |_| Ok(()),
        )
        .await?;
        say(&described(repo, summary))?;
    }
    if !administration.is_served() {
        // Files go only once everything is known that may need them.
        progress::run(client, "adopt", &json!({}), Unit::Repositories, |_| Ok(())).await?;
    }
    Ok(())
}

fn described(repo: &RepoName, summary: &Value) -> String {
    let count = |key: &str| summary[key].as_u64().unwrap_or_default();
    format!(
        "{repo}\t{}\t{}\t{}",
        plural(count("tags"), "tag"),
        plural(count("manifests"), "manifest"),
        show(count("bytes"))
    )
}
