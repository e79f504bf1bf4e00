//! Lines of a password file: making them, and putting them into a file.

use std::fs;
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use bcrypt::Version;

/// The costs that a hash may have: what is more keeps a processor busy for seconds.
pub const COSTS: RangeInclusive<u32> = 4..=15;
/// The longest name of a user in bytes.
pub(super) const USER_BYTES: usize = 255;
/// The most bytes that bcrypt looks at.
const PASSWORD_BYTES: usize = 72;

/// Why a text is no name of a user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// There is none.
    #[error("the user's name is empty")]
    Empty,
    /// It is too long.
    #[error("the user's name is longer than 255 bytes")]
    TooLong,
    /// It would break its line, or could not be sent.
    #[error("the user's name has a colon, a control character, or a space at one end")]
    Character,
    /// The line would be a comment.
    #[error("the user's name begins with `#`, which makes a comment of its line")]
    Comment,
}

/// Why a text is no password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// There is none.
    #[error("the password is empty")]
    Empty,
    /// Part of it would not count.
    #[error("the password is longer than 72 bytes, and bcrypt looks at no more")]
    TooLong,
    /// It could not be typed again.
    #[error("the password has a control character")]
    Character,
}

/// Why there is no line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// The user's name is none.
    #[error(transparent)]
    User(#[from] UserError),
    /// The password is none.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The cost is none.
    #[error("a cost of {0} is out of range: expected 4 to 15")]
    Cost(u32),
}

/// The line of a user with this password.
pub fn hash_line(user: &str, password: &str, cost: u32) -> Result<String, LineError> {
    check_user(user)?;
    check_password(password)?;
    if !COSTS.contains(&cost) {
        return Err(LineError::Cost(cost));
    }
    let hashed = bcrypt::hash_with_result(password, cost).map_err(|_| LineError::Cost(cost))?;
    // Apache's tools write this version, so theirs and ours look the same.
    Ok(format!(
        "{user}:{}",
        hashed.format_for_version(Version::TwoY)
    ))
}

fn check_user(user: &str) -> Result<(), UserError> {
    let breaks = |character: char| character == ':' || character.is_control();
    match user {
        "" => Err(UserError::Empty),
        _ if user.len() > USER_BYTES => Err(UserError::TooLong),
        _ if user.starts_with('#') => Err(UserError::Comment),
        _ if user.contains(breaks) || user.trim() != user => Err(UserError::Character),
        _ => Ok(()),
    }
}

fn check_password(password: &str) -> Result<(), PasswordError> {
    match password {
        "" => Err(PasswordError::Empty),
        _ if password.len() > PASSWORD_BYTES => Err(PasswordError::TooLong),
        _ if password.contains(char::is_control) => Err(PasswordError::Character),
        _ => Ok(()),
    }
}

/// The cost of a hash by bcrypt; none for any other text.
pub(super) fn cost(hash: &str) -> Option<u32> {
    let version = hash.get(..4)?;
    let known = matches!(version, "$2a$" | "$2b$" | "$2y$");
    let parts: bcrypt::HashParts = hash.parse().ok()?;
    known.then(|| parts.get_cost())
}

/// A hash that no password fits.
pub(super) fn hash_of_nothing(cost: u32) -> String {
    format!("$2b${cost:02}${}", ".".repeat(53))
}

/// Puts a line into a file in place of the same user's, or at the end; the file is made where there is none.
pub fn put_line(path: &Path, line: &str) -> io::Result<()> {
    let (user, _) = line.split_once(':').unwrap_or((line, ""));
    let text = existing(path)?.unwrap_or_default();
    let mut lines: Vec<&str> = Vec::new();
    let mut put = false;
    for old in text.lines() {
        if !is_of(old, user) {
            lines.push(old);
        } else if !put {
            lines.push(line);
            put = true;
        }
    }
    if !put {
        lines.push(line);
    }
    write(path, &joined(&lines))
}

