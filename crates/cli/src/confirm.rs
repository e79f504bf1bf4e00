//! Asking before much goes.

use std::io::{self, BufRead, IsTerminal, Write};
use std::thread;

use anyhow::{Context, bail};
use tokio::sync::oneshot;

/// Asks the person at the terminal whether to go on; a script is not asked.
pub(crate) async fn confirm(question: &str, is_confirmed: bool) -> anyhow::Result<()> {
    if is_confirmed || !io::stdin().is_terminal() {
        return Ok(());
    }
    let mut terminal = io::stderr();
    write!(terminal, "{question} [y/N] ").context("ask")?;
    terminal.flush().context("ask")?;
    let (sender, answer) = oneshot::channel();
    // A thread that nobody waits for, so that the question can be interrupted.
    thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line);
        let _ = sender.send(read.map(|_| line));
    });
    let answer = answer.await.context("wait for the answer")?;
    let answer = answer.context("read the answer")?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    bail!("nothing was removed")
}
