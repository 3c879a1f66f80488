//! How the jobs of a build follow on each other: `needs` and `when`, `fail_fast`, `max_parallel`, jobs that wait for
//! outputs, `retry`. Pure, and decided here alone: the coordinator's store asks these functions in its transactions, job
//! by job, and `drover run` keeps a whole [`Build`] in memory. A test of the store holds the two together.
//!
//! A need whose own conditions did not hold (skipped by its `when`, or a matrix without cells) counts as met: it was not
//! wanted, so nothing is missing. One that failed, was cancelled, or was skipped because of what *it* needs, is not.

mod build;
mod cells;
mod deferred;
mod needs;
pub mod outputs;
pub mod retry;

pub use build::{Build, Job, News};
pub use cells::{begins_blocked, cancelled_by, stopped_by_fail_fast};
pub use deferred::{Expanded, cells_of, expand};
pub use needs::{Decision, NeedState, NeededJob, RunsAfter, decide, skipped};
