//! What the exit status says.

use std::process::ExitCode;

use boxyard_server::ConfigError;

use crate::check::BadConfig;

/// What `sysexits.h` calls `EX_USAGE`: the caller has to change something before trying again.
const USAGE: u8 = 64;
/// The command did what it was to do, and found damage.
const FOUND: u8 = 3;

/// The command has done its work, and damage is what it found.
#[derive(Debug, thiserror::Error)]
#[error("damage was found")]
pub(crate) struct Found;

/// The exit status of a result, whose error is told on standard error.
pub(crate) fn status(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    if error.downcast_ref::<Found>().is_some() {
        return ExitCode::from(FOUND);
    }
    eprintln!("error: {error:#}");
    let is_config = error.downcast_ref::<ConfigError>().is_some()
        || error.downcast_ref::<BadConfig>().is_some();
    if is_config {
        ExitCode::from(USAGE)
    } else {
        ExitCode::FAILURE
    }
}
