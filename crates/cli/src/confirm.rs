//! Asking before much goes.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Context, bail};

/// Asks the person at the terminal whether to go on; a script is not asked.
pub(crate) fn confirm(question: &str, is_confirmed: bool) -> anyhow::Result<()> {
    if is_confirmed || !io::stdin().is_terminal() {
        return Ok(());
    }
    let mut terminal = io::stderr();
    write!(terminal, "{question} [y/N] ").context("ask")?;
    terminal.flush().context("ask")?;
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.context("read the answer")?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    bail!("nothing was removed")
}
