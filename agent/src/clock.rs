//! The time of day as logs, events and labels have it.

use std::time::{SystemTime, UNIX_EPOCH};

use protocol::attempt::Micros;

/// Microseconds since 1970, by this machine's clock.
pub fn now() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros::try_from(since.as_micros()).unwrap_or(Micros::MAX)
}
