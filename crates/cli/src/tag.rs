//! `boxyard tag`: removing tags.

pub(crate) mod copy;
mod list;
pub(crate) mod remove;

use clap::Subcommand;

use crate::administration::{self, Place};
use boxyard_oci::RepoName;
use copy::Source;
use remove::TagPattern;

const REMOVE_EXAMPLES: &str = "\
Removes tags, and nothing else: what they named stays until it is deleted or collected.
`*` stands for anything but a slash, `**` for anything. It works while the registry serves, and
also where `storage.delete.enabled` forbids clients to delete.

Examples:
  boxyard tag rm team/app:v1.0
  boxyard tag rm 'team/app:nightly-*' --dry-run
  boxyard tag rm 'team/**:pr-*' --yes";

const COPY_EXAMPLES: &str = "\
Gives an image another name, in the same repository or in another one of this registry, with
everything that it needs. No byte is transferred: blobs are mounted. The digest stays.

Examples:
  boxyard tag cp team/app:v1.2 team/app:stable
  boxyard tag cp team/app:v1.2 customers/app:v1.2 --referrers";

const LIST_EXAMPLES: &str = "\
Example:
  boxyard tag ls team/app";

/// What is to be done about tags.
#[derive(Debug, Subcommand)]
pub(crate) enum TagCommand {
    /// List the tags of a repository with their sizes and times
    #[command(name = "ls", after_help = LIST_EXAMPLES)]
    List {
        /// The repository
        #[arg(value_name = "REPO")]
        repo: RepoName,

        #[command(flatten)]
        place: Place,
    },
    /// Give an image another name, also in another repository
    #[command(name = "cp", after_help = COPY_EXAMPLES)]
    Copy {
        /// The image
        #[arg(value_name = "REPO:TAG|REPO@DIGEST")]
        from: Source,

        /// Its new name
        #[arg(value_name = "REPO:TAG")]
        to: Source,

        /// Copy signatures and whatever else refers to it too
        #[arg(long)]
        referrers: bool,

        #[command(flatten)]
        place: Place,
    },
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
        TagCommand::List { repo, place } => {
            administration::run(place.file(), async |administration| {
                list::list(&administration.client, &repo).await
            })
        }
        TagCommand::Copy {
            from,
            to,
            referrers,
            place,
        } => administration::run(place.file(), async |administration| {
            copy::copy(&administration.client, &from, &to, referrers).await
        }),
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
