//! When to ask for a certificate: pure functions of times.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, SystemTime};

use super::certificate::Life;

/// How long to wait after the first failure to reach the server, or to be understood by it.
const AGAIN: Duration = Duration::from_secs(10);
/// How long to wait after the first refusal: Let's Encrypt counts five of them an hour.
const AFTER_REFUSAL: Duration = Duration::from_mins(10);
/// The longest wait that we choose ourselves.
const LONGEST: Duration = Duration::from_hours(2);
/// The longest wait that a server can ask for.
const LONGEST_TOLD: Duration = Duration::from_hours(24);
/// However short a certificate lives, the server has a rest.
const REST: Duration = Duration::from_secs(1);

/// A number that differs from call to call, for [`renewal`].
pub(super) fn jitter() -> u8 {
    let [first, ..] = RandomState::new().build_hasher().finish().to_le_bytes();
    first
}

/// When to renew: at two thirds of the life, or up to a thirtieth of it earlier, so that not everybody who began at the same hour comes at the same hour.
pub(super) fn renewal(life: Life, jitter: u8) -> SystemTime {
    let length = length(life);
    let earlier = length / 30 * u32::from(jitter) / u32::from(u8::MAX);
    life.begin + length / 3 * 2 - earlier
}

/// When to renew what was just got; where the clocks disagree so much that it is due already, not at once.
pub(super) fn after_success(life: Life, jitter: u8, now: SystemTime) -> SystemTime {
    let rest = (length(life) / 3).max(REST);
    renewal(life, jitter).max(now + rest)
}

/// How long to wait after a failure that so many came before, when the server has perhaps said how long.
pub(super) fn after_failure(before: u32, is_refusal: bool, told: Option<Duration>) -> Duration {
    let first = if is_refusal { AFTER_REFUSAL } else { AGAIN };
    let chosen = first
        .saturating_mul(2_u32.saturating_pow(before))
        .min(LONGEST);
    let told = told.unwrap_or_default().min(LONGEST_TOLD);
    chosen.max(told)
}

fn length(life: Life) -> Duration {
    life.end.duration_since(life.begin).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn ninety_days() -> Life {
        let begin = SystemTime::UNIX_EPOCH + DAY * 20_000;
        Life {
            begin,
            end: begin + DAY * 90,
        }
    }

    #[test]
    fn a_certificate_is_renewed_at_two_thirds_of_its_life_or_a_little_earlier() {
        let life = ninety_days();

        assert_eq!(renewal(life, 0), life.begin + DAY * 60);
        assert_eq!(renewal(life, u8::MAX), life.begin + DAY * 57);
        for jitter in 0..=u8::MAX {
            let due = renewal(life, jitter);
            assert!(due >= life.begin + DAY * 57 && due <= life.begin + DAY * 60);
        }
    }

    #[test]
    fn a_new_certificate_is_not_renewed_at_once_where_the_clocks_disagree() {
        let life = ninety_days();

        assert_eq!(after_success(life, 0, life.begin), life.begin + DAY * 60);
        let ahead = life.end + DAY;
        assert_eq!(after_success(life, 0, ahead), ahead + DAY * 30);
        let none = Life {
            end: life.begin,
            ..life
        };
        assert_eq!(after_success(none, 9, life.begin), life.begin + REST);
    }

    #[test]
    fn failures_are_farther_and_farther_apart_but_not_too_far() {
        let waits = |is_refusal| {
            (0..4).map(move |before| after_failure(before, is_refusal, None).as_secs())
        };

        assert!(waits(false).eq([10, 20, 40, 80]));
        assert!(waits(true).eq([600, 1_200, 2_400, 4_800]));
        assert_eq!(after_failure(u32::MAX, false, None), LONGEST);
    }

    #[test]
    fn a_server_that_says_when_to_come_again_is_obeyed_within_a_day() {
        let told = |seconds| after_failure(0, false, Some(Duration::from_secs(seconds)));

        assert_eq!(told(3_600), Duration::from_hours(1));
        assert_eq!(told(1), AGAIN);
        assert_eq!(told(u64::MAX), DAY);
    }
}
