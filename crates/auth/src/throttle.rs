//! Bounds on guessing passwords.
//!
//! Failures are counted for each address with each user, for each address, and for each user.
//! The first is tight; the others are wide, because behind one address may be many people, and because nobody is to be shut out by strangers who guess at his name.
//! Whoever has logged in from an address is not held up there by what others do to the same name.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How many subjects are remembered at once, of each kind.
const MANY: usize = 16_384;

/// How many failures there may be at once, and how long it takes to be forgiven one.
#[derive(Clone, Copy, Debug)]
struct Bound {
    burst: u32,
    forgiven: Duration,
}

const PAIR: Bound = Bound {
    burst: 10,
    forgiven: Duration::from_secs(6),
};
const ADDRESS: Bound = Bound {
    burst: 100,
    forgiven: Duration::from_secs(1),
};
const USER: Bound = Bound {
    burst: 100,
    forgiven: Duration::from_secs(1),
};
/// A login counts as many failures forgiven as there can be, for a day.
const TRUSTED: Duration = Duration::from_hours(24);

/// Counts failed logins.
#[derive(Debug)]
pub struct Throttle {
    hasher: RandomState,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    pairs: Buckets,
    addresses: Buckets,
    users: Buckets,
    /// Who has logged in from where, and when.
    trusted: HashMap<u64, Instant>,
}

/// When the last of all counted failures will be forgiven, for each subject.
#[derive(Debug, Default)]
struct Buckets(HashMap<u64, Instant>);

/// Too many logins have failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many logins have failed: try again in {} s", .after.as_secs())]
pub struct Throttled {
    /// When to try again, in whole seconds.
    pub after: Duration,
}

/// A login that was let through to be tried, and counts as failed until it is known to be right.
#[derive(Debug)]
#[must_use]
pub struct Attempt {
    subjects: [u64; 3],
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            counts: Mutex::default(),
        }
    }
}

impl Throttle {
    /// Lets a login be tried, unless too many have failed.
    pub fn admit(&self, address: IpAddr, user: &str, now: Instant) -> Result<Attempt, Throttled> {
        let network = network(address);
        let subjects = [
            self.hasher.hash_one((network, user)),
            self.hasher.hash_one(network),
            self.hasher.hash_one(user),
        ];
        let [pair, address, user] = subjects;
        let mut counts = self.lock();
        let is_trusted = counts.is_trusted(pair, now);
        let mut waits = vec![
            counts.pairs.wait(pair, PAIR, now),
            counts.addresses.wait(address, ADDRESS, now),
        ];
        if !is_trusted {
            waits.push(counts.users.wait(user, USER, now));
        }
        if let Some(wait) = waits.into_iter().flatten().max() {
            let after = Duration::from_secs(wait.as_secs() + 1);
            return Err(Throttled { after });
        }
        counts.pairs.count(pair, PAIR, now);
        counts.addresses.count(address, ADDRESS, now);
        counts.users.count(user, USER, now);
        Ok(Attempt { subjects })
    }

    /// Takes back what an attempt was counted for, because it was right.
    pub fn forgive(&self, attempt: &Attempt, now: Instant) {
        let [pair, address, user] = attempt.subjects;
        let mut counts = self.lock();
        counts.pairs.0.remove(&pair);
        counts.addresses.discount(address, ADDRESS);
        counts.users.discount(user, USER);
        if counts.trusted.len() >= MANY {
            counts.trusted.clear();
        }
        counts.trusted.insert(pair, now);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().expect("nobody panics while counting")
    }
}

impl Counts {
    fn is_trusted(&self, pair: u64, now: Instant) -> bool {
        let since = |at: &Instant| now.saturating_duration_since(*at);
        self.trusted
            .get(&pair)
            .is_some_and(|at| since(at) < TRUSTED)
    }
}

impl Buckets {
    /// How long until one more failure may be counted; none where that is now.
    fn wait(&self, subject: u64, bound: Bound, now: Instant) -> Option<Duration> {
        let empty = self.0.get(&subject)?;
        let full = bound.forgiven * (bound.burst - 1);
        let wait = empty.saturating_duration_since(now).checked_sub(full)?;
        (!wait.is_zero()).then_some(wait)
    }

