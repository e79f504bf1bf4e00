//! What commands print.

use std::io::{self, IsTerminal, Write};

use anyhow::Context;

/// Prints a line; a reader that has gone away is no failure on a terminal, and one in a pipe.
pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout();
    let printed = writeln!(out, "{text}");
    if out.is_terminal() {
        return Ok(());
    }
    printed.context("print the result")
}
