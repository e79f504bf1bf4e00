//! `boxyard tag`: removing tags.

mod remove;

use clap::Subcommand;

use crate::administration::{self, Place};
use remove::TagPattern;

const REMOVE_EXAMPLES: &str = "\
Removes tags, and nothing else: what they named stays until it is deleted or collected.
`*` stands for anything but a slash, `**` for anything. It works while the registry serves, and
also where `storage.delete.enabled` forbids clients to delete.

Examples:
  boxyard tag rm team/app:v1.0
  boxyard tag rm 'team/app:nightly-*' --dry-run
  boxyard tag rm 'team/**:pr-*' --yes";

/// What is to be done about tags.
#[derive(Debug, Subcommand)]
pub(crate) enum TagCommand {
    /// Remove tags by their names or by patterns of names
    #[command(name = "rm", after_help = REMOVE_EXAMPLES)]
    Remove {
        /// A tag, or a pattern of repositories and tags
        #[arg(value_name = "REPO:TAG", required = true)]
        tags: Vec<TagPattern>,

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
pub(crate) fn run(command: TagCommand) -> anyhow::Result<()> {
    match command {
        TagCommand::Remove {
            tags,
            dry_run,
            yes,
            place,
        } => administration::run(place.file(), async |administration| {
            let client = &administration.client;
            if dry_run {
                remove::list(client, &tags).await
            } else {
                remove::remove(client, &tags, yes).await
            }
        }),
    }
}
