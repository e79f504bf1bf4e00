//! The command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::FalseyValueParser;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::backup::{self, BackupArguments, RestoreArguments};
use crate::certificate::{self, CertificateArguments};
use crate::check;
use crate::collect::{self, CollectArguments};
use crate::config::ConfigFile;
use crate::export::{self, ExportArguments};
use crate::htpasswd::{self, HtpasswdArguments};
use crate::import::{self, ImportArguments};
use crate::manual::{self, ManArguments};
use crate::repo::RepoCommand;
use crate::scrub::{self, ScrubArguments};
use crate::tag::TagCommand;
use crate::usage::{self, UsageArguments};

const ABOUT: &str = "A container registry: a drop-in for Docker's `registry` that loses nothing.";

const EXAMPLES: &str = "\
Examples:
  boxyard serve                      serve ./registry-data on 127.0.0.1:5000
  boxyard serve config.yml           serve by distribution's own config.yml
  REGISTRY_HTTP_ADDR=:5000 boxyard serve
                                     the same, on every address of this machine

  docker tag hello-world 127.0.0.1:5000/hello-world
  docker push 127.0.0.1:5000/hello-world
  docker pull 127.0.0.1:5000/hello-world";

const CONFIG_HELP: &str = "\
The configuration is distribution's config.yml. It is taken from, in this order:
  1. the argument CONFIG,
  2. the file that $REGISTRY_CONFIGURATION_PATH names,
  3. nothing: ./registry-data on 127.0.0.1:5000, with deleting allowed.
Each key has a variable that overrides it: $REGISTRY_HTTP_ADDR is http.addr.
A secret may stay in a file: $REGISTRY_HTTP_SECRET_FILE names the one that holds http.secret, and
in the configuration a value may be `!file PATH`.
A key that nobody knows is an error, because it may be one that protects; --lenient only warns.";

const SERVE_EXAMPLES: &str = "\
Examples:
  boxyard serve
  boxyard serve /etc/distribution/config.yml
  REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=/srv/registry boxyard serve

A first configuration:
  version: 0.1
  storage:
    filesystem:
      rootdirectory: /var/lib/registry
    delete:
      enabled: true
  http:
    addr: :5000";

const ADOPT_HELP: &str = "\
A folder that distribution (registry:2, registry:3) filled is served at once, and read in the
background. This reads it ahead, with nobody waiting. Stop every registry on the folder first.";

const ADOPT_EXAMPLES: &str = "\
Examples:
  boxyard adopt /etc/distribution/config.yml
  REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=/srv/registry boxyard adopt";

const SETTLE_HELP: &str = "\
While it serves, the database is the truth, and the link files in the folder follow it within a
second. An orderly stop lets them catch up. After a crash this does, without serving: then
distribution can serve the folder again.";

const SETTLE_EXAMPLES: &str = "\
Example:
  boxyard settle /etc/distribution/config.yml";

const FINDINGS_HELP: &str = "\
A bad object answers 404, stops nothing, and is healed by pushing it again. The list can be read
while the registry runs. The exit status is 0, whether or not there are findings.";

const FINDINGS_EXAMPLES: &str = "\
Example:
  boxyard findings /etc/distribution/config.yml";

const REFERENCE_EXAMPLE: &str = "\
Example:
  boxyard config reference | less";

