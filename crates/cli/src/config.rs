//! Where the configuration comes from.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use boxyard_server::{Config, ConfigError, Sources};

/// Which file is read, and how strictly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConfigFile<'a> {
    /// The file; without one the defaults hold.
    pub(crate) path: Option<&'a Path>,
    /// Whether what is unknown is only a warning.
    pub(crate) lenient: bool,
}

/// Reads the configuration with the variables of the environment, for work on its folder.
pub(crate) fn load(file: ConfigFile<'_>) -> Result<Config, ConfigError> {
    Config::load(&sources(file))
}

/// Reads it for work on its folder, which must be one that stays.
pub(crate) fn load_lasting(file: ConfigFile<'_>) -> anyhow::Result<Config> {
    let config = load(file)?;
    anyhow::ensure!(
        !config.storage.in_memory,
        "`storage.inmemory` keeps nothing that a command could work on"
    );
    Ok(config)
}

/// Reads it to serve by: what it names must be there.
pub(crate) fn load_to_serve(file: ConfigFile<'_>) -> Result<Config, ConfigError> {
    let mut sources = sources(file);
    sources.serves = true;
    Config::load(&sources)
}

/// Where it comes from, for who wants to see all of it.
pub(crate) fn sources(file: ConfigFile<'_>) -> Sources {
    let mut variables = Vec::new();
    let mut not_text = Vec::new();
    for (name, value) in std::env::vars_os() {
        // A name that is not text is none of ours.
        let Ok(name) = name.into_string() else {
            continue;
        };
        match value.into_string() {
            Ok(value) => variables.push((name, value)),
            Err(_) => not_text.push(name),
        }
    }
    // A variable that is set to nothing names no file.
    let path = file.path.filter(|path| !path.as_os_str().is_empty());
    Sources {
        path: path.map(ToOwned::to_owned),
        variables,
        not_text,
        lenient: file.lenient,
        serves: false,
    }
}

/// Prints the reference of the keys, which the documentation holds as well.
pub(crate) fn print_reference() -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let printed = out.write_all(boxyard_server::config::reference().as_bytes());
    printed.context("print the reference")
}
