//! Waiting for what nobody announces.

use std::time::{Duration, Instant};

/// How long anything may take before a test calls it hung.
const LIMIT: Duration = Duration::from_mins(1);

/// Looks again and again until there is something to see, and fails the test when that takes too long.
///
/// It is for what tells nobody that it is done: another process, or work in the background.
#[track_caller]
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(LIMIT, look).unwrap_or_else(|| panic!("waited {} s for {what}", LIMIT.as_secs()))
}

/// Looks again and again until there is something to see or the limit has passed.
pub(crate) fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        if let Some(seen) = look() {
            return Some(seen);
        }
        if started.elapsed() > limit {
            return None;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that polls, so that no test has to"
        )]
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_until_there_is_something() {
        let mut looks = 0;

        let seen = eventually("the third look", || {
            looks += 1;
            (looks == 3).then_some("seen")
        });

        assert_eq!((seen, looks), ("seen", 3));
    }

    #[test]
    fn it_gives_up() {
        assert_eq!(within(Duration::ZERO, || None::<()>), None);
    }
}
