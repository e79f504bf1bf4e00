use std::io::Write;

use tempfile::TempDir;

use super::*;

struct Site {
    folder: TempDir,
}

impl Site {
    fn new(lines: &[(&str, &str)]) -> Self {
        let site = Self {
            folder: TempDir::new().unwrap(),
        };
        site.write(lines);
        site
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("htpasswd")
    }

    fn write(&self, lines: &[(&str, &str)]) {
        let lines = lines.iter();
        let text: String = lines
            .map(|(user, password)| hash_line(user, password, 4).unwrap() + "\n")
            .collect();
        fs::write(self.path(), text).unwrap();
    }

    fn open(&self) -> Passwords {
        Passwords::open(&self.path()).unwrap().passwords
    }
}

#[test]
fn the_right_password_of_a_user_is_verified_and_then_proven() {
    let passwords = Site::new(&[("alice", "a"), ("bob", "b")]).open();
    let now = Instant::now();

    assert!(!passwords.is_proven("alice", "a", now));
    assert!(passwords.verify("alice", "a", now));
    assert!(passwords.is_proven("alice", "a", now));
    for (user, password) in [("alice", "b"), ("bob", "a"), ("carol", "a"), ("", "")] {
        assert!(!passwords.verify(user, password, now), "{user} {password}");
        assert!(!passwords.is_proven(user, password, now));
    }
}

#[test]
fn a_password_that_is_longer_than_anybody_needs_is_not_even_compared() {
    let passwords = Site::new(&[("alice", &"a".repeat(72))]).open();
    let now = Instant::now();

    assert!(passwords.verify("alice", &"a".repeat(72), now));
    assert!(!passwords.verify("alice", &"a".repeat(CREDENTIAL_BYTES + 1), now));
}

#[test]
fn a_user_who_is_removed_or_has_another_password_is_out_at_once() {
    let site = Site::new(&[("alice", "a"), ("bob", "b"), ("carol", "c")]);
    let (passwords, now, key) = (site.open(), Instant::now(), Key::random());
    for (user, password) in [("alice", "a"), ("bob", "b"), ("carol", "c")] {
        assert!(passwords.verify(user, password, now));
    }
    let before = ["alice", "bob", "carol"].map(|user| passwords.mark(user, &key));
    let text = fs::read_to_string(site.path()).unwrap();
    let carols = text.lines().last().unwrap();
    let bobs = hash_line("bob", "other", 4).unwrap();
    fs::write(site.path(), format!("{bobs}\n{carols}\n")).unwrap();

    let refreshed = passwords.refresh();

    assert!(matches!(refreshed, Refreshed::Read { users: 2, .. }));
    assert!(!passwords.is_proven("alice", "a", now));
    assert!(!passwords.is_proven("bob", "b", now));
    assert!(passwords.is_proven("carol", "c", now));
    let after = ["alice", "bob", "carol"].map(|user| passwords.mark(user, &key));
    assert!(after[0].is_none() && after[1] != before[1] && after[2] == before[2]);
}

#[test]
fn a_file_that_did_not_change_is_not_read_again() {
    let site = Site::new(&[("alice", "a")]);
    let passwords = site.open();

    assert!(matches!(passwords.refresh(), Refreshed::Same));
}

#[test]
fn a_broken_file_keeps_the_old_users_and_is_told_once() {
    let site = Site::new(&[("alice", "a")]);
    let passwords = site.open();
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(site.path())
        .unwrap();
    file.write_all(b"half a li").unwrap();

    let Refreshed::Broken(error) = passwords.refresh() else {
        panic!("it is broken");
    };

    assert!(error.to_string().contains("line 2: expected `user:hash`"));
    assert!(matches!(passwords.refresh(), Refreshed::Same));
    assert!(passwords.verify("alice", "a", Instant::now()));
    fs::remove_file(site.path()).unwrap();
    assert!(matches!(passwords.refresh(), Refreshed::Broken(_)));
    assert!(passwords.verify("alice", "a", Instant::now()));
    site.write(&[("alice", "b")]);
    assert!(matches!(passwords.refresh(), Refreshed::Read { .. }));
    assert!(!passwords.verify("alice", "a", Instant::now()));
}

#[test]
fn a_missing_file_is_made_with_a_first_user() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("htpasswd");

    let opened = Passwords::open(&path).unwrap();

    let first = opened.first.unwrap();
    assert_eq!(first.name, "docker");
    assert!(!format!("{first:?}").contains(&first.password));
    let mode = fs::metadata(&path).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    let now = Instant::now();
    assert!(opened.passwords.verify("docker", &first.password, now));
    assert!(Passwords::open(&path).unwrap().first.is_none());
}

#[test]
fn what_is_no_password_file_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("htpasswd");
    let missing = folder.path().join("no/such/folder");
    fs::write(&path, vec![b'#'; 1 + (1 << 20)]).unwrap();

    let large = Passwords::open(&path).unwrap_err();
    let other = Passwords::open(folder.path()).unwrap_err();
    let unwritable = Passwords::open(&missing).unwrap_err();

    assert!(matches!(large, FileError::TooLarge { .. }), "{large}");
    assert!(matches!(other, FileError::NoFile { .. }), "{other}");
    assert!(matches!(unwritable, FileError::Unwritable { .. }));
    assert!(unwritable.to_string().contains("boxyard htpasswd"));
}
