//! `boxyard htpasswd`: lines of the password file.

use std::io::{BufRead, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, bail, ensure};
use boxyard_auth::htpasswd;
use clap::Args;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) const HELP: &str = "\
The password is asked for, or read from standard input, and never an argument, which everybody
on the machine could see. FILE is what auth.htpasswd.path names in the configuration; a running
registry takes the change within a second. The lines are those of Apache's `htpasswd -B`.";

pub(crate) const EXAMPLES: &str = "\
Examples:
  boxyard htpasswd /etc/distribution/htpasswd alice
  boxyard htpasswd --delete /etc/distribution/htpasswd alice
  pass show registry/ci | boxyard htpasswd --stdin /etc/distribution/htpasswd ci
  boxyard htpasswd alice > htpasswd";

/// The longest password that is read; what is too long for bcrypt is said later.
const LONGEST: u64 = 4 << 10;

/// What line is wanted, and where.
#[derive(Debug, Args)]
pub(crate) struct HtpasswdArguments {
    /// The password file, which is made if there is none; without it the line is printed
    #[arg(value_name = "FILE")]
    first: PathBuf,

    /// The user's name
    #[arg(value_name = "USER")]
    second: Option<String>,

    /// Read the password from the first line of standard input instead of asking for it
    #[arg(long)]
    stdin: bool,

    /// How long a login is to take: each step doubles it
    #[arg(long, value_name = "4-15", default_value_t = 12)]
    cost: u32,

    /// Take the user out of the file
    #[arg(long, requires = "second", conflicts_with = "stdin")]
    delete: bool,
}

/// Makes, replaces or removes a line.
pub(crate) fn run(arguments: &HtpasswdArguments) -> anyhow::Result<()> {
    let (file, user) = match &arguments.second {
        Some(user) => (Some(arguments.first.as_path()), user.as_str()),
        None => (
            None,
            arguments
                .first
                .to_str()
                .context("the user's name is not UTF-8")?,
        ),
    };
    if let (true, Some(file)) = (arguments.delete, file) {
        return delete(file, user);
    }
    let password = if arguments.stdin {
        first_line(&mut std::io::stdin().lock())?
    } else {
        asked_twice(user)?
    };
    let line = htpasswd::hash_line(user, &password, arguments.cost)?;
    match file {
        None => writeln!(std::io::stdout(), "{line}").context("print the line"),
        Some(file) => {
            let put = htpasswd::put_line(file, &line);
            put.with_context(|| format!("write `{}`", file.display()))?;
            eprintln!(
                "`{user}` can log in with this password, at a running registry within a second"
            );
            Ok(())
        }
    }
}

fn delete(file: &Path, user: &str) -> anyhow::Result<()> {
    let deleted = htpasswd::delete_line(file, user);
    let found = deleted.with_context(|| format!("change `{}`", file.display()))?;
    ensure!(found, "there is no user `{user}` in `{}`", file.display());
    eprintln!("`{user}` cannot log in any more, at a running registry within a second");
    Ok(())
}

fn first_line(input: &mut impl BufRead) -> anyhow::Result<String> {
    let mut line = String::new();
    let read = input.take(LONGEST).read_line(&mut line);
    read.context("read the password from standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks on the terminal, which shows nothing of it.
fn asked_twice(user: &str) -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        bail!("there is no terminal to ask for the password: use `--stdin`");
    }
    let silence = Silence::begin()?;
    silence.end_with_the_program()?;
    let [first, second] = ["Password", "Again"].map(|prompt| {
        eprint!("{prompt} of {user}: ");
        let line = first_line(&mut stdin.lock());
        eprintln!();
        line
    });
    let first = first?;
    ensure!(first == second?, "the two passwords are not the same");
    Ok(first)
}

/// A terminal that does not show what is typed, until this is dropped.
struct Silence(Termios);

impl Silence {
    fn begin() -> anyhow::Result<Self> {
        let before = tcgetattr(std::io::stdin()).context("look at the terminal")?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &silent)
            .context("silence the terminal")?;
        Ok(Self(before))
    }

    /// Whoever interrupts the question gets a terminal that shows what is typed.
    fn end_with_the_program(&self) -> anyhow::Result<()> {
        let before = Self(self.0.clone());
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("wait for signals")?;
        let signals = runtime.block_on(async {
            let interrupt = signal(SignalKind::interrupt())?;
            Ok::<_, std::io::Error>((interrupt, signal(SignalKind::terminate())?))
        });
        let (mut interrupt, mut terminate) = signals.context("wait for signals")?;
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            });
            drop(before);
            eprintln!();
            eprintln!("error: interrupted; nothing was changed");
            std::process::exit(1);
        });
        Ok(())
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_a_line_without_its_end() {
        let line = |text: &str| first_line(&mut text.as_bytes()).unwrap();

        assert_eq!(line("a b \r\nc\n"), "a b ");
        assert_eq!(line("a"), "a");
        assert_eq!(line(""), "");
    }
}
