//! The password file: users with their passwords hashed by bcrypt, as `htpasswd -B` writes them.

mod file;
mod line;
mod proven;

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Instant;

pub use file::{FileError, Note, Problem, Users};
pub use line::{COSTS, LineError, PasswordError, UserError, delete_line, hash_line, put_line};

use crate::keys::Key;
use proven::Proven;

/// The most bytes that a password file may have.
const FILE_BYTES: u64 = 1 << 20;
/// The most bytes of a user's name or of a password that anybody may send.
const CREDENTIAL_BYTES: usize = 1_024;
/// The user that is made where there is no file yet, as `registry` does.
const FIRST_USER: &str = "docker";

/// The users of a password file that is followed as it changes.
#[derive(Debug)]
pub struct Passwords {
    path: PathBuf,
    key: Key,
    users: RwLock<Arc<Users>>,
    /// What the file looked like when it was last read.
    seen: Mutex<Option<Stamp>>,
    proven: Proven,
}

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// A password file that is there for the first time.
#[derive(Debug)]
pub struct Opened {
    /// The users.
    pub passwords: Passwords,
    /// What in the file is of no use, for the log.
    pub notes: Vec<Note>,
    /// The first user's password, if the file was made just now; it is told nowhere else.
    pub first: Option<FirstUser>,
}

/// The user that was made because there was no file.
pub struct FirstUser {
    /// The user's name.
    pub name: &'static str,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for FirstUser {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "FirstUser({})", self.name)
    }
}

/// What came of looking at the file again.
#[derive(Debug)]
pub enum Refreshed {
    /// It is as it was.
    Same,
    /// It has changed and holds now.
    Read {
        /// How many users it has.
        users: usize,
        /// What in it is of no use.
        notes: Vec<Note>,
    },
    /// It has changed and cannot be used, so what was read before still holds.
    Broken(FileError),
}

impl Passwords {
    /// Reads the file, or makes one with a first user where there is none.
    pub fn open(path: &Path) -> Result<Opened, FileError> {
        let mut first = None;
        let (users, notes, seen) = match read(path) {
            Err(FileError::Unreadable { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                first = Some(make(path)?);
                read(path)?
            }
            read => read?,
        };
        let passwords = Self {
            path: path.to_owned(),
            key: Key::random(),
            users: RwLock::new(Arc::new(users)),
            seen: Mutex::new(Some(seen)),
            proven: Proven::default(),
        };
        Ok(Opened {
            passwords,
            notes,
            first,
        })
    }

    /// What is of no use in the file, or why it cannot be opened; one that is not there is not made.
    pub fn inspect(path: &Path) -> Result<Vec<Note>, FileError> {
        let absent = match read(path) {
            Ok((_, notes, _)) => return Ok(notes),
            Err(FileError::Unreadable { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                source
            }
            Err(error) => return Err(error),
        };
        let folder = path.parent().unwrap_or(path);
        if folder.as_os_str().is_empty() || folder.is_dir() {
            return Ok(Vec::new());
        }
        Err(FileError::Unwritable {
            path: path.to_owned(),
            source: absent,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether nobody can log in.
    pub fn is_empty(&self) -> bool {
        self.users().is_empty()
    }

    /// Whether there is such a user.
    pub fn knows(&self, user: &str) -> bool {
        self.users().hash_of(user).is_some()
    }

    /// Reads the file again if it has changed; this waits for the disk.
    ///
    /// # Panics
    /// If another thread has panicked while it did the same.
    pub fn refresh(&self) -> Refreshed {
        let mut seen = self.seen.lock().expect("nobody panics while reading");
        let now = fs::metadata(&self.path).ok().map(|file| Stamp::of(&file));
        if *seen == now {
            return Refreshed::Same;
        }
        *seen = now;
        match read(&self.path) {
            Ok((users, notes, stamp)) => {
                *seen = Some(stamp);
                let count = users.len();
                *self.users.write().expect("nobody panics while writing") = Arc::new(users);
                Refreshed::Read {
                    users: count,
                    notes,
                }
            }
            Err(error) => Refreshed::Broken(error),
        }
    }

    /// Whether this password was verified a short while ago, and both it and the user are still the same.
    pub fn is_proven(&self, user: &str, password: &str, now: Instant) -> bool {
        let proof = self.proof(&self.users(), user, password);
        proof.is_some_and(|proof| self.proven.has(&proof, now))
    }

    /// Compares the password with the user's hash, which takes long on purpose, and remembers it if it is right.
    ///
    /// An unknown user costs as much as a wrong password.
    pub fn verify(&self, user: &str, password: &str, now: Instant) -> bool {
        let users = self.users();
        if user.len() > CREDENTIAL_BYTES || password.len() > CREDENTIAL_BYTES {
            return false;
        }
        let (hash, is_known) = match users.hash_of(user) {
            Some(hash) => (hash, true),
            None => (users.nobodys_hash(), false),
        };
        let matches = bcrypt::verify(password, hash).unwrap_or(false);
        if !(matches && is_known) {
            return false;
        }
        if let Some(proof) = self.proof(&users, user, password) {
            self.proven.add(proof, now);
        }
        true
    }

    /// What changes when the user is removed or gets another password; none for who is no user.
    pub fn mark(&self, user: &str, key: &Key) -> Option<[u8; 16]> {
        let users = self.users();
        let mark = key.tag(&[user.as_bytes(), users.hash_of(user)?.as_bytes()]);
        mark[..16].try_into().ok()
    }

    fn users(&self) -> Arc<Users> {
        Arc::clone(&self.users.read().expect("nobody panics while writing"))
    }

    /// The proof is of this password for this hash, so that a change of either makes it worthless.
    fn proof(&self, users: &Users, user: &str, password: &str) -> Option<[u8; 32]> {
        let hash = users.hash_of(user)?;
        let parts = [user.as_bytes(), password.as_bytes(), hash.as_bytes()];
        Some(self.key.tag(&parts))
    }
}

impl Stamp {
    fn of(file: &fs::Metadata) -> Self {
        Self {
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

fn read(path: &Path) -> Result<(Users, Vec<Note>, Stamp), FileError> {
    let unreadable = |source| FileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    // A pipe would be waited for before it is known to be one.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        let path = path.to_owned();
        return Err(FileError::NoFile { path });
    }
    let file = fs::File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES {
        let path = path.to_owned();
        return Err(FileError::TooLarge { path });
    }
    let (users, notes) = Users::parse(&bytes).map_err(|problems| FileError::Malformed {
        path: path.to_owned(),
        problems,
    })?;
    Ok((users, notes, Stamp::of(&metadata)))
}

/// Makes a file with one user and a password that nobody has chosen.
fn make(path: &Path) -> Result<FirstUser, FileError> {
    let first = FirstUser {
        name: FIRST_USER,
        password: Key::random().text(),
    };
    let cost = bcrypt::DEFAULT_COST;
    let line = hash_line(first.name, &first.password, cost).expect("both are plain text");
    line::write(path, &format!("{line}\n")).map_err(|source| FileError::Unwritable {
        path: path.to_owned(),
        source,
    })?;
    Ok(first)
}

#[cfg(test)]
mod tests;
