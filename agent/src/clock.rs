//! The time of day as logs, events and labels have it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use protocol::attempt::Micros;

/// Microseconds since 1970, by this machine's clock.
pub fn now() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros::try_from(since.as_micros()).unwrap_or(Micros::MAX)
}

/// Now, in whole seconds of the same clock.
pub fn now_secs() -> i64 {
    now() / 1_000_000
}

/// A time in milliseconds.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
