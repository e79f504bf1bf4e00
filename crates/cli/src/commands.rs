//! From a command to an exit status.

use std::process::ExitCode;

use crate::arguments::{Arguments, Command, ConfigCommand};
use crate::{
    backup, certificate, check, collect, config, export, healthcheck, htpasswd, import,
    maintenance, manual, outcome, repo, scrub, serve, tag, usage,
};

/// Runs the command, and says on standard error why it failed.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let result = match arguments.command {
        Command::Serve(config) => serve::run(config.file()),
        Command::Adopt(config) => maintenance::adopt(config.file()),
        Command::Settle(config) => maintenance::settle(config.file()),
        Command::Findings(config) => maintenance::findings(config.file()),
        Command::Certificate(arguments) => certificate::run(&arguments),
        Command::Htpasswd(arguments) => htpasswd::run(&arguments),
        Command::GarbageCollect(arguments) => collect::run(&arguments),
        Command::Du(arguments) => usage::run(&arguments),
        Command::Scrub(arguments) => scrub::run(&arguments),
        Command::Backup(arguments) => backup::backup(&arguments),
        Command::Restore(arguments) => backup::restore(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man(arguments) => manual::manual(&arguments),
        Command::Repo(command) => repo::run(command),
        Command::Tag(command) => tag::run(command),
        Command::Config(ConfigCommand::Check(config)) => check::run(config.file()),
        Command::Config(ConfigCommand::Reference) => config::print_reference(),
        Command::Healthcheck { url, config } => healthcheck::run(url.as_deref(), config.file()),
    };
    outcome::status(result)
}