    fn count(&mut self, subject: u64, bound: Bound, now: Instant) {
        if self.0.len() >= MANY {
            self.0.retain(|_, empty| *empty > now);
        }
        if self.0.len() >= MANY {
            // So many failures at once are a flood, in which single subjects mean nothing.
            self.0.clear();
        }
        let empty = self.0.entry(subject).or_insert(now);
        *empty = (*empty).max(now) + bound.forgiven;
    }

    fn discount(&mut self, subject: u64, bound: Bound) {
        if let Some(empty) = self.0.get_mut(&subject) {
            *empty = empty.checked_sub(bound.forgiven).unwrap_or(*empty);
        }
    }
}

/// What one caller has many of counts as one address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let bits = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(bits.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// How many failures are let through at once.
    fn failures(throttle: &Throttle, address: IpAddr, user: &str, now: Instant) -> usize {
        let tried = (0..1_000).map(|_| throttle.admit(address, user, now));
        tried.take_while(Result::is_ok).count()
    }

    #[test]
    fn an_address_may_fail_ten_times_with_a_user_and_then_every_six_seconds() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let here = address("192.0.2.1");

        assert_eq!(failures(&throttle, here, "alice", now), 10);
        let throttled = throttle.admit(here, "alice", now).unwrap_err();
        assert_eq!(throttled.after, Duration::from_secs(7));
        assert_eq!(failures(&throttle, here, "alice", now + throttled.after), 1);
        assert_eq!(failures(&throttle, here, "bob", now), 10);
        let other = address("192.0.2.2");
        assert_eq!(failures(&throttle, other, "alice", now), 10);
    }

    #[test]
    fn an_address_cannot_try_one_user_after_the_other() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let here = address("192.0.2.1");

        let tried = (0..1_000).map(|number| throttle.admit(here, &format!("u{number}"), now));

        assert_eq!(tried.take_while(Result::is_ok).count(), 100);
    }

    #[test]
    fn many_addresses_cannot_try_one_user_but_who_was_there_before_can_go_on() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let home = address("198.51.100.1");
        let login = throttle.admit(home, "alice", now).unwrap();
        throttle.forgive(&login, now);

        let tried = (0..1_000_u32).map(|number| {
            let from = IpAddr::V4(number.into());
            throttle.admit(from, "alice", now)
        });

        assert_eq!(tried.take_while(Result::is_ok).count(), 100);
        assert_eq!(failures(&throttle, home, "alice", now), 10);
    }

    #[test]
    fn what_was_right_does_not_count() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let here = address("192.0.2.1");

        for _ in 0..1_000 {
            let attempt = throttle.admit(here, "alice", now).unwrap();
            throttle.forgive(&attempt, now);
        }

        assert_eq!(failures(&throttle, here, "alice", now), 10);
    }

    #[test]
    fn the_addresses_of_one_network_are_one() {
        let (throttle, now) = (Throttle::default(), Instant::now());

        assert_eq!(failures(&throttle, address("2001:db8::1"), "a", now), 10);
        assert_eq!(failures(&throttle, address("2001:db8::2"), "a", now), 0);
        assert_eq!(
            failures(&throttle, address("2001:db8:0:1::1"), "a", now),
            10
        );
        assert_eq!(failures(&throttle, address("192.0.2.1"), "a", now), 10);
        assert_eq!(
            failures(&throttle, address("::ffff:192.0.2.1"), "a", now),
            0
        );
    }

    #[test]
    fn memory_is_bounded() {
        let (throttle, now) = (Throttle::default(), Instant::now());

        for number in 0..3 * u32::try_from(MANY).unwrap() {
            let from = IpAddr::V4(number.into());
            if let Ok(attempt) = throttle.admit(from, &format!("u{number}"), now)
                && number % 2 == 0
            {
                throttle.forgive(&attempt, now);
            }
        }

        let counts = throttle.counts.lock().unwrap();
        for length in [
            counts.pairs.0.len(),
            counts.addresses.0.len(),
            counts.users.0.len(),
            counts.trusted.len(),
        ] {
            assert!(length <= MANY, "{length}");
        }
    }
}
