//! Users and passwords: compared off the async workers, a few at a time, and not for those who guess.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use boxyard_auth::htpasswd::{FileError, Note, Opened, Passwords, Refreshed};
use boxyard_auth::{Key, Throttle, Throttled};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::config::PasswordFile;
use crate::error::chain;
use crate::peer::Address;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How many different passwords may wait for each other's turn.
const TURNS: usize = 256;

/// What is said where a folder is named.
const FOLDER: &str = "`auth.htpasswd.path` names a folder: its file `htpasswd` is taken";

/// The users of a password file.
#[derive(Debug)]
pub(crate) struct Logins {
    passwords: Passwords,
    throttle: Throttle,
    /// Comparing keeps a processor busy, and some must stay for everybody else.
    places: Semaphore,
    /// One of several requests with the same password pays; the others wait for it.
    turns: Vec<Mutex<()>>,
    hasher: RandomState,
}

/// Why the password file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("open what `auth.htpasswd.path` names")]
pub struct LoginsError(#[source] FileError);

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refused {
    Wrong,
    Throttled(Throttled),
}

impl Logins {
    /// Reads the file, or makes it; this waits for the disk.
    pub(super) fn open(file: &PasswordFile) -> Result<Self, LoginsError> {
        let path = place(file);
        if path != file.path {
            tracing::warn!(path = %path.display(), "{FOLDER}");
        }
        let Opened {
            passwords,
            notes,
            first,
        } = Passwords::open(&path).map_err(LoginsError)?;
        if let Some(first) = first {
            tracing::warn!(path = %path.display(), user = first.name, password = first.password, "there was no password file: it was made with this user, whose password is told only now");
        }
        tell(&passwords, &notes);
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            passwords,
            throttle: Throttle::default(),
            places: Semaphore::new((processors / 2).max(1)),
            turns: (0..TURNS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
        })
    }

    /// Whether the password is the user's.
    pub(super) async fn check(
        self: &Arc<Self>,
        client: Address,
        user: &str,
        password: &str,
    ) -> Result<(), Refused> {
        if self.passwords.is_proven(user, password, Instant::now()) {
            return Ok(());
        }
        let turn = self.hasher.hash_one((user, password));
        let turn = usize::try_from(turn % TURNS as u64).expect("it is less than a few hundred");
        let _turn = self.turns[turn].lock().await;
        if self.passwords.is_proven(user, password, Instant::now()) {
            return Ok(());
        }
        self.compare(client, user, password).await
    }

    async fn compare(
        self: &Arc<Self>,
        client: Address,
        user: &str,
        password: &str,
    ) -> Result<(), Refused> {
        // Whoever may open our socket is on this machine.
        let address = client.ip().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let attempt = self.throttle.admit(address, user, Instant::now());
        let attempt = attempt.map_err(Refused::Throttled)?;
        let _place = self.places.acquire().await;
        let (logins, name, word) = (Arc::clone(self), user.to_owned(), password.to_owned());
        let compared = tokio::task::spawn_blocking(move || {
            logins.refresh();
            logins.passwords.verify(&name, &word, Instant::now())
        });
        if compared.await.unwrap_or(false) {
            self.throttle.forgive(&attempt, Instant::now());
            return Ok(());
        }
        // What was sent as a name may be a password, so only names of users are told.
        let user = Some(user).filter(|user| self.passwords.knows(user));
        tracing::info!(client = %address, user, "a login failed");
        Err(Refused::Wrong)
    }

    /// What changes when the user is removed or gets another password.
    pub(super) fn mark(&self, user: &str, key: &Key) -> Option<[u8; 16]> {
        self.passwords.mark(user, key)
    }

    /// Looks at the file every second, so that who is removed is out.
    pub(crate) async fn follow(self: Arc<Self>, stop: CancellationToken) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(look.tick()).await.is_some() {
            let logins = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || logins.refresh());
            if let Err(error) = looked.await {
                tracing::error!(%error, "look at the password file");
            }
        }
    }

    fn refresh(&self) {
        match self.passwords.refresh() {
            Refreshed::Same => {}
            Refreshed::Read { users, notes } => {
                tracing::info!(users, "the password file was read again");
                tell(&self.passwords, &notes);
            }
            Refreshed::Broken(error) => {
                tracing::error!(error = %chain(&error), "the password file has changed and cannot be used: what it said before still holds");
            }
        }
    }
}

/// What there is to say about the password file before it is opened, or why it cannot be.
pub(crate) fn inspect(file: &PasswordFile) -> Result<Vec<String>, String> {
    let path = place(file);
    let notes = Passwords::inspect(&path).map_err(|error| chain(&error))?;
    let shown = path.display();
    let mut told: Vec<_> = notes
        .iter()
        .map(|note| format!("`{shown}`, {note}"))
        .collect();
    if path != file.path {
        told.push(FOLDER.to_owned());
    }
    if !path.exists() {
        told.push(format!(
            "`{shown}` is not there: the server will make it, with one user"
        ));
    }
    Ok(told)
}

/// Debian's configuration names the folder of its own configuration, in which the file is meant to be.
fn place(file: &PasswordFile) -> PathBuf {
    if file.path.is_dir() {
        file.path.join("htpasswd")
    } else {
        file.path.clone()
    }
}

fn tell(passwords: &Passwords, notes: &[Note]) {
    let path = passwords.path().display();
    for note in notes {
        tracing::warn!(path = %path, "{note}");
    }
    if passwords.is_empty() {
        tracing::warn!(path = %path, "the password file has no users, so nobody can log in; `boxyard htpasswd {path} USER` adds one");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_only_worker_goes_on_while_a_password_is_compared() {
        let folder = tempfile::tempdir().unwrap();
        let file = PasswordFile {
            realm: "a registry".to_owned(),
            path: folder.path().join("htpasswd"),
        };
        let logins = Arc::new(Logins::open(&file).unwrap());
        let client = Address::Told("192.0.2.1".parse().unwrap());

        let checking = tokio::spawn(async move { logins.check(client, "anna", "guess").await });
        let mut turns = 0;
        while !checking.is_finished() {
            tokio::task::yield_now().await;
            turns += 1;
        }

        assert!(matches!(checking.await.unwrap(), Err(Refused::Wrong)));
        // On the worker itself, it would have had its turn once or twice.
        assert!(turns > 20, "the worker had {turns} turns meanwhile");
    }
}
