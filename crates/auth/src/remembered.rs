//! What was found out a short while ago and need not be found out again.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};

/// How many tokens are remembered at once.
const MANY: usize = 8_192;
/// How long they are in sum, in bytes; what is remembered of them is not much longer.
const BYTES: usize = 4 << 20;

/// What tokens say that were believed, so that a client which sends the same one again and again is not verified each time.
///
/// To verify a signature costs more than all the rest of a small request.
/// Only tokens that somebody with a key has signed get in, so that strangers cannot fill it.
/// They are known by their SHA-256: it covers every byte, and memory holds no token.
#[derive(Debug)]
pub(crate) struct Remembered<T>(RwLock<Tokens<T>>);

#[derive(Debug)]
struct Tokens<T> {
    by_digest: HashMap<[u8; 32], Entry<T>>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry<T> {
    what: Arc<T>,
    bytes: usize,
    since: SystemTime,
    until: SystemTime,
}

impl<T> Entry<T> {
    /// A clock that was put back may tell a time at which the token was not good yet.
    fn holds(&self, now: SystemTime) -> bool {
        self.since <= now && now < self.until
    }
}

impl<T> Remembered<T> {
    /// What `token` says, if it was found out before and still holds; `find` finds it out, and until when it holds.
    pub(crate) fn get_or_find<E>(
        &self,
        token: &str,
        now: SystemTime,
        find: impl FnOnce() -> Result<(T, SystemTime), E>,
    ) -> Result<Arc<T>, E> {
        let key = key(token);
        {
            let tokens = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(entry) = tokens.by_digest.get(&key)
                && entry.holds(now)
            {
                return Ok(Arc::clone(&entry.what));
            }
        }
        let (what, until) = find()?;
        let what = Arc::new(what);
        let entry = Entry {
            what: Arc::clone(&what),
            bytes: token.len(),
            since: now,
            until,
        };
        let mut tokens = self.0.write().unwrap_or_else(PoisonError::into_inner);
        tokens.add(key, entry, now);
        Ok(what)
    }
}

impl<T> Tokens<T> {
    fn add(&mut self, key: [u8; 32], entry: Entry<T>, now: SystemTime) {
        if entry.bytes > BYTES || !entry.holds(now) {
            return;
        }
        if let Some(old) = self.by_digest.remove(&key) {
            self.bytes -= old.bytes;
        }
        if self.is_full(entry.bytes) {
            self.by_digest.retain(|_, entry| entry.holds(now));
            self.bytes = self.by_digest.values().map(|entry| entry.bytes).sum();
        }
        if self.is_full(entry.bytes) {
            // Whoever is forgotten is verified once more.
            self.by_digest.clear();
            self.bytes = 0;
        }
        self.bytes += entry.bytes;
        self.by_digest.insert(key, entry);
    }

    fn is_full(&self, more: usize) -> bool {
        self.by_digest.len() >= MANY || self.bytes + more > BYTES
    }
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self(RwLock::new(Tokens {
            by_digest: HashMap::new(),
            bytes: 0,
        }))
    }
}

fn key(token: &str) -> [u8; 32] {
    let digest = digest(&SHA256, token.as_bytes());
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + 1_000 * SECOND
    }

    /// What is said of `token`, and whether that had to be found out.
    fn ask(remembered: &Remembered<u32>, token: &str, now: SystemTime) -> (u32, bool) {
        let mut found = false;
        let what = remembered.get_or_find(token, now, || {
            found = true;
            Ok::<_, ()>((7, now + 10 * SECOND))
        });
        (*what.unwrap(), found)
    }

    #[test]
    fn what_was_found_is_not_found_again_until_its_time_is_over() {
        let remembered = Remembered::default();

        assert_eq!(ask(&remembered, "a", now()), (7, true));
        assert_eq!(ask(&remembered, "a", now() + 9 * SECOND), (7, false));
        assert_eq!(ask(&remembered, "b", now()), (7, true));
        assert_eq!(ask(&remembered, "a", now() + 10 * SECOND), (7, true));
    }

    #[test]
    fn a_clock_that_was_put_back_has_everything_found_again() {
        let remembered = Remembered::default();
        ask(&remembered, "a", now());

        assert_eq!(ask(&remembered, "a", now() - SECOND), (7, true));
    }

    #[test]
    fn what_is_not_believed_is_not_remembered() {
        let remembered = Remembered::<u32>::default();

        let refused = remembered.get_or_find("a", now(), || Err("no"));

        assert_eq!(refused, Err("no"));
        assert!(remembered.0.read().unwrap().by_digest.is_empty());
    }

    #[test]
    fn it_is_bounded_in_number_and_in_bytes() {
        let remembered = Remembered::default();
        for number in 0..=2 * MANY {
            ask(&remembered, &number.to_string(), now());
        }
        assert!(remembered.0.read().unwrap().by_digest.len() <= MANY);

        for number in 0..9 {
            let token = number.to_string().repeat(BYTES / 4);
            ask(&remembered, &token, now());
            assert!(remembered.0.read().unwrap().bytes <= BYTES);
        }
        let too_long = "x".repeat(BYTES + 1);
        ask(&remembered, &too_long, now());
        assert!(ask(&remembered, &too_long, now()).1);
    }
}
