//! The moment at which a URL stops working.

use std::time::{Duration, SystemTime};

/// The moment at which a URL stops working, in whole seconds: it works while the time is before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Expires {
    unix_seconds: u64,
}

impl Expires {
    /// A moment in seconds since 1970.
    #[must_use]
    pub fn at_unix_seconds(unix_seconds: u64) -> Self {
        Self { unix_seconds }
    }

    /// The last whole second up to a moment; the start of 1970 for moments before.
    #[must_use]
    pub fn at(time: SystemTime) -> Self {
        Self {
            unix_seconds: unix_seconds(time),
        }
    }

    /// The moment in seconds since 1970.
    #[must_use]
    pub fn unix_seconds(self) -> u64 {
        self.unix_seconds
    }

    /// The time that is left at `now`, in whole seconds; zero once the moment has come.
    #[must_use]
    pub fn remaining(self, now: SystemTime) -> Duration {
        Duration::from_secs(self.unix_seconds.saturating_sub(unix_seconds(now)))
    }
}

/// Whole seconds since 1970; zero for times before.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}