const HEALTH_EXAMPLES: &str = "\
Examples:
  boxyard healthcheck
  boxyard healthcheck --url http://127.0.0.1:5000/v2/

  HEALTHCHECK CMD [\"/bin/boxyard\", \"healthcheck\", \"/etc/distribution/config.yml\"]";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "boxyard",
    about = ABOUT,
    after_help = EXAMPLES,
    version,
    disable_version_flag = true,
    arg_required_else_help = true,
    subcommand_required = true
)]
pub(crate) struct Arguments {
    /// Say which version this is
    #[arg(short = 'v', long, action = clap::ArgAction::Version)]
    version: Option<bool>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve a registry
    #[command(after_help = SERVE_EXAMPLES, after_long_help = format!("{CONFIG_HELP}\n\n{SERVE_EXAMPLES}"))]
    Serve(ConfigArgument),
    /// Read a folder that another registry filled into the database, ahead of serving it
    #[command(after_help = ADOPT_EXAMPLES, after_long_help = format!("{ADOPT_HELP}\n\n{CONFIG_HELP}\n\n{ADOPT_EXAMPLES}"))]
    Adopt(ConfigArgument),
    /// Bring the folder up to date after a crash, so that another registry can serve it
    #[command(after_help = SETTLE_EXAMPLES, after_long_help = format!("{SETTLE_HELP}\n\n{CONFIG_HELP}\n\n{SETTLE_EXAMPLES}"))]
    Settle(ConfigArgument),
    /// List damaged blobs, unreadable links and other bad objects that were met
    #[command(after_help = FINDINGS_EXAMPLES, after_long_help = format!("{FINDINGS_HELP}\n\n{CONFIG_HELP}\n\n{FINDINGS_EXAMPLES}"))]
    Findings(ConfigArgument),
    /// Make a certificate authority and a certificate, and print what to paste where
    #[command(after_help = certificate::EXAMPLES, after_long_help = format!("{}\n\n{}", certificate::HELP, certificate::EXAMPLES))]
    Certificate(CertificateArguments),
    /// Make a line of the file with users and their passwords
    #[command(after_help = htpasswd::EXAMPLES, after_long_help = format!("{}\n\n{}", htpasswd::HELP, htpasswd::EXAMPLES))]
    Htpasswd(HtpasswdArguments),
    /// Remove what nothing uses any more, while the registry serves
    #[command(after_help = collect::EXAMPLES, after_long_help = format!("{}\n\n{CONFIG_HELP}\n\n{}", collect::HELP, collect::EXAMPLES))]
    GarbageCollect(CollectArguments),
    /// Say what the registry keeps, and what waits to be removed
    #[command(after_help = usage::EXAMPLES, after_long_help = format!("{}\n\n{CONFIG_HELP}\n\n{}", usage::HELP, usage::EXAMPLES))]
    Du(UsageArguments),
    /// Read everything again to find what is damaged
    #[command(after_help = scrub::EXAMPLES, after_long_help = format!("{}\n\n{CONFIG_HELP}\n\n{}", scrub::HELP, scrub::EXAMPLES))]
    Scrub(ScrubArguments),
    /// Copy the registry into a folder, while it serves
    #[command(after_help = backup::BACKUP_EXAMPLES, after_long_help = format!("{}\n\n{CONFIG_HELP}\n\n{}", backup::BACKUP_HELP, backup::BACKUP_EXAMPLES))]
    Backup(BackupArguments),
    /// Make a registry from a backup
    #[command(after_help = backup::RESTORE_EXAMPLES, after_long_help = format!("{}\n\n{CONFIG_HELP}\n\n{}", backup::RESTORE_HELP, backup::RESTORE_EXAMPLES))]
    Restore(RestoreArguments),
    /// Write images into an OCI layout or an archive for `docker load`
    #[command(after_help = export::EXAMPLES, after_long_help = format!("{}\n\n{}", export::HELP, export::EXAMPLES))]
    Export(ExportArguments),
    /// Take images from an OCI layout or an archive of `docker save`
    #[command(after_help = import::EXAMPLES, after_long_help = format!("{}\n\n{}", import::HELP, import::EXAMPLES))]
    Import(ImportArguments),
    /// Print what a shell needs to complete commands
    #[command(after_help = manual::COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
    /// Write the manual pages
    #[command(after_help = manual::MAN_EXAMPLES)]
    Man(ManArguments),
    /// List and remove repositories
    #[command(subcommand)]
    Repo(RepoCommand),
    /// List, copy and remove tags
    #[command(subcommand)]
    Tag(TagCommand),
    /// Explain the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Ask a running registry whether it serves: exit status 0 or 1
    #[command(after_help = HEALTH_EXAMPLES)]
    Healthcheck {
        /// Ask this address; otherwise the one that the configuration says to listen on
        #[arg(long, value_name = "URL")]
        url: Option<String>,

        #[command(flatten)]
        config: ConfigArgument,
    },
}

/// What is to be said about the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say what each key and each variable does, and all that is wrong: exit status 0 or 64
    #[command(after_help = check::EXAMPLES, after_long_help = format!("{}\n\n{CONFIG_HELP}\n\n{}", check::HELP, check::EXAMPLES))]
    Check(ConfigArgument),
    /// Print every key with its default and what it does, as Markdown
    #[command(after_help = REFERENCE_EXAMPLE)]
    Reference,
}

/// The configuration's place.
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigArgument {
    /// The configuration, in the form of distribution's config.yml
    #[arg(value_name = "CONFIG", env = "REGISTRY_CONFIGURATION_PATH")]
    pub(crate) path: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) lenience: Lenience,
}

/// How strictly the configuration is read.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Lenience {
    /// Only warn of keys that the configuration has and nobody knows
    #[arg(long, env = "BOXYARD_LENIENT", hide_env_values = true, value_parser = FalseyValueParser::new())]
    pub(crate) lenient: bool,
}

impl ConfigArgument {
    pub(crate) fn file(&self) -> ConfigFile<'_> {
        ConfigFile {
            path: self.path.as_deref(),
            lenient: self.lenience.lenient,
        }
    }
}

/// Reads the command line, or ends the program with help or an error.
pub(crate) fn read(arguments: impl Iterator<Item = OsString>) -> Arguments {
    let arguments = with_command(arguments.collect());
    Arguments::parse_from(arguments)
}

/// Images of the old registry call it with a configuration and no command, which means to serve.
fn with_command(mut arguments: Vec<OsString>) -> Vec<OsString> {
    if let Some(first) = arguments.get(1)
        && !is_command(first)
        && is_config(Path::new(first))
    {
        arguments.insert(1, OsString::from("serve"));
    }
    arguments
}

fn is_command(word: &OsString) -> bool {
    Arguments::command()
        .get_subcommands()
        .any(|command| word == command.get_name())
}

fn is_config(path: &Path) -> bool {
    let is_yaml = path
        .extension()
        .is_some_and(|extension| extension == "yml" || extension == "yaml");
    is_yaml || path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(arguments: &[&str]) -> Vec<OsString> {
        with_command(arguments.iter().map(OsString::from).collect())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_bare_configuration_is_served() {
        let completed = completed(&["registry", "/etc/docker/registry/config.yml"]);

        assert_eq!(completed[1], "serve");
        assert_eq!(completed.len(), 3);
    }

    #[test]
    fn commands_and_options_stay_what_they_are() {
        for arguments in [
            &["registry", "serve", "config.yml"][..],
            &["registry", "--help"],
            &["registry", "-v"],
            &["registry"],
            &["registry", "garbage-collect", "config.yml"],
        ] {
            assert_eq!(completed(arguments).len(), arguments.len());
        }
    }
}
