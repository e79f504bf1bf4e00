//! Time as the database keeps it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

/// Milliseconds since 1970, as every date column holds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp(i64);

impl Timestamp {
    /// Before every other.
    pub(crate) const EARLIEST: Self = Self(i64::MIN);
    /// After every other: a time that has not come yet.
    pub(crate) const LATEST: Self = Self(i64::MAX);

    /// The database's clock: the engine runs in this process, so it is this machine's.
    pub(crate) fn now() -> Self {
        Self::from_system(SystemTime::now())
    }

    /// A time from elsewhere, such as a file's; what the column cannot hold becomes its bound.
    pub(crate) fn from_system(time: SystemTime) -> Self {
        let milliseconds = |duration: Duration| i64::try_from(duration.as_millis());
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(milliseconds(after).unwrap_or(i64::MAX)),
            Err(before) => Self(milliseconds(before.duration()).map_or(i64::MIN, |ms| -ms)),
        }
    }

    /// The time for callers; what the platform cannot express becomes 1970.
    pub(crate) fn system(self) -> SystemTime {
        let distance = Duration::from_millis(self.0.unsigned_abs());
        let time = if self.0 < 0 {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        };
        time.unwrap_or(UNIX_EPOCH)
    }
}

impl ToSql for Timestamp {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.into())
    }
}

impl FromSql for Timestamp {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_before_1970_survives_the_column() {
        let time = UNIX_EPOCH - Duration::from_millis(1500);

        assert_eq!(Timestamp::from_system(time).system(), time);
    }

    #[test]
    fn a_time_is_kept_to_the_millisecond() {
        let time = UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456);

        let kept = Timestamp::from_system(time).system();

        assert_eq!(kept, UNIX_EPOCH + Duration::from_millis(1_700_000_000_123));
    }
}
