//! Days, by which stores sort their places.

use std::fmt;
use std::time::{Duration, SystemTime};

const SECONDS_A_DAY: u64 = 24 * 60 * 60;

/// A day in UTC, by which stores sort their places: `2026-11-29`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day {
    /// Days since 1970-01-01.
    number: u64,
}

impl Day {
    /// The day of a moment; 1970-01-01 for moments before.
    #[must_use]
    pub fn of(time: SystemTime) -> Self {
        let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH);
        Self {
            number: since_1970.map_or(0, |elapsed| elapsed.as_secs() / SECONDS_A_DAY),
        }
    }

    /// The day after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self {
            number: self.number + 1,
        }
    }
}

/// As `2026-11-29`.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(self.number * SECONDS_A_DAY);
        let text = humantime::format_rfc3339_seconds(start).to_string();
        f.write_str(text.split('T').next().unwrap_or_default())
    }
}