/// Takes the lines of a user out of a file; answers whether there were any.
pub fn delete_line(path: &Path, user: &str) -> io::Result<bool> {
    let text = fs::read_to_string(path)?;
    let lines: Vec<&str> = text.lines().filter(|line| !is_of(line, user)).collect();
    let found = lines.len() < text.lines().count();
    if found {
        write(path, &joined(&lines))?;
    }
    Ok(found)
}

fn existing(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_of(line: &str, user: &str) -> bool {
    let name = line.trim().split_once(':').map(|(name, _)| name);
    name == Some(user)
}

fn joined(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [*line, "\n"]).collect()
}

/// Replaces a file whole, so that a registry that reads it meanwhile sees the old or the new one.
///
/// Who could read the old one can read the new one; where there was none, only its owner can.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    // A link stays one, and what it leads to is replaced.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut name = path
        .file_name()
        .ok_or(io::ErrorKind::IsADirectory)?
        .to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = write_beside(path, &temporary, text);
    written.inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

fn write_beside(path: &Path, temporary: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(temporary)?;
    if let Ok(old) = fs::metadata(path) {
        let mode = old.permissions().mode();
        let new = file.metadata()?;
        if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
            fchown(&file, Some(old.uid()), Some(old.gid()))?;
        }
        file.set_permissions(fs::Permissions::from_mode(mode))?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(temporary, path)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_line_verifies_its_password_and_no_other() {
        let line = hash_line("alice", "s3cret", 4).unwrap();

        let hash = line.strip_prefix("alice:").unwrap();
        assert!(hash.starts_with("$2y$04$"), "{hash}");
        assert!(bcrypt::verify("s3cret", hash).unwrap());
        assert!(!bcrypt::verify("s3cre", hash).unwrap());
    }

    #[test]
    fn what_would_break_a_line_is_refused() {
        for user in ["", "a:b", "#a", " a", "a\n", &"u".repeat(256)] {
            assert!(
                matches!(hash_line(user, "p", 4), Err(LineError::User(_))),
                "{user:?}"
            );
        }
        for password in ["", "a\nb", "a\0", &"p".repeat(73)] {
            assert!(
                matches!(hash_line("u", password, 4), Err(LineError::Password(_))),
                "{password:?}"
            );
        }
        for cost in [0, 3, 16, 31] {
            assert_eq!(hash_line("u", "p", cost), Err(LineError::Cost(cost)));
        }
    }

    #[test]
    fn the_hash_of_nothing_has_a_cost_and_no_password() {
        let hash = hash_of_nothing(4);

        assert_eq!(cost(&hash), Some(4));
        assert!(!bcrypt::verify("", &hash).unwrap());
    }

    #[test]
    fn lines_are_put_replaced_and_deleted_and_others_stay() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("htpasswd");
        let text = || fs::read_to_string(&path).unwrap();

        put_line(&path, "a:1").unwrap();
        fs::write(&path, "# users\na:1\n\nb:1\na:0\n").unwrap();
        put_line(&path, "a:2").unwrap();
        put_line(&path, "c:1").unwrap();

        assert_eq!(text(), "# users\na:2\n\nb:1\nc:1\n");
        assert!(delete_line(&path, "b").unwrap());
        assert!(!delete_line(&path, "b").unwrap());
        assert_eq!(text(), "# users\na:2\n\nc:1\n");
        let absent = delete_line(&folder.path().join("absent"), "a").unwrap_err();
        assert!(absent.to_string().contains("No such file"), "{absent}");
    }

    #[test]
    fn a_new_file_is_private_and_an_old_one_keeps_its_mode_and_its_link() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("htpasswd");
        let link = folder.path().join("link");
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        put_line(&path, "a:1").unwrap();
        assert_eq!(mode(), 0o600);

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        put_line(&link, "b:1").unwrap();

        assert_eq!(mode(), 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "a:1\nb:1\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
