//! From a command to an exit status.

use std::process::ExitCode;

use boxyard_server::ConfigError;

use crate::arguments::{Arguments, Command, ConfigCommand};
use crate::{certificate, check, config, healthcheck, htpasswd, maintenance, serve, tag};

/// What `sysexits.h` calls `EX_USAGE`: the caller has to change something before trying again.
const USAGE: u8 = 64;

/// Runs the command, and says on standard error why it failed.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let result = match arguments.command {
        Command::Serve(config) => serve::run(config.file()),
        Command::Adopt(config) => maintenance::adopt(config.file()),
        Command::Settle(config) => maintenance::settle(config.file()),
        Command::Findings(config) => maintenance::findings(config.file()),
        Command::Certificate(arguments) => certificate::run(&arguments),
        Command::Htpasswd(arguments) => htpasswd::run(&arguments),
        Command::Tag(command) => tag::run(command),
        Command::Config(ConfigCommand::Check(config)) => check::run(config.file()),
        Command::Config(ConfigCommand::Reference) => config::print_reference(),
        Command::Healthcheck { url, config } => healthcheck::run(url.as_deref(), config.file()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            let is_config = error.downcast_ref::<ConfigError>().is_some()
                || error.downcast_ref::<check::BadConfig>().is_some();
            if is_config {
                ExitCode::from(USAGE)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}
