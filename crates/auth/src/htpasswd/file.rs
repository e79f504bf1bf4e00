//! What a password file says.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::PathBuf;

use super::line::{self, COSTS};

/// Problems that are told one by one.
const TOLD: usize = 10;

/// Why a password file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("read the password file `{}`", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why it cannot.
        #[source]
        source: io::Error,
    },
    /// It is a folder, or something else that has no lines.
    #[error("the password file `{}` is no file", .path.display())]
    NoFile {
        /// What is there.
        path: PathBuf,
    },
    /// It is too long to be one.
    #[error("the password file `{}` has more than 1 MiB", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// There is none, and none can be made.
    #[error("make the password file `{}`; `boxyard htpasswd {} USER` makes one as well", .path.display(), .path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why it cannot be made.
        #[source]
        source: io::Error,
    },
    /// Lines of it mean nothing.
    #[error("the password file `{}` cannot be used: {}", .path.display(), listed(.problems))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Every line that means nothing.
        problems: Vec<Problem>,
    },
}

/// A line that means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    line: usize,
    what: &'static str,
}

/// A line whose user cannot log in by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    line: usize,
    user: String,
    what: Useless,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Useless {
    /// It is no hash by bcrypt.
    Hash,
    /// Verifying it would take too long.
    Cost(u32),
    /// A later line is of the same user.
    Overridden,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}: {}", self.line, self.what)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, user, what } = self;
        write!(formatter, "line {line}: `{user}` cannot log in by it: ")?;
        match what {
            Useless::Hash => formatter
                .write_str("its hash is not by bcrypt; `boxyard htpasswd FILE USER` replaces it"),
            Useless::Cost(cost) => write!(
                formatter,
                "a hash of cost {cost} takes too long; expected at most {}",
                COSTS.end()
            ),
            Useless::Overridden => formatter.write_str("a later line is of the same user"),
        }
    }
}

fn listed(problems: &[Problem]) -> String {
    let mut told: Vec<String> = problems
        .iter()
        .take(TOLD)
        .map(ToString::to_string)
        .collect();
    if problems.len() > TOLD {
        told.push(format!("and {} more", problems.len() - TOLD));
    }
    told.join("; ")
}

/// The users of a file.
pub struct Users {
    hashes: HashMap<String, String>,
    /// A hash of no password, as costly as the costliest of the users'.
    nobodys: String,
}

impl Users {
    /// Reads lines of `user:hash`; empty ones and those that begin with `#` mean nothing, as for `htpasswd`.
    pub(super) fn parse(bytes: &[u8]) -> Result<(Self, Vec<Note>), Vec<Problem>> {
        let mut entries: Vec<(usize, &str, &str)> = Vec::new();
        let mut problems = Vec::new();
        for (index, bytes) in bytes.split(|byte| *byte == b'\n').enumerate() {
            match entry(bytes) {
                Ok(Some((user, hash))) => entries.push((index + 1, user, hash)),
                Ok(None) => {}
                Err(what) => problems.push(Problem {
                    line: index + 1,
                    what,
                }),
            }
        }
        if problems.is_empty() {
            Ok(Self::of(entries))
        } else {
            Err(problems)
        }
    }

    fn of(entries: Vec<(usize, &str, &str)>) -> (Self, Vec<Note>) {
        let mut notes = Vec::new();
        let mut lines = HashMap::new();
        let mut hashes = HashMap::new();
        let mut costliest = *COSTS.start();
        for (line, user, hash) in entries {
            let note = |line, what| Note {
                line,
                user: user.to_owned(),
                what,
            };
            // The last line holds, as in distribution.
            if let Some(earlier) = lines.insert(user, line) {
                notes.push(note(earlier, Useless::Overridden));
            }
            hashes.remove(user);
            match line::cost(hash) {
                Some(cost) if COSTS.contains(&cost) => {
                    costliest = costliest.max(cost);
                    hashes.insert(user.to_owned(), hash.to_owned());
                }
                Some(cost) => notes.push(note(line, Useless::Cost(cost))),
                None => notes.push(note(line, Useless::Hash)),
            }
        }
        let nobodys = line::hash_of_nothing(costliest);
        (Self { hashes, nobodys }, notes)
    }

