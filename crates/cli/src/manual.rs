//! `boxyard completions` and `boxyard man`, from the same definitions as the commands.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::arguments::Arguments;

pub(crate) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  boxyard completions bash > /etc/bash_completion.d/boxyard
  boxyard completions zsh > /usr/share/zsh/vendor-completions/_boxyard
  boxyard completions fish > ~/.config/fish/completions/boxyard.fish";

pub(crate) const MAN_EXAMPLES: &str = "\
Examples:
  boxyard man /usr/local/share/man/man1     a page for each command
  boxyard man | man -l -                    the first one, at once";

/// Where manual pages go.
#[derive(Debug, clap::Args)]
pub(crate) struct ManArguments {
    /// The folder for a page of each command; without one the first page is printed
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Prints what a shell needs to complete the command line.
pub(crate) fn completions(shell: Shell) -> anyhow::Result<()> {
    let mut text = Vec::new();
    generate(shell, &mut Arguments::command(), "boxyard", &mut text);
    io::stdout()
        .write_all(&text)
        .context("print the completions")
}

/// Writes the manual pages.
pub(crate) fn manual(arguments: &ManArguments) -> anyhow::Result<()> {
    let mut command = Arguments::command();
    command.build();
    if let Some(folder) = &arguments.folder {
        fs::create_dir_all(folder)
            .with_context(|| format!("make the folder `{}`", folder.display()))?;
        return write_pages(folder, &command, "boxyard");
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    io::stdout().write_all(&text).context("print the manual")
}

/// A page for the command, and one for each below it.
fn write_pages(folder: &Path, command: &clap::Command, name: &str) -> anyhow::Result<()> {
    let path = folder.join(format!("{name}.1"));
    let mut text = Vec::new();
    let page = command.clone().display_name(name.to_owned());
    clap_mangen::Man::new(page).render(&mut text)?;
    fs::write(&path, text).with_context(|| format!("write `{}`", path.display()))?;
    command
        .get_subcommands()
        .filter(|below| below.get_name() != "help")
        .try_for_each(|below| write_pages(folder, below, &format!("{name}-{}", below.get_name())))
}
