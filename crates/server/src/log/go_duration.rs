//! Durations as Go writes them, which readers of distribution's logs parse.

use std::time::Duration;

const MICROSECOND: u128 = 1_000;
const MILLISECOND: u128 = 1_000_000;
const SECOND: u128 = 1_000_000_000;

/// `875ns`, `875.983µs`, `1.5ms`, `2.5s`, `1h2m3.5s`.
pub(super) fn text(duration: Duration) -> String {
    let all = duration.as_nanos();
    match all {
        0 => "0s".to_owned(),
        _ if all < MICROSECOND => format!("{all}ns"),
        _ if all < MILLISECOND => format!("{}µs", decimal(all, MICROSECOND)),
        _ if all < SECOND => format!("{}ms", decimal(all, MILLISECOND)),
        _ => {
            let minutes = all / (60 * SECOND);
            let seconds = decimal(all % (60 * SECOND), SECOND);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, minutes) => format!("{minutes}m{seconds}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

/// A number of units with as many decimals as it takes.
fn decimal(nanoseconds: u128, unit: u128) -> String {
    let whole = nanoseconds / unit;
    let rest = nanoseconds % unit;
    if rest == 0 {
        return whole.to_string();
    }
    let digits = unit.ilog10() as usize;
    let rest = format!("{rest:0digits$}");
    format!("{whole}.{}", rest.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (nanoseconds, expected) in [
            (0, "0s"),
            (999, "999ns"),
            (875_983, "875.983µs"),
            (1_226_570, "1.22657ms"),
            (20_000_000, "20ms"),
            (1_000_000_000, "1s"),
            (62_050_000_000, "1m2.05s"),
            (3_723_500_000_000, "1h2m3.5s"),
        ] {
            assert_eq!(text(Duration::from_nanos(nanoseconds)), expected);
        }
    }
}