    /// How many users can log in.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether nobody can log in.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    pub(super) fn hash_of(&self, user: &str) -> Option<&str> {
        self.hashes.get(user).map(String::as_str)
    }

    pub(super) fn nobodys_hash(&self) -> &str {
        &self.nobodys
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} users", self.len())
    }
}

fn entry(bytes: &[u8]) -> Result<Option<(&str, &str)>, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
    // A mark of byte order is what some editors put first.
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let (user, rest) = text.split_once(':').ok_or("expected `user:hash`")?;
    // Apache's tools ignore what follows a second colon.
    let hash = rest.split(':').next().unwrap_or(rest);
    if user.is_empty() {
        return Err("the user has no name");
    }
    if user.len() > line::USER_BYTES {
        return Err("the user's name is longer than 255 bytes");
    }
    if user.contains(char::is_control) {
        return Err("the user's name has a control character");
    }
    Ok(Some((user, hash)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2y$04$.....................................................";

    fn parsed(text: &str) -> (Users, Vec<String>) {
        let (users, notes) = Users::parse(text.as_bytes()).unwrap();
        (users, notes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn users_are_read_around_comments_spaces_and_other_line_ends() {
        let text = format!("\u{feff}# users\r\n\r\n a:{HASH} \r\nb:{HASH}\nc d:{HASH}:more");

        let (users, notes) = parsed(&text);

        assert_eq!((users.len(), notes.len()), (3, 0));
        assert_eq!(users.hash_of("c d"), Some(HASH));
        assert_eq!(users.hash_of("e"), None);
    }

    #[test]
    fn every_line_that_means_nothing_is_named() {
        let text = format!(
            "a:{HASH}\nno colon\n:{HASH}\nb\x01:{HASH}\n{}:x\n",
            "u".repeat(256)
        );
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(b"\xff\xfe:x\n");

        let problems = Users::parse(&bytes).unwrap_err();

        let lines: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6]);
        assert_eq!(listed(&problems[..1]), "line 2: expected `user:hash`");
    }

    #[test]
    fn a_hash_that_is_not_by_bcrypt_shuts_out_its_user_alone() {
        let text = format!(
            "md5:$apr1$x$y\nsha:{{SHA}}x\nplain:secret\nempty:\nshort:{}\nokay:{HASH}\n",
            &HASH[..59]
        );

        let (users, notes) = parsed(&text);

        assert_eq!((users.len(), notes.len()), (1, 5));
        assert!(
            notes[0].starts_with("line 1: `md5` cannot log in by it: its hash is not by bcrypt")
        );
        assert!(!notes.join("").contains("secret"));
    }

    #[test]
    fn a_cost_that_would_keep_the_registry_busy_is_refused_with_its_line() {
        let costly = HASH.replace("$04$", "$31$");

        let (users, notes) = parsed(&format!("a:{HASH}\nb:{costly}"));

        assert_eq!(users.hash_of("b"), None);
        assert_eq!(
            notes,
            [
                "line 2: `b` cannot log in by it: a hash of cost 31 takes too long; expected at most 15"
            ]
        );
    }

    #[test]
    fn the_last_line_of_a_user_holds() {
        let other = HASH.replace("$2y$", "$2b$");

        let (users, notes) = parsed(&format!("a:{HASH}\na:{other}"));

        assert_eq!(users.hash_of("a"), Some(other.as_str()));
        assert!(notes[0].starts_with("line 1"), "{notes:?}");
    }

    #[test]
    fn nobodys_hash_is_as_costly_as_the_costliest() {
        let (users, _) = parsed(&format!("a:{HASH}\nb:{}", HASH.replace("$04$", "$11$")));

        assert_eq!(line::cost(users.nobodys_hash()), Some(11));
        assert!(!bcrypt::verify("", &parsed("").0.nobodys).unwrap());
    }

    #[test]
    fn many_problems_are_counted() {
        let problems = Users::parse("x\n".repeat(25).as_bytes()).unwrap_err();

        assert!(listed(&problems).ends_with("line 10: expected `user:hash`; and 15 more"));
    }
}
