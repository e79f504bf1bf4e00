//! Where the configuration comes from.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use boxyard_server::{Config, ConfigError};

/// Reads the configuration with the variables of the environment.
///
/// A variable that is not text is none of ours.
pub(crate) fn load(path: Option<&Path>) -> Result<Config, ConfigError> {
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        Some((name, value.into_string().ok()?))
    });
    // A variable that is set to nothing names no file.
    let path = path.filter(|path| !path.as_os_str().is_empty());
    Config::load(path, variables)
}

/// Prints the reference of the keys, which the documentation holds as well.
pub(crate) fn print_reference() -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let printed = out.write_all(boxyard_server::config::reference().as_bytes());
    printed.context("print the reference")
}
