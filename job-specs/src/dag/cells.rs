//! What the cells of one job do to each other, and the words for a job that is stopped.

use crate::model::JobSpec;

/// Whether `max_parallel` blocks a cell that has so many before it, until one of those has ended.
pub fn begins_blocked(spec: &JobSpec, cells_before: u32) -> bool {
    spec.max_parallel.is_some_and(|most| cells_before >= most.max(1))
}

/// Why the other cells are stopped when this one has failed and says `fail_fast`.
pub fn stopped_by_fail_fast(title: &str) -> String {
    format!("stopped because `{title}` did not pass (fail_fast)")
}

/// Why a job is stopped, when a user stops it.
pub fn cancelled_by(user: &str) -> String {
    format!("cancelled by {user}")
}
